"""Not supported: mark the nodes that a Hexagon processor is to run.

Before::  x ─► Conv2D ─► y
After::   x {…=1} ─► Conv2D {_remote_fused_graph_node_type=3} ─► y {…=2}
"""

from __future__ import annotations

from typing import NoReturn

from pbslim.errors import TransformError
from pbslim.ir import Graph
from pbslim.passes.registry import Context, transform


@transform(effect="annotates")
def place_remote_graph_arguments(graph: Graph, context: Context, /, **parameters: str) -> NoReturn:  # noqa: ARG001
    """Refuse, whatever the parameters.

    Raises:
        TransformError: always.
    """
    raise TransformError(
        "not supported, because its marks are for fuse_remote_graph alone, which is not supported either; leave it out"
    )
