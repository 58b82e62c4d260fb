"""Remove an attribute from all nodes, or from those of one op.

Before::  m = Mul(a, b) {T=float, _output_shapes=[…]}
After::   m = Mul(a, b) {T=float}
"""

from __future__ import annotations

from pbslim.ir import Graph
from pbslim.passes.registry import Context, transform


@transform(effect="annotates", in_functions=True)
def remove_attribute(graph: Graph, context: Context, *, attribute_name: str, op_name: str = "*") -> None:  # noqa: ARG001
    """Remove `attribute_name` from the nodes of op `op_name` (``"*"``: of every op)."""
    for node in graph:
        if op_name in ("*", node.op):
            node.remove_attr(attribute_name)
