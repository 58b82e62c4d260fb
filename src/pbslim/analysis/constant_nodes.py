"""Which nodes of a graph always give the same values, whatever is fed."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Set

from pbslim import ops
from pbslim.analysis.evaluation import Evaluator
from pbslim.analysis.results import ResultStore
from pbslim.analysis.static_shapes import static_shapes
from pbslim.ir import Graph, Node, Value
from pbslim.ir.facts import fact
from pbslim.ir.order import file_order
from pbslim.kernels import has_kernel
from pbslim.ops.families import CONTROL_FLOW, PLACEHOLDERS, SHAPES

Constants = dict[Node, bool]
"""Each constant node → whether it waits for a node that is not."""


@fact
def needed(graph: Graph, roots: frozenset[Node], fed: frozenset[Value]) -> Set[Node]:  # noqa: ARG001 - of this graph
    """What `roots` need, not looking past fed values."""
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


def awaited(node: Node, constant: Constants) -> list[Node]:
    """The nodes that are not constant and that a constant node waits for."""
    found: dict[Node, None] = {}
    todo, seen = [node] if constant[node] else [], {node}
    while todo:
        for producer in todo.pop().producers:
            if producer not in constant:
                found[producer] = None
            elif constant[producer] and producer not in seen:
                seen.add(producer)
                todo.append(producer)
    return list(found)


class ConstantNodes:
    """The constant nodes among those that `roots` need when `fed` are given from outside.

    Args:
        excluded_ops, excluded_nodes: ops and names of nodes that never count as constant.
        notes: take the shapes in ``_output_shapes`` for true as well.

    Attributes:
        order: all nodes of the graph, each after those that it reads.
        needed: those that `roots` need.
        refused: nodes whose inputs are constant and that cannot be computed, and why; callers add what they find.
        defaults: names of placeholders that are not fed and so have their default.

    Raises:
        GraphError: the graph has a cycle that is not a loop.
    """

    def __init__(
        self,
        graph: Graph,
        fed: Iterable[Value],
        roots: Iterable[Node],
        *,
        excluded_ops: Collection[str] = (),
        excluded_nodes: Collection[str] = (),
        notes: bool = False,
    ) -> None:
        self._graph, self.fed, self.roots = graph, frozenset(fed), frozenset(roots)
        self._excluded_ops, self._excluded_nodes = frozenset(excluded_ops), frozenset(excluded_nodes)
        self._store, self._notes = ResultStore(), notes
        self.refused: dict[Node, str] = {}
        self.defaults: dict[str, None] = {}
        self.refresh()

    def refresh(self) -> None:
        """Look at the graph anew after nodes have changed."""
        self.shapes, self.order = static_shapes(self._graph, self._notes), file_order(self._graph)
        self.restrict()

    def restrict(self) -> None:
        """Find anew which nodes are needed, after edges have gone."""
        self.needed = needed(self._graph, self.roots, self.fed)

    def find(self) -> Constants:
        """The constant nodes, in order."""
        constant: Constants = {}
        for node in self.order:
            if node in self.needed and self._is_constant(node, constant):
                constant[node] = any(constant.get(producer, True) for producer in node.producers)
        return constant

    def evaluator(self) -> Evaluator:
        """What computes their values; all that come from here share what they computed."""
        return Evaluator(self.shapes, self._store)

    def _is_constant(self, node: Node, constant: Constants) -> bool:
        if node.inputs and node.inputs[0].node not in constant and node.op not in SHAPES:
            return False  # most nodes
        if any(value in self.fed for value in node.outputs) or node in self.refused:
            return False
        if node.op == "Const":
            return True
        if node.op in SHAPES:
            return self.shapes.knows_result(node)
        if node.op in self._excluded_ops or node.name in self._excluded_nodes:
            return False
        if node.op in CONTROL_FLOW or node.op in PLACEHOLDERS or not node.op:
            return False
        if any(value in self.fed or value.node not in constant for value in node.inputs):
            return False
        return node.op == "NoOp" or self._can_run(node)

    def _can_run(self, node: Node) -> bool:
        if node.op == "PlaceholderWithDefault":
            self.defaults[node.name] = None
            return True
        definition = ops.find(node.op)
        if definition is not None and definition.is_stateful:
            return False
        if not has_kernel(node.op):
            self.refused[node] = f"there is no kernel for op {node.op}"
            return False
        return True
