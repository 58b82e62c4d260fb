"""Give all nodes of one op another op.

Before::  m = Mul(a, b)
After::   m = Multiply(a, b)        (old_op_name=Mul, new_op_name=Multiply)

For runtimes that know an op under another name. Whether the new op exists is not checked.
"""

from __future__ import annotations

from pbslim.ir import Graph
from pbslim.passes.registry import Context, transform


@transform(effect="annotates", in_functions=True)
def rename_op(graph: Graph, context: Context, *, old_op_name: str, new_op_name: str) -> None:
    """Turn each node of op `old_op_name` into one of `new_op_name`; inputs and attributes stay."""
    found = [node for node in graph if node.op == old_op_name]
    if not found:
        context.note(f"no node is of op '{old_op_name}'")
    for node in found:
        node.set_op(new_op_name)
