"""Ask for a device on which the nodes are to run.

Before::  x ─► MatMul @/gpu:0 ─► y
After::   x @/cpu:0 ─► MatMul @/cpu:0 ─► y @/cpu:0        (device="/cpu:0")

Colocations in ``_class`` stay.
"""

from __future__ import annotations

from pbslim.ir import Graph
from pbslim.passes.registry import Context, transform


@transform(effect="annotates", in_functions=True)
def set_device(graph: Graph, context: Context, *, device: str = "", if_default: bool = False) -> None:  # noqa: ARG001
    """Set the device of every node to `device`, or with `if_default` only of those that have none.

    The name is not checked; quote it for its colon. Without `device` all devices are cleared.
    """
    for node in graph:
        if not (if_default and node.device):
            node.set_device(device)
