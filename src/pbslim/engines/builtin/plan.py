"""Which nodes must run for some fetches, and in which order."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence

from pbslim.engines.protocol import Unsupported, find_value
from pbslim.ir import Graph, Node, Value
from pbslim.ir.order import check_inputs, file_order
from pbslim.kernels import has_kernel
from pbslim.ops.families import PLACEHOLDERS

_NO_KERNEL = frozenset({"NoOp", "Const", *PLACEHOLDERS})


def needed_nodes(fetched: Iterable[Value], fed: Collection[Value] = ()) -> set[Node]:
    """What must run for `fetched`, by data and control edges, not looking past values that are fed."""
    found: set[Node] = set()
    todo = [value.node for value in fetched if value not in fed]
    while todo:
        node = todo.pop()
        if node not in found:
            found.add(node)
            todo += [value.node for value in node.inputs if value not in fed]
            todo += [control for control in node.controls if control.output() not in fed]
    return found


def order_of(graph: Graph, needed: Collection[Node]) -> list[Node]:
    """The needed nodes, each after those it reads.

    Raises:
        GraphError: the graph has a cycle, or a node reads one that is missing.
    """
    check_inputs(graph)
    return [node for node in file_order(graph) if node in needed]


def find_unsupported(graph: Graph, fetches: Sequence[str]) -> list[Unsupported]:
    """The nodes that `fetches` need and that no kernel here computes."""
    needed = needed_nodes(find_value(graph, name) for name in fetches)
    return [
        Unsupported(node.name, node.op, "there is no kernel for this op")
        for node in graph
        if node in needed and not has_kernel(node.op) and node.op not in _NO_KERNEL
    ]
