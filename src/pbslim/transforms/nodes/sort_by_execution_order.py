"""Put the nodes into an order in which each comes after those it reads.

Before::  y = Relu(m); m = Mul(x, w); x = Placeholder(); w = Const()
After::   w = Const(); x = Placeholder(); m = Mul(x, w); y = Relu(m)
"""

from __future__ import annotations

from pbslim.ir import Graph
from pbslim.ir.order import check, execution_order
from pbslim.passes.registry import Context, transform


@transform(effect="exact")
def sort_by_execution_order(graph: Graph, context: Context) -> None:  # noqa: ARG001
    """Sort the graph; of the nodes that are ready the last one goes first, as in the reference tool."""
    check(graph)
    graph.reorder(execution_order(graph))
