"""Not supported: move nodes into one that a Hexagon processor runs.

Before::  x ─► Conv2D ─► Relu ─► y
After::   x ─► RemoteFusedGraphExecute{Conv2D, Relu} ─► y
"""

from __future__ import annotations

from typing import NoReturn

from pbslim.errors import TransformError
from pbslim.ir import Graph
from pbslim.passes.registry import Context, transform


@transform(effect="annotates")
def fuse_remote_graph(graph: Graph, context: Context, /, **parameters: str) -> NoReturn:  # noqa: ARG001
    """Refuse, whatever the parameters.

    Raises:
        TransformError: always.
    """
    raise TransformError(
        "not supported, because only TensorFlow builds with an executor for the processor run its result, "
        "and none is released any more; leave it out"
    )
