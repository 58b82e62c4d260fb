"""Merge nodes that compute the same from the same.

Before::  x ─► Relu₁ ─► Add,  x ─► Relu₂ ─► Add
After::   x ─► Relu₁ ═► Add
"""

from __future__ import annotations

from pbslim import ops
from pbslim.ir import Graph, Node
from pbslim.ir.order import execution_order
from pbslim.passes.registry import Context, transform
from pbslim.transforms.shared.fingerprints import Fingerprints

_NEVER = frozenset({"Placeholder", "PlaceholderV2", "PlaceholderWithDefault"})


@transform(effect="exact", in_functions=True)
def merge_duplicate_nodes(graph: Graph, context: Context) -> None:
    """Keep one of several nodes with equal op, inputs, control inputs, device and attributes.

    Inputs and outputs of the graph, placeholders and stateful ops are never merged. The first one in the file stays.
    """
    fingerprints = Fingerprints()
    place = {node: i for i, node in enumerate(graph)}
    merged = True
    while merged:
        merged = False
        first: dict[object, Node] = {}
        for node in execution_order(graph):
            if node.name in context.protected or not _mergeable(node, context):
                continue
            inputs = tuple(node.inputs)
            key = (node.op, node.device, inputs, frozenset(node.controls), fingerprints.of_attributes(node))
            other = first.setdefault(key, node)
            if other is node:
                continue
            keep, drop = sorted((other, node), key=place.__getitem__)
            first[key] = keep
            for value in drop.outputs:
                value.replace_all_uses_with(keep.output(value.port))
            drop.replace_control_uses_with([keep])
            graph.erase([drop])
            merged = True


def _mergeable(node: Node, context: Context) -> bool:
    if node.op in _NEVER:
        return False
    definition = ops.find(node.op)
    if definition is None:
        context.skip(node.name, f"op '{node.op}' is not known, so it may have side effects")
        return False
    return not definition.is_stateful
