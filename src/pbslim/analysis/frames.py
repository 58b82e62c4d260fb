"""Loops and branches of the first kind of control flow, in which every value belongs to a frame."""

from __future__ import annotations

from pbslim.ir import Graph, Node
from pbslim.ir.order import ancestors, file_order
from pbslim.ops.families import ENTERS, EXITS, PLACES


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


def frame_controls(node: Node) -> tuple[Node, ...]:
    """The control inputs that a constant's replacement needs.

    The reference drops them all. Those from a loop or branch hold the constant in its frame and must stay.
    """
    return node.controls if any(other.op in PLACES for other in ancestors(node.controls)) else ()


def has_frames(graph: Graph) -> bool:
    """Whether there are loops or branches of the old kind, in which a control edge can hold a node in its place."""
    return any(node.op in PLACES for node in graph)
