"""A graph as text, for people: a line for each node, big constants and long graphs cut short.

::

    x = Placeholder(shape=[-1, 2])
    w = Const([[1.0, 2.0], [3.0, 4.0]])
    y = MatMul(x, w, ^x, transpose_b=True)

Left out are attributes that start with ``_``, those at their default, and the types ``T`` and ``dtype`` where they are
float.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from typing import TYPE_CHECKING

import numpy as np

from pbslim import ops
from pbslim.dtypes import FLOAT, STRING, DType, Shape
from pbslim.errors import PbslimError, counted, printable
from pbslim.ir.attributes import FunctionRef, TypeVariable
from pbslim.ir.tensors import Tensor

if TYPE_CHECKING:
    from pbslim.ir.graph import Graph
    from pbslim.ir.nodes import Node

_FIRST, _LAST = 50, 10  # lines of a long graph
_MOST_ELEMENTS = 16
_MOST_CHARACTERS = 120  # of one value


def graph_text(graph: Graph) -> str:
    """The nodes in file order, of many the first and last ones, and the names of the functions."""
    lines = list(_lines(graph))
    names = list(graph.library.functions)
    if names:
        more = ", …" if len(names) > _LAST else ""
        lines.append(f"# {counted(len(names), 'function')}: {', '.join(names[:_LAST])}{more}")
    return "\n".join(lines)


def _lines(graph: Graph) -> Iterator[str]:
    hidden = len(graph) - _FIRST - _LAST
    if hidden <= 1:
        yield from map(node_text, graph)
        return
    yield from map(node_text, islice(graph, _FIRST))
    yield f"# … {hidden} more nodes"
    yield from map(node_text, islice(graph, _FIRST + hidden, None))


def node_text(node: Node) -> str:
    """One node, as ``y = MatMul(x, w, ^x, transpose_b=True)``."""
    parts = [value.name for value in node.inputs] + [f"^{control.name}" for control in node.controls]
    if node.op == "Const":
        parts.insert(0, _constant(node))
    for key in sorted(node.attrs):
        text = _attribute(node, key)
        parts += [f"{key}={text}"] if text else []
    if node.device:
        parts.append(f"device={node.device!r}")
    return printable(f"{node.name} = {node.op}({', '.join(parts)})")


def _constant(node: Node) -> str:
    try:
        return _tensor(node.tensor())
    except PbslimError:
        return "?"


def _tensor(tensor: Tensor) -> str:
    if tensor.size > _MOST_ELEMENTS or not (tensor.dtype.scalar or tensor.dtype is STRING):
        return f"<{tensor.dtype} {list(tensor.shape)}>"
    array = tensor.numpy()
    if tensor.dtype is STRING:
        return _cut(repr(np.vectorize(lambda each: each.decode(errors="replace"), otypes=[object])(array).tolist()))
    if tensor.dtype.is_floating:
        array = np.vectorize(lambda each: float(f"{float(each):.6g}"), otypes=[object])(array)
    return str(array.tolist())


def _attribute(node: Node, key: str) -> str:
    """Its value, empty where it goes without saying."""
    if key.startswith("_") or (key == "value" and node.op == "Const"):
        return ""
    try:
        value = node.attrs[key]
        if value is FLOAT and key in ("T", "dtype"):
            return ""
        return "" if ops.is_default(node.op, key, value) else _cut(_value(value))
    except PbslimError:
        return "?"


def _value(value: object) -> str:
    if isinstance(value, TypeVariable):
        return repr(f"${value}")
    if isinstance(value, float):
        return f"{value:.6g}"
    if isinstance(value, bytes):
        return repr(value.decode(errors="replace"))
    if isinstance(value, DType):
        return repr(str(value))
    if isinstance(value, Shape):
        return str(None if value.dims is None else list(value.dims))
    if isinstance(value, FunctionRef):
        return repr(value.name)
    if isinstance(value, tuple):
        return f"[{', '.join(map(_value, value))}]"
    return _tensor(value) if isinstance(value, Tensor) else str(value)


def _cut(text: str) -> str:
    return text if len(text) <= _MOST_CHARACTERS else f"{text[:_MOST_CHARACTERS]}…"
