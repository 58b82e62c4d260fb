"""Turn each ConcatV2 into the Concat of old runtimes, which takes the axis first.

Before::  ConcatV2(a, b, axis) {N=2, T=float, Tidx=int32}
After::   Concat(axis, a, b) {N=2, T=float}
"""

from __future__ import annotations

from pbslim.dtypes import INT32
from pbslim.ir import Graph
from pbslim.passes.registry import Context, transform


@transform(effect="exact", in_functions=True)
def backport_concatv2(graph: Graph, context: Context) -> None:
    """Replace every ConcatV2 whose axis is int32: Concat supports no other."""
    for node in graph:
        if node.op != "ConcatV2":
            continue
        if not node.inputs:
            context.skip(node.name, "it has no inputs")
            continue
        if node.dtype_attr("Tidx", INT32) is not INT32:
            context.skip(node.name, f"its axis is {node.dtype_attr('Tidx')}, and Concat takes int32 only")
            continue
        *values, axis = node.inputs
        node.set_op("Concat")
        node.set_inputs([axis, *values])
        node.remove_attr("Tidx")
