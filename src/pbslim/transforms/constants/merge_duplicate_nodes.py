"""Merge nodes that compute the same from the same.

Before::  x ─► Relu₁ ─► Add,  x ─► Relu₂ ─► Add
After::   x ─► Relu₁ ═► Add
"""

from __future__ import annotations

from pbslim import ops
from pbslim.analysis.content_keys import ContentKeys
from pbslim.ir import Graph, Node
from pbslim.ir.order import execution_order
from pbslim.ops.families import FEEDABLE
from pbslim.passes.registry import Context, transform


@transform(effect="exact", in_functions=True)
def merge_duplicate_nodes(graph: Graph, context: Context) -> None:
    """Keep one of several nodes with equal op, inputs, control inputs, device and attributes.

    Inputs and outputs of the graph, placeholders and stateful ops are never merged. The first one in the file stays.
    """
    keys, protected = ContentKeys(), context.protected
    contents: dict[Node, object] = {
        node: (node.op, node.device, keys.of_attributes(node))
        for node in graph
        if node.name not in protected and _mergeable(node, context)
    }
    while _merge_once(graph, contents):
        pass  # only a loop needs a second round, for what flows back into it


def _merge_once(graph: Graph, contents: dict[Node, object]) -> bool:
    place = {node: i for i, node in enumerate(graph)}
    first: dict[object, Node] = {}
    same: dict[Node, Node] = {}  # each node → the first that turned out to be the same
    groups: dict[Node, list[Node]] = {}
    for node in execution_order(graph):
        if node not in contents:
            continue
        inputs = tuple((same.get(value.node, value.node), value.port) for value in node.inputs)
        controls = frozenset(same.get(control, control) for control in node.controls)
        other = first.setdefault((contents[node], inputs, controls), node)
        if other is not node:
            same[node] = other
            groups.setdefault(other, [other]).append(node)
    dropped: list[Node] = []
    for group in groups.values():
        keep, *others = sorted(group, key=place.__getitem__)
        dropped += others
        for drop in others:
            for value in drop.outputs:
                value.replace_all_uses_with(keep.output(value.port))
            drop.replace_control_uses_with([keep])
    graph.erase(dropped)
    return bool(dropped)


def _mergeable(node: Node, context: Context) -> bool:
    if node.op in FEEDABLE:
        return False
    definition = ops.find(node.op)
    if definition is None:
        context.skip(node.name, f"op '{node.op}' is not known, so it may have side effects")
        return False
    return not definition.is_stateful
