"""Loops of the old kind, in which every value belongs to a frame."""

from __future__ import annotations

from pbslim.ir import Graph, Node
from pbslim.ir.order import file_order
from pbslim.ops.families import ENTERS, EXITS


def in_loops(graph: Graph) -> set[Node]:
    """The nodes that run once for each turn of a loop; a constant among them needs a control edge from another.

    Raises:
        GraphError: the graph has a cycle that is not a loop.
    """
    depth: dict[Node, int] = {}
    for node in file_order(graph):
        outside = max((depth.get(producer, 0) for producer in node.producers), default=0)
        depth[node] = outside + (node.op in ENTERS) - (node.op in EXITS)
    return {node for node, loops in depth.items() if loops}
