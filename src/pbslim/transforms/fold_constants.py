"""Compute once what depends on constants alone, and drop what is no longer needed.

Before::  variance ─► Add(ε) ─► Rsqrt ─► Mul(gamma) ─► Mul ─► y,  x ─► Mul
After::   folded (Const) ─► Mul ─► y,  x ─► Mul

The shape of a tensor counts as constant where it is known without running the graph.
"""

from __future__ import annotations

from collections.abc import Iterable
from copy import copy

from pbslim import ops
from pbslim.analysis.evaluation import CannotFold, Evaluator
from pbslim.analysis.static_shapes import StaticShapes
from pbslim.dtypes import Shape
from pbslim.errors import TransformError
from pbslim.ir import AttrValue, Graph, Node, Tensor, Value
from pbslim.ir.order import file_order
from pbslim.kernels import has_kernel
from pbslim.ops.families import CONTROL_FLOW, FEEDABLE, PLACEHOLDERS, SHAPES
from pbslim.passes.registry import Context, transform
from pbslim.transforms.control_flow.branches import PREDICATES, Undecidable, take_branches


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
        clear_output_shapes: drop the ``_output_shapes`` notes first; otherwise they must agree with the graph.
        exclude_op, exclude_node: ops and nodes that are never folded.
        max_constant_size_in_bytes: a larger result stays unfolded; a negative number is no limit.
        max_growth_in_bytes: a result that is this much larger than the constants it is made of stays unfolded.
        drop_idle_controls: drop control edges from constants that wait for nothing themselves. They have no effect,
            but keep constants in the file that nothing else needs (TensorFlow 2 exports have one for each weight).
        prune_branches: where the predicate of a Switch or If is constant, keep only the branch that is taken.

    An op without a kernel, and one that fails on its operands, stays as it is. Inputs must be placeholders; an
    input with a default becomes a plain Placeholder.

    Raises:
        TransformError: an input or output is not in the graph, or an input is no placeholder or named twice.
    """
    if twice := next((name for k, name in enumerate(context.inputs) if name in context.inputs[:k]), None):
        raise TransformError(f"input '{twice}' is named twice")
    fed = [_endpoint(graph, name, "input") for name in context.inputs]
    fetched = [_endpoint(graph, name, "output") for name in context.outputs]
    kept = [graph[name] for name in context.kept]
    _check_endpoints(fed, fetched, kept)
    order = file_order(graph)
    shapes = StaticShapes(graph)
    if clear_output_shapes:
        for node in graph:
            node.remove_attr("_output_shapes")
    else:
        shapes.check_notes()
    roots = [*(value.node for value in fetched), *kept]
    folder = _Folder(graph, context, fed, fetched, roots, order, shapes)
    folder.excluded_ops, folder.excluded_nodes = frozenset(exclude_op), set(exclude_node)
    if drop_idle_controls:
        folder.drop_idle_controls()
    if prune_branches:
        order = folder.prune_branches(order)
    folder.fold(max_constant_size_in_bytes, max_growth_in_bytes)
    _finish(graph, order, [value.node for value in fed], roots, set(fed))


def _endpoint(graph: Graph, text: str, what: str) -> Value:
    name, _, port = text.rpartition(":")
    if not (name and port.isdigit()):
        name, port = text, "0"
    node = graph.get(name)
    if node is None:
        raise TransformError(f"{what} '{text}' is not in the graph")
    ports = ops.output_ports(node.op, node.attrs)
    count = None if ports is None else sum(count for _, count in ports.values())
    if count is not None and int(port) >= count:
        raise TransformError(f"{what} '{text}': {node.op} has {count} {'output' if count == 1 else 'outputs'}")
    return node.output(int(port))


def _check_endpoints(fed: list[Value], fetched: list[Value], kept: list[Node]) -> None:
    if not fetched and not kept:
        raise TransformError("no outputs are given, so nothing would be left; name them with --outputs")
    for value in fed:
        if value in fetched:
            raise TransformError(f"'{value.name}' is both an input and an output")
        if value.node.op not in FEEDABLE:
            raise TransformError(
                f"input '{value.name}' is a {value.node.op}, not a Placeholder; run strip_unused_nodes before"
            )


def _needed(roots: Iterable[Node], fed: set[Value]) -> set[Node]:
    """What these nodes need, not looking past fed values."""
    cut = {value.node for value in fed}
    found: set[Node] = set()
    todo = list(roots)
    while todo:
        node = todo.pop()
        if node in found:
            continue
        found.add(node)
        todo += [value.node for value in node.inputs if value not in fed]
        todo += [control for control in node.controls if not (control in cut and control.op in PLACEHOLDERS)]
    return found


class _Folder:
    """One run: which nodes are constant, which of them lie at the border, and what they wait for."""

    excluded_ops: frozenset[str] = frozenset()
    excluded_nodes: set[str]

    def __init__(
        self,
        graph: Graph,
        context: Context,
        fed: list[Value],
        fetched: list[Value],
        roots: list[Node],
        order: list[Node],
        shapes: StaticShapes,
    ) -> None:
        self.graph, self.context, self.shapes = graph, context, shapes
        self.fed, self.fetched, self.roots = set(fed), set(fetched), roots
        self.refused: dict[Node, str] = {}
        self._restrict(order)

    def _restrict(self, order: list[Node]) -> None:
        self.needed = _needed(self.roots, self.fed)
        self.order = [node for node in order if node in self.needed]

    def drop_idle_controls(self) -> None:
        """Forget control edges from constant nodes that wait for nothing that is not constant."""
        if not any(node.controls for node in self.order):
            return
        constant = self._constant_nodes()
        for node in self.order:
            node.set_controls(control for control in node.controls if constant.get(control) != {})
        self._restrict(self.order)

    def prune_branches(self, order: list[Node]) -> list[Node]:
        """Keep only the branches that constant predicates take, inner ones too; gives the new order."""
        done: set[Node] = set()
        while taken := self._decided(done):
            roots = {*self.fetched, *(node.output() for node in self.roots)}
            try:
                take_branches(self.graph, taken, {value.node for value in self.fed}, roots)
            except Undecidable as problem:
                self.context.skip(problem.node.name, str(problem))
                break
            done.update(taken)
            order, self.shapes = file_order(self.graph), StaticShapes(self.graph)
            self._restrict(order)
        return order

    def _decided(self, done: set[Node]) -> dict[Node, bool]:
        """The nodes with a constant predicate, and its value."""
        if not any(node.op in PREDICATES for node in self.order):
            return {}
        constant, evaluator = self._constant_nodes(), Evaluator(self.shapes)
        found = {}
        for node in self.order:
            slot = PREDICATES.get(node.op, len(node.inputs))
            if slot >= len(node.inputs) or node in done:
                continue
            if node.op == "Switch" and any(value in self.fetched for value in node.outputs):
                continue
            if node.inputs[slot].node not in constant:
                continue
            try:
                tensor = evaluator.value(node.inputs[slot])
            except CannotFold as problem:
                self.context.skip(node.name, f"its predicate is not known: {problem}")
                continue
            if tensor.shape == () and tensor.dtype.scalar is not None:
                found[node] = bool(tensor.numpy())
        return found

    def fold(self, max_bytes: int, max_growth: int | None) -> None:
        """Find the results first; where one cannot be had, try again without it; then put them into the graph."""
        evaluator = Evaluator(self.shapes)
        while True:
            constant = self._constant_nodes()
            replaced = self._replaced_sources(constant)
            results: dict[Value, Tensor] = {}
            failed = False
            for value in self._border(constant):
                try:
                    tensor = evaluator.value(value)
                    if max_growth is not None:
                        _check_growth(value, tensor, max_growth, replaced)
                except CannotFold as problem:
                    self.refused[problem.node] = str(problem)
                    failed = True
                    continue
                if 0 <= max_bytes < tensor.nbytes:
                    reason = f"the result has {tensor.nbytes} bytes, over the limit of {max_bytes}"
                    self.context.skip(value.node.name, reason)
                    continue
                results[value] = tensor
            if not failed:
                break
        for node, reason in self.refused.items():
            self.context.skip(node.name, reason)
        self._replace(results, constant)

    def _constant_nodes(self) -> dict[Node, dict[Node, None]]:
        """Each constant node, with the nodes that are not and that it waits for."""
        constant: dict[Node, dict[Node, None]] = {}
        for node in self.order:
            if not self._is_constant(node, constant):
                continue
            waits: dict[Node, None] = {}
            for producer in node.producers:
                waits.update(constant.get(producer, {producer: None}))
            constant[node] = waits
        return constant

    def _is_constant(self, node: Node, constant: dict[Node, dict[Node, None]]) -> bool:
        if any(value in self.fed for value in node.outputs) or node in self.refused:
            return False
        if node.op == "Const":
            return True
        if node.op in SHAPES:
            return self.shapes.knows_result(node)
        if node.op in self.excluded_ops or node.name in self.excluded_nodes:
            return False
        if node.op in CONTROL_FLOW or node.op in PLACEHOLDERS or not node.op:
            return False
        if any(value in self.fed or value.node not in constant for value in node.inputs):
            return False
        if node.op == "NoOp":
            return True
        return self._can_run(node)

    def _can_run(self, node: Node) -> bool:
        if node.op == "PlaceholderWithDefault":
            self.context.note(f"'{node.name}' is not among the inputs: its default value is fixed")
            return True
        definition = ops.find(node.op)
        if definition is not None and definition.is_stateful:
            return False
        if not has_kernel(node.op):
            self.refused[node] = f"there is no kernel for op {node.op}"
            return False
        return True

    def _border(self, constant: dict[Node, dict[Node, None]]) -> list[Value]:
        """The constant values that something outside reads, sorted as the reference names them."""
        found = []
        for node in constant:
            if node.op == "Const" or node.op == "NoOp":
                continue
            for value in node.outputs:
                outside = any(use.node in self.needed and use.node not in constant for use in value.uses)
                if outside or value in self.fetched:
                    found.append(value)
        return sorted(found, key=lambda value: (value.node.name, value.port))

    def _replaced_sources(self, constant: dict[Node, dict[Node, None]]) -> set[Node]:
        """The Consts that only constant expressions read: a result can take their place in the file, once."""
        consts = (node for node in constant if node.op == "Const")
        return {node for node in consts if all(r in constant for r in node.readers if r in self.needed)}

    def _replace(self, results: dict[Value, Tensor], constant: dict[Node, dict[Node, None]]) -> None:
        for k, (value, tensor) in enumerate(results.items()):
            uses = [use for use in value.uses if use.node in self.needed]
            number = self.context.folded
            self.context.folded += 1
            if not uses:
                self.context.skip(value.node.name, "it is an output of the graph and keeps its op")
                continue
            name = self.graph.unique_name(f"{value.node.name}/_{k}__cf__{number}")
            attrs: dict[str, AttrValue] = {"dtype": tensor.dtype, "value": _as_folded(tensor)}
            new = self.graph.add(name, "Const", attrs=attrs, controls=constant[value.node])
            for use in uses:
                use.node.set_input(use.slot, new.output())


def _as_folded(tensor: Tensor) -> Tensor:
    # The reference spells out one element and stores several raw, and merges equal constants of one encoding only.
    listed = tensor.size <= 1
    if tensor.listed is not listed:
        tensor = copy(tensor)
        tensor.listed = listed
    return tensor


def _check_growth(value: Value, result: Tensor, max_growth: int, replaced: set[Node]) -> None:
    sources: dict[Node, None] = {}
    todo = [value.node]
    seen: set[Node] = set()
    while todo:
        node = todo.pop()
        if node in seen:
            continue
        seen.add(node)
        if node in replaced:
            sources[node] = None
        elif node.op not in SHAPES:
            todo += [v.node for v in node.inputs]
    growth = result.stored_nbytes - sum(node.tensor().stored_nbytes for node in sources)
    if growth > max_growth:
        raise CannotFold(value.node, f"the file would grow by {growth} bytes")
    replaced.difference_update(sources)


def _finish(graph: Graph, order: list[Node], inputs: list[Node], roots: list[Node], fed: set[Value]) -> None:
    """Keep what the outputs need and the inputs, in the reference's order: inputs that nothing else needs come last."""
    live = _needed(roots, fed)
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
