"""Forget on which device each node was placed.

Before::  x @/gpu:0 ─► MatMul @/job:worker/cpu:0 ─► y
After::   x ─► MatMul ─► y

Colocations in ``_class`` stay.
"""

from __future__ import annotations

from pbslim.ir import Graph
from pbslim.passes.registry import Context, transform


@transform(effect="annotates", in_functions=True)
def remove_device(graph: Graph, context: Context) -> None:  # noqa: ARG001
    """Clear the device of every node."""
    for node in graph:
        node.set_device("")
