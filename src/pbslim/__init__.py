"""pbslim: make frozen TensorFlow graphs small, without TensorFlow.

>>> import pbslim
>>> graph = pbslim.load("model.pb")
>>> pbslim.transform(graph, "strip_unused_nodes fold_constants", inputs=["x"], outputs=["y"])
>>> pbslim.save(graph, "smaller.pb")
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from pbslim._version import __version__

if TYPE_CHECKING:
    from pbslim.analysis.compatibility import offenders
    from pbslim.analysis.diff import diff
    from pbslim.analysis.inventory import op_inventory
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
    from pbslim.legacy.compare_graphs import compare_graphs
    from pbslim.legacy.graph_to_dot import graph_to_dot
    from pbslim.legacy.print_selective_registration_header import selective_registration_header
    from pbslim.legacy.summarize_graph import summarize_graph

__all__ = [
    "Graph",
    "TransformGraph",
    "__version__",
    "compare_graphs",
    "convert_graphdef_memmapped_format",
    "diff",
    "graph_to_dot",
    "load",
    "offenders",
    "op_inventory",
    "optimize_for_inference",
    "quantize_graph",
    "save",
    "selective_registration_header",
    "shrink",
    "strip_unused",
    "summarize_graph",
    "transform",
    "unmap",
    "verify",
]

_ONLY_LOOK = {
    "compare_graphs": "legacy.compare_graphs",
    "diff": "analysis.diff",
    "graph_to_dot": "legacy.graph_to_dot",
    "offenders": "analysis.compatibility",
    "op_inventory": "analysis.inventory",
    "selective_registration_header": "legacy.print_selective_registration_header",
    "summarize_graph": "legacy.summarize_graph",
}


def __getattr__(name: str) -> Any:
    # The command line must start at once, so numpy and protobuf are loaded by the first use.
    if name not in __all__:
        raise AttributeError(f"module 'pbslim' has no attribute '{name}'")
    if name in _ONLY_LOOK:
        return getattr(import_module(f"pbslim.{_ONLY_LOOK[name]}"), name)
    from pbslim import api

    return getattr(api, name)
