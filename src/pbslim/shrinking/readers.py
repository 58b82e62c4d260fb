"""Make a graph fit for an older TensorFlow that is to read it, as far as that changes nothing."""

from __future__ import annotations

from collections import Counter

from pbslim import ops
from pbslim.analysis.compatibility import incompatibilities
from pbslim.dtypes import FLOAT
from pbslim.errors import PbslimError
from pbslim.ir import Graph, Node
from pbslim.ops.history import accepted, release

RELEASES = {"tf1.4": "1.4", "android-tf1": "1.12", "tf1.15": "1.15", "tf2.1": "2.1"}
"""Target → the release of TensorFlow whose ops it has, where that is not the newest."""

_RENAMED = {"AddV2": "Add", "PlaceholderV2": "Placeholder"}
_BATCH_NORMS = frozenset({"FusedBatchNormV2", "FusedBatchNormV3"})
_OLD_BATCH_NORM_OUTPUTS = 5


def fit(graph: Graph, target: str) -> list[str]:
    """Take out of `graph` what the release that a target stands for neither knows nor needs.

    Attributes go that hold their default, ops get the older name under which they compute the same. Bodies of functions
    stay as they are.

    Returns:
        What the release will not accept all the same, for the user.
    """
    name = RELEASES.get(target)
    if name is None:
        return []
    for node in graph:
        _rename(node, release(name).number)
        _drop_defaults(node, release(name).number)
    try:
        left = [each for each in incompatibilities(graph, name) if each.refused]
    except PbslimError as error:
        return [f"no TensorFlow accepts the graph: {error}"]
    return [
        f"TensorFlow {name} will refuse the graph: {problem}" + (f" ({count} nodes)" if count > 1 else "")
        for problem, count in Counter(each.problem for each in left).items()
    ]


def _rename(node: Node, number: int) -> None:
    if accepted(node.op, number) is not None:
        return
    if node.op in _RENAMED:
        node.set_op(_RENAMED[node.op])
    elif node.op in _BATCH_NORMS and _is_plain(node):
        node.set_op("FusedBatchNorm")
        node.remove_attr("U")


def _is_plain(batch_norm: Node) -> bool:
    """Whether a batch norm works on floats, and nothing reads what its first version does not give."""
    floats = all(batch_norm.dtype_attr(key, FLOAT) is FLOAT for key in ("T", "U"))
    return floats and not any(value.is_used and value.port >= _OLD_BATCH_NORM_OUTPUTS for value in batch_norm.outputs)


def _drop_defaults(node: Node, number: int) -> None:
    wanted = accepted(node.op, number)
    if wanted is None:
        return
    unknown = [key for key in node.attrs if key not in wanted.attrs and not key.startswith("_")]
    for key in unknown:
        if ops.is_default(node.op, key, node.attrs[key]):
            node.remove_attr(key)
