"""Make placeholders constants, as a caller would feed them.

Before::  keep_prob (Placeholder) ─► Add ─► Floor ─► Mul ─► y
After::   keep_prob (Const 1.0) ─► Add ─► Floor ─► Mul ─► y        (name=keep_prob, value=1.0)
"""

from __future__ import annotations

import numpy as np

from pbslim.dtypes import BOOL, STRING, DType
from pbslim.errors import TransformError
from pbslim.ir import ArrayTensor, Graph, Node, SplatTensor, StringTensor, Tensor
from pbslim.names import nearest, node_name, shortened
from pbslim.ops.families import FEEDABLE
from pbslim.passes.parameters import parse_float
from pbslim.passes.registry import Context, transform
from pbslim.rewrite.replacing import set_const

Scalar = bool | int | float | str | bytes
_BOOLS = {"true": True, "1": True, "false": False, "0": False}


@transform(effect="exact")
def set_placeholders(graph: Graph, context: Context, *, name: tuple[str, ...], value: tuple[str, ...]) -> None:
    """Replace the placeholder called `name` by a constant of its type that holds `value`; both repeated in pairs.

    A value is a number, true, false, or a text where the placeholder is of type string. Where the shape of the
    placeholder is known and not that of a scalar, all elements have the value. It is no longer an input of the graph.

    Raises:
        TransformError: there is no such placeholder, or the value does not fit its type.
    """
    if len(name) != len(value):
        raise TransformError("name and value must be given equally often")
    for tensor, text in zip(name, value, strict=True):
        node = _placeholder(graph, tensor)
        try:
            set_const(node, constant_for(node, text))
        except TransformError as error:
            raise TransformError(f"'{node.name}' cannot be set: {error}") from None
    gone = set(map(node_name, name))
    context.inputs = tuple(each for each in context.inputs if node_name(each) not in gone)


def _placeholder(graph: Graph, tensor: str) -> Node:
    node = graph.get(node_name(tensor))
    if node is None or node.op not in FEEDABLE:
        known = [other.name for other in graph if other.op in FEEDABLE]
        problem = (
            f"'{tensor}' is not in the graph" if node is None else f"'{node.name}' ({node.op}) is not a placeholder"
        )
        if near := nearest(node_name(tensor), known):
            raise TransformError(f"{problem}, did you mean '{near}'?")
        raise TransformError(f"{problem}; its placeholders: {shortened(known)}" if known else problem)
    return node


def constant_for(placeholder: Node, value: Scalar) -> Tensor:
    """The tensor that `placeholder` gives when it is fed with `value` throughout.

    Raises:
        TransformError: the value does not fit its type, or its shape is not known; the message begins with "its".
    """
    dtype, shape = placeholder.dtype_attr("dtype"), placeholder.shape_attr("shape")
    if dtype is None:
        raise TransformError("its type is not known")
    if shape.rank is not None and not shape.is_known:
        raise TransformError(f"its shape {shape} is not known as a whole")
    dims = shape.dims or ()
    if dtype is STRING:
        return StringTensor((value if isinstance(value, bytes) else str(value).encode(),), dims)
    text = (value.decode(errors="replace") if isinstance(value, bytes) else str(value)).strip().lower()
    if text in ("true", "false") and dtype is not BOOL:
        raise TransformError(f"its type is {dtype}, not bool")
    number = _BOOLS.get(text) if dtype is BOOL else _number(text, dtype)
    if number is None:
        raise TransformError(f"its type is {dtype}, so it cannot be {value!r}")
    with np.errstate(over="ignore"):  # what is too large for the type is infinite
        array = np.full(1, number, dtype.numpy)
    return SplatTensor(array[0], dtype, dims) if dims else ArrayTensor(array.reshape(()), dtype)


def _number(text: str, dtype: DType) -> int | float | complex | None:
    """The number in `text`, None where it is not one of this type."""
    if dtype.scalar is None or dtype.is_quantized:
        return None
    if dtype.name.startswith("complex"):
        try:
            return complex(text)
        except ValueError:
            return None
    number = parse_float(text)
    if number is None or dtype.is_floating:
        return number
    if not number.is_integer():
        return None
    whole = int(text) if text.lstrip("+-").isdecimal() else int(number)  # all digits of a large one
    fits = abs(whole) < 1 << 64 and int(np.array(whole).astype(dtype.numpy)) == whole
    return whole if fits else None
