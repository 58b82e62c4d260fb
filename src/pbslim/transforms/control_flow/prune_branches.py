"""Keep only the branch that a constant predicate takes.

Before::  x ─► Switch(true) ─► Relu ─► Merge ─► y,  Switch ─► Neg ─► Merge
After::   x ─► Identity ─► Relu ─► Identity ─► y

A taken Switch becomes an Identity, and so does a Merge of which one input is left: names stay, and what waits for
such a node is dead or alive exactly when it was before. A functional If or Case becomes a call of the branch.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np

from pbslim.analysis.constant_nodes import ConstantNodes
from pbslim.analysis.evaluation import CannotFold
from pbslim.dtypes import INT32
from pbslim.ir import ArrayTensor, AttrValue, FunctionRef, Graph, Node, Value
from pbslim.ir.facts import has_ops
from pbslim.ir.order import ancestors
from pbslim.ops.families import CASES, MERGES, SWITCHES
from pbslim.passes.registry import Context, transform
from pbslim.transforms.constants.ends import Ends, ends_of

_CALLS = {
    "Case": "StatefulPartitionedCall",
    "If": "StatefulPartitionedCall",
    "StatelessCase": "PartitionedCall",
    "StatelessIf": "PartitionedCall",
}
_PREDICATES = {"Switch": 1, "_SwitchN": 1, **dict.fromkeys(_CALLS, 0)}  # the number of the input that decides

_TWO = 2


@transform(effect="exact", in_functions=True)
def prune_branches(graph: Graph, context: Context) -> None:
    """Where the predicate of a Switch, If or Case is constant, keep only the branch that is taken, inner ones too.

    Raises:
        TransformError: an input or output is not in the graph, an input is not a placeholder or is
            named twice, or no output is given.
    """
    ends = ends_of(graph, context)
    nodes = ConstantNodes(graph, ends.fed, ends.roots)
    prune(graph, context, ends, nodes)
    for name in nodes.defaults:
        context.note(f"'{name}' is not among the inputs: its default value decides")


def prune(graph: Graph, context: Context, ends: Ends, nodes: ConstantNodes) -> None:
    """Do it for a graph of which `nodes` knows the constants."""
    done: set[Node] = set()
    while taken := _decided(graph, nodes, ends, context, done):
        roots = {*ends.fetched, *(node.output() for node in ends.roots)}
        try:
            _take_branches(graph, taken, {value.node for value in ends.fed}, roots)
        except _UndecidableError as problem:
            context.skip(problem.node.name, str(problem))
            return
        done.update(taken)
        nodes.refresh()


def _decided(graph: Graph, nodes: ConstantNodes, ends: Ends, context: Context, done: set[Node]) -> dict[Node, int]:
    """The nodes with a constant predicate, and the number of the branch that it takes."""
    if not has_ops(graph, _PREDICATES):
        return {}
    candidates = [node for node in nodes.order if node.op in _PREDICATES and node in nodes.needed and node not in done]
    if not candidates:
        return {}
    constant, evaluator = nodes.find(), nodes.evaluator()
    found = {}
    for node in candidates:
        slot = _PREDICATES[node.op]
        if slot >= len(node.inputs) or node.inputs[slot].node not in constant:
            continue
        if node.op in SWITCHES and any(value in ends.fetched for value in node.outputs):
            continue
        try:
            tensor = evaluator.value(node.inputs[slot])
        except CannotFold as problem:
            context.skip(node.name, f"its predicate is not known: {problem}")
            continue
        count = _branches(node)
        if tensor.shape == () and tensor.dtype.scalar is not None and count:
            number = int(tensor.numpy())
            many = node.op == "_SwitchN" or node.op in CASES
            found[node] = (number if 0 <= number < count else count - 1) if many else int(bool(number))
    return found


def _branches(node: Node) -> int:
    """How many branches a node has; 0 where it does not say."""
    if node.op in CASES:
        return len(node.attr("branches", tuple, ()))
    return node.attr("num_outs", int, 0) if node.op == "_SwitchN" else _TWO


class _UndecidableError(Exception):
    """A branch cannot be taken; the text says why."""

    def __init__(self, node: Node, reason: str) -> None:
        super().__init__(reason)
        self.node = node


def _take_branches(graph: Graph, taken: Mapping[Node, int], fed: Iterable[Node], roots: Iterable[Value]) -> None:
    """Rewrite `graph` as if each node of `taken` always took this branch.

    Args:
        fed: nodes that are alive whatever they wait for.
        roots: values that must stay.

    Raises:
        _UndecidableError: one of `roots` would never have a value, or a Merge would report another branch than before;
            nothing has changed.
    """
    switches = {node: number for node, number in taken.items() if node.op in SWITCHES}
    fed = list(fed)
    live = _live(graph, switches, fed)
    merges = {node: _live_inputs(node, live) for node in live if node.op in MERGES}
    merges = {node: slots for node, slots in merges.items() if len(slots) < len(node.inputs)}
    for value in roots:
        if value not in live.get(value.node, ()):
            raise _UndecidableError(value.node, f"the output '{value.name}' is in a branch that is never taken")
        if value.node in merges and value.port:
            raise _UndecidableError(value.node, f"'{value.name}' says which branch was taken and is an output")
    for node, slots in merges.items():
        if len(slots) > 1 and node.output(1).uses:
            raise _UndecidableError(node, "it says which of several branches was taken")
    spared = ancestors(fed)  # what an input waits for is not asked for, but must not dangle
    dead = [node for node in graph if node not in live and node not in spared]
    for node, number in taken.items():
        if node.op in _CALLS:
            _become_call(node, number)
    for node, slots in merges.items():
        _narrow(graph, node, slots, [control for control in node.controls if control in live])
    for node in graph:
        if node in switches and node in live:
            for value in node.outputs:
                if value.port:
                    value.replace_all_uses_with(node.output())
            _become_identity(node, node.inputs[0], node.controls)
    graph.erase(dead)


class _Ports:
    """The ports of a live node that get a value."""

    def __init__(self, only: int | None) -> None:
        self.only = only

    def __contains__(self, value: Value) -> bool:
        return self.only is None or value.port == self.only


def _live(graph: Graph, switches: Mapping[Node, int], fed: Iterable[Node]) -> dict[Node, _Ports]:
    """The nodes that run at all; a loop does when something enters it."""
    live = {node: _Ports(None) for node in fed}

    def runs(node: Node) -> bool:
        alive = [value.node in live and value in live[value.node] for value in node.inputs]
        if node.op in MERGES:
            return any(alive)
        return all(alive) and all(control in live for control in node.controls)

    todo = list(graph)[::-1]
    while todo:
        node = todo.pop()
        if node not in live and runs(node):
            live[node] = _Ports(switches.get(node))
            todo += node.readers
    return live


def _live_inputs(node: Node, live: Mapping[Node, _Ports]) -> list[int]:
    return [slot for slot, value in enumerate(node.inputs) if value.node in live and value in live[value.node]]


def _narrow(graph: Graph, merge: Node, slots: list[int], controls: list[Node]) -> None:
    """Leave a Merge only these inputs."""
    merge.set_controls(controls)
    if len(slots) > 1:
        merge.set_inputs([merge.inputs[slot] for slot in slots])
        merge.set_attr("N", len(slots))
        return
    if merge.output(1).uses:
        attrs: dict[str, AttrValue] = {"dtype": INT32, "value": ArrayTensor(np.array(slots[0], np.int32), INT32)}
        index = graph.add(graph.unique_name(f"{merge.name}/value_index"), "Const", attrs=attrs, controls=[merge])
        merge.output(1).replace_all_uses_with(index.output())
    _become_identity(merge, merge.inputs[slots[0]], controls)


def _become_identity(node: Node, value: Value, controls: Iterable[Node]) -> None:
    attrs = {"T": node.attrs["T"]} if "T" in node.attrs else {}
    node.become("Identity", [value], attrs, controls=controls, device=node.device)


def _become_call(node: Node, number: int) -> None:
    if node.op in CASES:
        branch = node.attr("branches", tuple, ())[number]
    else:
        branch = node.attr("then_branch" if number else "else_branch", FunctionRef)
    if not isinstance(branch, FunctionRef):
        return
    attrs = {key: node.attrs[key] for key in ("Tin", "Tout") if key in node.attrs}
    node.become(_CALLS[node.op], node.inputs[1:], {"f": branch, **attrs}, controls=node.controls, device=node.device)
