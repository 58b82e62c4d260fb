"""Nodes, attributes and tensors in the words of TensorFlow's own messages (its ``SummarizeNode`` and ``DebugString``).

Old tools print them, and people search the web for them, so they are the same to the letter.
"""

from __future__ import annotations

from itertools import islice
from typing import Any

import numpy as np

from pbslim.dtypes import STRING, DType, Shape
from pbslim.errors import DecodeError
from pbslim.ir import AttrValue, FunctionRef, Tensor, TypeVariable
from pbslim.wire.listing import ListedNode

_SHOWN_ELEMENTS = 3
_LONG_STRING, _LONG_LIST = 80, 15
_ESCAPES = {0x0A: "\\n", 0x0D: "\\r", 0x09: "\\t", 0x22: '\\"', 0x27: "\\'", 0x5C: "\\\\"}
_UNPRINTED = ("complex64", "complex128", "qint32", "bfloat16")


def escaped(text: bytes) -> str:
    """`text` as a C string literal has it, without the quotes."""
    return "".join(_ESCAPES.get(c) or (chr(c) if 0x20 <= c < 0x7F else f"\\{c:03o}") for c in text)


def float_text(value: float, *, double: bool = False) -> str:
    """The shortest of two forms that reads back as the same float32 (or float64)."""
    if value != value:
        return "nan"
    kind, digits = (np.float64, (15, 17)) if double else (np.float32, (6, 9))
    short = f"{value:.{digits[0]}g}"
    with np.errstate(over="ignore"):
        return short if kind(short) == kind(value) else f"{value:.{digits[1]}g}"


def shape_text(shape: Shape) -> str:
    """``[2,?]``, or ``<unknown>`` for an unknown rank."""
    if shape.dims is None:
        return "<unknown>"
    if min(shape.dims, default=0) < -1:
        shown = ",".join(map(str, shape.dims))
        return f"Shape [{shown}] has dimensions with values below -1 (where -1 means unknown)"
    return str(shape)


def tensor_text(tensor: Tensor) -> str:
    """``Tensor<type: float shape: [2] values: 1 2>``; of the elements only the first three are read.

    Raises:
        DecodeError: they cannot be read.
    """
    return f"Tensor<type: {tensor.dtype} shape: {shape_text(Shape(tensor.shape))} values: {_values_text(tensor)}>"


def _values_text(tensor: Tensor) -> str:
    count = min(_SHOWN_ELEMENTS, tensor.size)
    more = "..." if tensor.size > count else ""
    if tensor.dtype.name in _UNPRINTED or not (tensor.dtype.itemsize or tensor.dtype is STRING):
        return " ".join("?" * count) + more
    elements = [_element_text(tensor.dtype, each) for each in _first(tensor, count)]
    if not tensor.shape:
        return "".join(elements)
    parts: list[str] = []
    _nested(tensor.shape, elements, parts)
    return "".join(parts) + more


def _first(tensor: Tensor, count: int) -> list[Any]:
    return list(islice((each for chunk in tensor.chunks() for each in chunk[:count]), count))


def _element_text(dtype: DType, element: Any) -> str:
    if dtype is STRING:
        return escaped(element)
    if dtype.is_floating:
        return float_text(float(element), double=dtype.itemsize == 8)
    return str(int(element))


def _nested(shape: tuple[int, ...], left: list[str], parts: list[str], depth: int = 0) -> None:
    """Append the elements in `left`, as far as they reach, with a bracket for each row (but none around all)."""
    for index in range(shape[depth]):
        if not left:
            if depth == len(shape) - 1 and depth > 0:
                parts.append("...")
            return
        if depth == len(shape) - 1:
            parts.append((" " if index else "") + left.pop(0))
        else:
            parts.append("[")
            _nested(shape, left, parts, depth + 1)
            parts.append("]")


def value_text(value: AttrValue) -> str:
    """The value of an attribute."""
    if isinstance(value, tuple):
        items = [value_text(item) for item in value]
        if len(items) >= _LONG_LIST:
            items = [*items[:5], "...", *items[-5:]]
        return f"[{', '.join(items)}]"
    if isinstance(value, bytes):
        text = escaped(value)
        return f'"{text}"' if len(text) < _LONG_STRING else f'"{text[:10]}...{text[-10:]}"'
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return float_text(value)
    if isinstance(value, DType):
        return type_text(value)
    if isinstance(value, Shape):
        return shape_text(value)
    if isinstance(value, Tensor):
        try:
            return tensor_text(value)
        except DecodeError as error:
            return f"<Invalid TensorProto: {error}>"
    if isinstance(value, FunctionRef):
        attrs = sorted(f"{name}={value_text(each)}" for name, each in value.attrs.items())
        return f"{value.name}[{', '.join(attrs)}]"
    if isinstance(value, TypeVariable):
        return f"${value}"
    return "<Unknown AttrValue type>" if value is None else str(value)


def type_text(dtype: DType) -> str:
    """``DT_FLOAT``."""
    return f"DT_{dtype.name.upper()}"


def attr_text(node: ListedNode, key: str) -> str:
    """The value of attribute `key` of `node`, or what is wrong with it."""
    try:
        return value_text(node.attrs[key])
    except DecodeError as error:
        return f"<Invalid: {error}>"


def node_text(node: ListedNode) -> str:
    """``{{node y}} = Add[T=DT_FLOAT](a, b)``."""
    attrs = [f"{key}={attr_text(node, key)}" for key in sorted(node.attrs, key=str.encode)]
    if node.device:
        attrs.append(f'_device="{node.device}"')
    return f"{{{{node {node.name}}}}} = {node.op}[{', '.join(attrs)}]({', '.join(node.inputs)})"
