"""Compute once what depends on constants alone, and drop what is no longer needed.

Before::  variance ─► Add(ε) ─► Rsqrt ─► Mul(gamma) ─► Mul ─► y,  x ─► Mul
After::   folded (Const) ─► Mul ─► y,  x ─► Mul

The shape of a tensor counts as constant where it is known without running the graph.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from copy import copy

from pbslim.analysis.constant_nodes import ConstantNodes, Constants, awaited, needed
from pbslim.analysis.evaluation import CannotFold, Evaluator
from pbslim.dtypes import Shape
from pbslim.ir import AttrValue, Graph, Node, Tensor, Value
from pbslim.ops.families import SHAPES
from pbslim.passes.registry import Context, transform
from pbslim.transforms.constants.ends import Ends, ends_of
from pbslim.transforms.control_flow.drop_idle_controls import drop_controls
from pbslim.transforms.control_flow.prune_branches import prune

_SMALL = 1 << 12
_MOST_LARGE = 1 << 25  # bytes of results that are not small, besides those of the constants that there are


@transform(effect="exact", in_functions=True)
def fold_constants(
    graph: Graph,
    context: Context,
    *,
    clear_output_shapes: bool = True,
    exclude_op: tuple[str, ...] = (),
    exclude_node: tuple[str, ...] = (),
    max_constant_size_in_bytes: int = 10485760,
    max_growth_in_bytes: int | None = None,
    drop_idle_controls: bool = False,
    prune_branches: bool = False,
) -> None:
    """Replace constant expressions by constants named ``<node>/_<k>__cf__<id>``, then strip what no output needs.

    Args:
        clear_output_shapes: drop the ``_output_shapes`` notes first; otherwise they are taken for true, and must agree
            with the graph.
        exclude_op, exclude_node: ops and nodes that are never folded.
        max_constant_size_in_bytes: a larger result stays unfolded; a negative number means no limit.
        max_growth_in_bytes: a result that is this much larger than the constants it is made of stays unfolded.
        drop_idle_controls, prune_branches: run the transform of this name first; the form used before these were
            transforms of their own.

    An op without a kernel, and one that fails on its operands, stays as it is. Inputs must be placeholders; an
    input with a default becomes a plain Placeholder.

    Raises:
        TransformError: an input or output is not in the graph, or an input is not a placeholder or is named twice.
    """
    ends = ends_of(graph, context)
    notes = not clear_output_shapes
    nodes = ConstantNodes(
        graph, ends.fed, ends.roots, excluded_ops=exclude_op, excluded_nodes=exclude_node, notes=notes
    )
    if clear_output_shapes:
        for node in graph:
            node.remove_attr("_output_shapes")
    else:
        nodes.shapes.check_notes()
    if drop_idle_controls:
        drop_controls(nodes)
    if prune_branches:
        prune(graph, context, ends, nodes)
    _Folder(graph, context, ends, nodes).fold(max_constant_size_in_bytes, max_growth_in_bytes)
    _finish(graph, nodes.order, ends)


class _Folder:
    """One run: which values lie at the border of what is constant, and what they are."""

    def __init__(self, graph: Graph, context: Context, ends: Ends, nodes: ConstantNodes) -> None:
        self.graph, self.context, self.nodes = graph, context, nodes
        self.fetched = set(ends.fetched)

    def fold(self, max_bytes: int, max_growth: int | None) -> None:
        """Find the results first; where one cannot be had, try again without it; then put them into the graph."""
        evaluator, refused = self.nodes.evaluator(), self.nodes.refused
        while True:
            constant, before = self.nodes.find(), len(refused)
            results = self._results(constant, evaluator, max_growth)
            if len(refused) == before:
                break
        for node, reason in self.nodes.refused.items():
            self.context.skip(node.name, reason)
        for name in self.nodes.defaults:
            self.context.note(f"'{name}' is not among the inputs: its default value is fixed")
        self._drop_large(results, max_bytes, _MOST_LARGE + _stored(node for node in constant if node.op == "Const"))
        self._replace(results, constant)
        evaluator.finish()

    def _drop_large(self, results: dict[Value, Tensor], max_bytes: int, left: int) -> None:
        """Leave out results of more than `max_bytes`, and those that are large and together more than `left`."""
        for value, tensor in list(results.items()):
            if 0 <= max_bytes < tensor.nbytes:
                reason = f"the result has {tensor.nbytes} bytes, over the limit of {max_bytes}"
            elif tensor.stored_nbytes > left:
                reason = "together the results are too large for a file of this size"
            else:
                left -= tensor.stored_nbytes if tensor.stored_nbytes > _SMALL else 0
                continue
            self.context.skip(value.node.name, reason)
            del results[value]

    def _results(self, constant: Constants, evaluator: Evaluator, max_growth: int | None) -> dict[Value, Tensor]:
        """What can be had of the values that something outside reads; nodes that have none are refused.

        What refused nodes, and those downstream of them, read is looked at too, so that few walks find all of them.
        """
        replaced = self._replaced_sources(constant)
        room = _stored(replaced) if max_growth is not None else 0
        results: dict[Value, Tensor] = {}
        todo = self._border(constant)[::-1]
        seen, lost = set(todo), set[Node]()
        while todo:
            value = todo.pop()
            if value.node in lost:
                continue
            try:
                results[value] = tensor = evaluator.value(value)
                if max_growth is not None:
                    _check_growth(value, tensor, max_growth, replaced, room)
            except CannotFold as problem:
                self.nodes.refused[problem.node] = str(problem)
                more = [each for each in _read_by_lost(problem.node, constant, lost) if each not in seen]
                todo += more
                seen.update(more)
        return results

    def _border(self, constant: Constants) -> list[Value]:
        """The constant values that something outside reads, sorted as the reference names them."""
        found = []
        for node in constant:
            if node.op == "Const" or node.op == "NoOp":
                continue
            for value in node.outputs:
                outside = any(use.node in self.nodes.needed and use.node not in constant for use in value.uses)
                if outside or value in self.fetched:
                    found.append(value)
        return sorted(found, key=lambda value: (value.node.name, value.port))

    def _replaced_sources(self, constant: Constants) -> set[Node]:
        """The Consts that only constant expressions read: a result can take their place in the file, once."""
        consts = (node for node in constant if node.op == "Const")
        return {node for node in consts if all(r in constant for r in node.readers if r in self.nodes.needed)}

    def _replace(self, results: dict[Value, Tensor], constant: Constants) -> None:
        for k, (value, tensor) in enumerate(results.items()):
            uses = [use for use in value.uses if use.node in self.nodes.needed]
            number = self.context.folded
            self.context.folded += 1
            if not uses:
                self.context.skip(value.node.name, "it is an output of the graph and keeps its op")
                continue
            name = self.graph.unique_name(f"{value.node.name}/_{k}__cf__{number}")
            attrs: dict[str, AttrValue] = {"dtype": tensor.dtype, "value": _as_folded(tensor)}
            new = self.graph.add(name, "Const", attrs=attrs, controls=awaited(value.node, constant))
            for use in uses:
                use.node.set_input(use.slot, new.output())


def _read_by_lost(refused: Node, constant: Constants, lost: set[Node]) -> list[Value]:
    """What a refused node, and the constant nodes downstream of it, read of others; all these become `lost`."""
    new = {refused: None}  # in order, for what is looked at first may use up what may be computed
    todo = [refused]
    while todo:
        more = [each for each in todo.pop().data_readers if each in constant and each not in lost and each not in new]
        new.update(dict.fromkeys(more))
        todo += more
    lost.update(new)
    read = dict.fromkeys(value for node in new for value in node.inputs)
    return [value for value in read if value.node in constant and value.node not in lost and value.node.op != "Const"]


def _as_folded(tensor: Tensor) -> Tensor:
    # The reference writes out one element and stores several raw, and merges equal constants of one encoding only.
    listed = tensor.size <= 1
    if tensor.listed is not listed:
        tensor = copy(tensor)
        tensor.listed = listed
    return tensor


def _check_growth(value: Value, result: Tensor, max_growth: int, replaced: set[Node], room: int) -> None:
    """Raise CannotFold unless `result` is small, or takes the place of Consts that nothing else has `replaced` yet.

    Args:
        room: bytes of all Consts that can be replaced at all.
    """
    growth = result.stored_nbytes
    if growth <= max_growth:
        return
    sources = _sources(value.node, replaced) if growth - room <= max_growth else set()
    growth -= _stored(sources)
    if growth > max_growth:
        raise CannotFold(value.node, f"the file would grow by {growth} bytes")
    replaced -= sources


def _sources(node: Node, replaced: set[Node]) -> set[Node]:
    """Those of `replaced` that a constant expression is made of."""
    todo, seen = [node], {node}
    while todo:
        node = todo.pop()
        if node not in replaced and node.op not in SHAPES:
            more = {value.node for value in node.inputs} - seen
            todo += more
            seen |= more
    return seen & replaced


def _stored(nodes: Iterable[Node]) -> int:
    return sum(node.tensor().stored_nbytes for node in nodes)


def _finish(graph: Graph, order: Sequence[Node], ends: Ends) -> None:
    """Keep what the outputs need and the inputs, in the reference's order: inputs that nothing else needs come last."""
    live = needed(graph, frozenset(ends.roots), frozenset(ends.fed))
    inputs = [value.node for value in ends.fed]
    known = set(order)
    made = [node for node in graph if node not in known]
    kept = [node for node in [*order, *made] if node in live]
    kept += [node for node in dict.fromkeys(inputs) if node not in live]
    alive = set(kept)
    for node in dict.fromkeys(inputs):
        if node.op == "PlaceholderWithDefault":
            _drop_default(node)
        else:
            node.set_controls(control for control in node.controls if control in alive)
    graph.erase(node for node in graph if node not in alive)
    graph.reorder(kept)


def _drop_default(node: Node) -> None:
    attrs = {"dtype": node.dtype_attr("dtype"), "shape": node.shape_attr("shape")}
    if attrs["shape"] == Shape():
        del attrs["shape"]
    node.become("Placeholder", attrs={k: v for k, v in attrs.items() if v is not None}, device=node.device)
