"""From a model to a frozen graph: choose what comes out, inline functions, put the values of variables in."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from os import PathLike

from pbslim.analysis.conformity import listed, misfits
from pbslim.analysis.inputs import how_to_cut, pipeline_inputs
from pbslim.analysis.recursion import require_no_recursion
from pbslim.errors import DecodeError, GraphError, UsageError
from pbslim.freezing.ends import Ends, ends_of
from pbslim.freezing.models import Model, open_model
from pbslim.freezing.naming import Naming, name_ends, without_wrapper
from pbslim.freezing.tables import Tables
from pbslim.freezing.variables import Sources, insert_values, variables_of
from pbslim.freezing.writes import drop_writes
from pbslim.ir import Graph, Node, Signature, Value
from pbslim.ir.extraction import needed_nodes
from pbslim.ir.functions import used_functions
from pbslim.ir.order import check, drop_lost_colocations
from pbslim.ops.families import CALLS
from pbslim.passes import pipeline
from pbslim.passes.registry import Step
from pbslim.transforms import drop_idle_controls, inline_partitionedcall, lower_control_flow
from pbslim.transforms.repairs.repairer import Repairer
from pbslim.wire.given import Names
from pbslim.wire.given import names as name_list
from pbslim.wire.paths import expanded
from pbslim.wire.read import GraphOrigin
from pbslim.wire.sources import Source
from pbslim.wire.varint import MessageError


@dataclass
class Frozen:
    """A model as a graph that needs nothing beside it.

    Attributes:
        graph: the graph; its constants still lie in the checkpoint.
        signature: what the model calls inputs and outputs.
        variables: how many there were.
        initializers: nodes that must run once before the first run, as they fill lookup tables.
        notes: remarks for the user.
    """

    graph: Graph
    signature: Signature
    variables: int
    initializers: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def freeze(
    model: str | PathLike[str],
    *,
    tags: Names | None = None,
    signature: str | None = None,
    outputs: Names | None = None,
    checkpoint: str | PathLike[str] | None = None,
    names: Naming = "function",
    lower: bool = False,
    drop_updates: bool = False,
    keep_devices: bool = False,
    only: Names | None = None,
    without: Names = (),
    most_nodes: int | None = None,
) -> Frozen:
    """A graph in which the variables of a model are constants and its functions are inlined; `pbslim.save` writes it.

    >>> pbslim.save(pbslim.freeze("exported/").graph, "frozen.pb")

    Args:
        model: the folder of a SavedModel, a checkpoint with its ``.meta``, or a graph file.
        tags: of the graph to take, where a SavedModel has several; the only one or that for serving if not given.
        signature: which one; ``serving_default`` or the only one if not given.
        outputs: keys of the signature, or tensor names; all of the signature if not given.
        checkpoint: where the values of variables are, if not where they belong.
        names: what inputs and outputs of a TensorFlow 2 model are called: ``function`` (``x`` and ``Identity``, as
            TensorFlow's own converter), ``signature`` (their keys) or ``graph`` (``serving_default_x`` and
            ``StatefulPartitionedCall``).
        lower: make branches and loops of nodes, as TensorFlow 1 has them, out of those whose bodies are functions.
        drop_updates: leave out what changes a variable that the outputs read, so that each run is like the first one.
        keep_devices: leave the devices on which nodes are asked to run.
        only, without: names of the variables to freeze, all if not given, and of those to leave as they are.
        most_nodes: how many nodes functions may add to the graph; 16,384, and 64 for each that there is, if not given.

    Raises:
        UsageError: what is wanted is not there or not clear, or the model cannot be frozen.
        PbslimError: the model is damaged.
    """
    wanted = None if tags is None else name_list(tags, "tags")
    ends = None if outputs is None else name_list(outputs, "outputs")
    choice = _Choice(signature, ends, names, lower, drop_updates, keep_devices, _filter(only, without), most_nodes)
    try:
        opened = open_model(expanded(model), wanted, expanded(checkpoint) if checkpoint else None)
        return _Freezer(opened, choice).run()
    except MessageError as error:  # in what is decoded late, which does not know its file
        message = str(error)
        raise DecodeError(message if f"'{model}" in message else f"'{model}' is damaged: {message}") from None


@dataclass(frozen=True)
class _Choice:
    """What to take of a model, and how; see `freeze`."""

    signature: str | None
    outputs: Sequence[str] | None
    names: Naming
    lower: bool
    drop_updates: bool
    keep_devices: bool
    takes: Callable[[Node], bool]
    most_nodes: int | None


def _filter(only: Names | None, without: Names) -> Callable[[Node], bool]:
    """Whether to freeze a variable."""
    taken = None if only is None else frozenset(name_list(only, "variables to freeze"))
    left = frozenset(name_list(without, "variables to leave"))
    return lambda node: (taken is None or node.name in taken) and node.name not in left


class _Freezer:
    """Changes the graph of a model step by step."""

    def __init__(self, model: Model, choice: _Choice) -> None:
        self._model, self._graph, self._choice = model, model.graph, choice
        self._notes: list[str] = []

    def run(self) -> Frozen:
        """Do it."""
        graph = self._graph
        check(graph)
        sources = Sources(graph, self._model.meta)
        ends = ends_of(self._model, sources, self._choice.signature, self._choice.outputs)
        tables = Tables(self._model, sources)
        self._prune(ends, tables.starters())
        name_ends(graph, ends, self._choice.names)
        self._inline(ends, tables)
        initializers = tables.kept(value.node for value in ends.outputs.values())
        self._prune(ends, initializers)
        roots = [*(value.node for value in ends.outputs.values()), *initializers]
        drop_writes(graph, roots, all_updates=self._choice.drop_updates)
        self._prune(ends, initializers)
        variables = [node for node in variables_of(graph) if self._choice.takes(node)]
        files: Sequence[Source] = ()
        if variables:
            checkpoint = self._model.values()
            insert_values(variables, sources, checkpoint)
            files = checkpoint.sources
            self._notes += [checkpoint.remark] if checkpoint.remark else []
        elif self._model.meta is None and not variables_of(graph):
            self._notes.append(f"there are no variables in '{self._model.path}': it was frozen before")
        Repairer(graph).repair()
        if self._choice.lower:
            step = lower_control_flow(max_growth_in_nodes=self._choice.most_nodes)
            self._run([step], ends, [node.name for node in initializers], functions=False)
        if ends.called:
            self._drop_controls(ends, initializers)
        self._prune(ends, initializers)
        self._finish(files)
        return self._result(ends, len(variables), initializers)

    def _prune(self, ends: Ends, kept: Iterable[Node]) -> None:
        """Keep what the outputs need, what fills tables, and the inputs even if they need none of these."""
        graph = self._graph
        names = [value.node.name for value in ends.outputs.values()] + [node.name for node in kept]
        needed = needed_nodes(graph, names) | {value.node for value in ends.inputs.values()}
        for value in ends.inputs.values():
            value.node.set_controls(control for control in value.node.controls if control in needed)
        graph.erase(node for node in graph if node not in needed)
        graph.drop_functions(graph.library.functions.keys() - used_functions(graph))

    def _inline(self, ends: Ends, tables: Tables) -> None:
        graph = self._graph
        if not graph.library.functions:
            return
        require_no_recursion(graph)
        self._require_whole()
        calls = [node for node in graph if node.op in CALLS]
        kept = [node.name for node in tables.starters()]
        inline = inline_partitionedcall(max_growth_in_nodes=self._choice.most_nodes)
        for in_bodies in (False, True):  # most bodies are no longer there when it is their turn
            self._run([inline], ends, kept, functions=in_bodies)
            graph.drop_functions(graph.library.functions.keys() - used_functions(graph))
        if ends.called:
            without_wrapper(graph, calls)

    def _require_whole(self) -> None:
        """Make sure that no function is damaged: calls of it would stay."""
        for name in used_functions(self._graph):
            function = self._graph.library.functions[name]
            with suppress(GraphError):
                function.body()
            if function.damage:
                raise DecodeError(f"'{self._model.path}' is damaged: {function.damage}")

    def _drop_controls(self, ends: Ends, kept: Iterable[Node]) -> None:
        """Drop control edges that only put reads of variables in order: all that nothing is waited for through."""
        self._run([drop_idle_controls()], ends, [node.name for node in kept], functions=True)
        for graph in (self._graph, *(f.body().graph for f in self._graph.library.functions.values() if f.decoded)):
            _drop_idle_groups(graph)

    def _run(self, steps: Sequence[Step], ends: Ends, kept: Collection[str], *, functions: bool) -> None:
        inputs, outputs = (list(dict.fromkeys(_names(each))) for each in (ends.inputs, ends.outputs))
        inputs = [name for name in inputs if name not in outputs]
        pipeline.run(self._graph, steps, inputs, outputs, kept=kept, functions=functions)

    def _finish(self, files: Sequence[Source]) -> None:
        graph = self._graph
        drop_lost_colocations(graph)
        if not self._choice.keep_devices:
            for node in graph:
                node.set_device("")
        check(graph)
        if broken := misfits(graph):
            raise UsageError(f"'{self._model.path}' cannot be frozen: {listed(broken)}")
        if isinstance(graph.origin, GraphOrigin):
            graph.origin = replace(graph.origin, others=tuple(files))

    def _result(self, ends: Ends, variables: int, initializers: Sequence[Node]) -> Frozen:
        graph = self._graph
        inputs, outputs = (dict(zip(each, _names(each), strict=True)) for each in (ends.inputs, ends.outputs))
        signature = Signature(ends.name, inputs, outputs)
        graph.signature = signature
        if sources := pipeline_inputs(graph, outputs.values(), inputs.values()):
            self._notes.append(how_to_cut(sources))
        found = graph.copy()  # a journal that could take all of this back would hold what was dropped
        return Frozen(found, signature, variables, [node.name for node in initializers], self._notes)


def _names(values: dict[str, Value]) -> list[str]:
    return [value.name for value in values.values()]


def _drop_idle_groups(graph: Graph) -> None:
    """No longer wait for a NoOp that waits for nothing."""
    todo = [node for node in graph if node.op == "NoOp" and not node.controls]
    while todo:
        node = todo.pop()
        for reader in node.control_readers:
            reader.set_controls(control for control in reader.controls if control is not node)
            if reader.op == "NoOp" and not reader.controls:
                todo.append(reader)
