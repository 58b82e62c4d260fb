"""What a graph is like apart from the names of its inner nodes, in a few letters."""

from __future__ import annotations

import hashlib
from collections.abc import Collection

from pbslim.dtypes import DType
from pbslim.ir import Graph, Node, Tensor
from pbslim.ir.order import file_order
from pbslim.ops.attributes import required

_ROUNDS = 3  # in a loop, to tell what flows back
_SMALL = 16


def structure(graph: Graph, named: Collection[str]) -> str:
    """A digest of all nodes: op, device, attributes, what they read, and the name of those in `named`.

    Which of several merged nodes gives its name to the one that stays is free. Of constants only small integers count
    with their values, others by type and shape: folded ones differ by float rounding. Attributes at their default
    count as absent.
    """
    order = file_order(graph)
    contents = {
        node: _digest(node.op, node.device, node.name if node.name in named else "", _attributes(node))
        for node in order
    }
    labels = dict(contents)
    for _ in range(_ROUNDS if any(node.op == "NextIteration" for node in order) else 1):
        for node in order:
            inputs = [(labels[value.node], value.port) for value in node.inputs]
            labels[node] = _digest(contents[node], inputs, sorted(labels[control] for control in node.controls))
    return _digest(sorted(labels.values()))


def _digest(*parts: object) -> str:
    return hashlib.blake2b(repr(parts).encode(), digest_size=8).hexdigest()


def _attributes(node: Node) -> list[tuple[str, str]]:
    return [
        (key, _shown(value))
        for key, value in sorted(node.attrs.items())
        if key != "_output_shapes" and not _is_default(node, key, value)
    ]


def _shown(value: object) -> str:
    if isinstance(value, Tensor):
        small = value.size <= _SMALL and value.dtype.name in ("int32", "int64")
        return f"{value.dtype} {value.shape} {value.numpy().tolist() if small else ''}"
    return str(value) if isinstance(value, DType) else repr(value)


def _is_default(node: Node, key: str, value: object) -> bool:
    if isinstance(value, Tensor):
        return False
    try:
        return required(node.op, {}, key, object) == value
    except LookupError:
        return False
