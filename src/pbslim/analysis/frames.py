"""Loops and branches of the first kind of control flow, in which every value belongs to a frame."""

from __future__ import annotations

from collections.abc import Mapping

from pbslim.ir import Graph, Node, Value
from pbslim.ir.facts import has_ops
from pbslim.ir.order import ancestors, file_order
from pbslim.ops.families import ENTERS, EXITS, MERGES, PLACES, SWITCHES

_SWITCH_INPUTS = 2


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


def conditional(graph: Graph) -> set[Node]:
    """The nodes that do not run exactly once in each run: those in loops, and in branches that may not be taken.

    Where branches meet again in a Merge, and after the Exit of a loop, nothing is conditional that was not before.

    Raises:
        GraphError: the graph has a cycle that is not a loop.
    """
    depth: dict[Node, int] = {}
    conditions: dict[Node, frozenset[tuple[int, Node, int]]] = {}  # depth of the loop, who decides, which branch
    for node in file_order(graph) if has_frames(graph) else ():
        inner = max((depth[producer] for producer in node.producers if producer in depth), default=0)
        depth[node] = inner + (node.op in ENTERS) - (node.op in EXITS)
        branches = [_conditions(value, conditions, depth) for value in node.inputs if value.node in conditions]
        reached = frozenset.intersection(*branches) if node.op in MERGES and branches else frozenset().union(*branches)
        found = reached.union(*(conditions[control] for control in node.controls if control in conditions))
        conditions[node] = frozenset(each for each in found if node.op not in EXITS or each[0] < inner)
    return {node for node, found in conditions.items() if found or depth[node]}


def _conditions(
    value: Value, conditions: Mapping[Node, frozenset[tuple[int, Node, int]]], depth: Mapping[Node, int]
) -> frozenset[tuple[int, Node, int]]:
    node = value.node
    if node.op not in SWITCHES or len(node.inputs) < _SWITCH_INPUTS:
        return conditions[node]
    return conditions[node] | {(depth[node], decider(node.inputs[1]), value.port)}


def decider(predicate: Value) -> Node:
    """The node that decides; each Switch may read it through an Identity of its own."""
    seen: set[Node] = set()
    while predicate.node.op == "Identity" and predicate.node.inputs and predicate.node not in seen:
        seen.add(predicate.node)
        predicate = predicate.node.inputs[0]
    return predicate.node


def frame_controls(node: Node) -> tuple[Node, ...]:
    """The control inputs that a constant's replacement needs.

    The reference drops them all. Those from a loop or branch hold the constant in its frame and must stay.
    """
    return node.controls if any(other.op in PLACES for other in ancestors(node.controls)) else ()


def has_frames(graph: Graph) -> bool:
    """Whether there are loops or branches of the old kind, in which a control edge can hold a node in its place."""
    return has_ops(graph, PLACES)
