"""pbslim: make frozen TensorFlow graphs small, without TensorFlow.

>>> import pbslim
>>> graph = pbslim.load("model.pb")
>>> pbslim.transform(graph, "strip_unused_nodes fold_constants", inputs=["x"], outputs=["y"])
>>> pbslim.save(graph, "smaller.pb")
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pbslim._version import __version__

if TYPE_CHECKING:
    from pbslim.api import (
        Graph,
        TransformGraph,
        convert_graphdef_memmapped_format,
        load,
        optimize_for_inference,
        quantize_graph,
        save,
        shrink,
        strip_unused,
        transform,
        unmap,
        verify,
    )

__all__ = [
    "Graph",
    "TransformGraph",
    "__version__",
    "convert_graphdef_memmapped_format",
    "load",
    "optimize_for_inference",
    "quantize_graph",
    "save",
    "shrink",
    "strip_unused",
    "transform",
    "unmap",
    "verify",
]


def __getattr__(name: str) -> Any:
    # The command line must start at once, so numpy and protobuf are loaded by the first use.
    if name in __all__:
        from pbslim import api

        return getattr(api, name)
    raise AttributeError(f"module 'pbslim' has no attribute '{name}'")
