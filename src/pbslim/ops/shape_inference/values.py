"""Values that are known, in part or whole, before the graph runs: those computed from shapes and small constants.

A Flatten, for instance, is Shape → StridedSlice → Pack → Reshape; where only the batch is unknown, the other
elements of the packed shape are known.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

import numpy as np

from pbslim.dtypes import INT32, DType, Shape
from pbslim.ops.attributes import Attrs
from pbslim.ops.shape_inference.call import UNKNOWN, Call, ShapeError, UndecidableError, Value, axis_in

_LARGEST_VALUE = 1 << 12  # elements; shapes and what is computed from them are far smaller
_LARGEST_NUMBER = 1 << 31  # products of two such numbers still fit int64

Evaluator: TypeAlias = Callable[[Call, list[Value]], Any]
_PASS_UNKNOWN: dict[str, Evaluator] = {}  # rearrange elements: unknown ones may be among them
_NEED_ALL: dict[str, Evaluator] = {}  # compute with elements: all must be known


def infer_value(
    op: str, attrs: Attrs, input_shapes: Sequence[Shape], input_values: Sequence[Value | None]
) -> Value | None:
    """The value of the only output of a node, where shapes and small constants decide it.

    Returns:
        an int64 array in which each unknown element is `UNKNOWN`, whatever integer type the node has; None when
        nothing is known about it (also where the operands contradict each other, which `infer` reports), and for
        results that are not integers.
    """
    call = Call(op, attrs, input_shapes, input_values)
    try:
        value = _evaluate(call)
    except (
        ShapeError,
        UndecidableError,
        IndexError,
        ValueError,
        TypeError,
    ):  # numpy's word for operands that do not fit
        return None
    if value is None or value.size > _LARGEST_VALUE or (value.size and bool((value == UNKNOWN).all())):
        return None
    return value


def _evaluate(call: Call) -> Value | None:
    if call.op in _OF_SHAPES:
        return _OF_SHAPES[call.op](call)
    operands = [call.partial(i) for i in range(len(call))]
    small = [
        v.astype(np.int64) for v in operands if v is not None and v.dtype.kind in "iu" and v.size <= _LARGEST_VALUE
    ]
    if not small or len(small) != len(operands):
        return None
    if call.op in _PASS_UNKNOWN:
        return np.asarray(_PASS_UNKNOWN[call.op](call, small), np.int64)
    if call.op in _NEED_ALL and all(((v > -_LARGEST_NUMBER) & (v < _LARGEST_NUMBER)).all() for v in small):
        return np.asarray(_NEED_ALL[call.op](call, small), np.int64)
    return None


def _shape(call: Call) -> Value | None:
    dims = call.dims(0)
    return None if dims is None else np.array([UNKNOWN if d < 0 else d for d in dims], np.int64)


def _rank(call: Call) -> Value | None:
    dims = call.dims(0)
    return None if dims is None else np.array(len(dims), np.int64)


def _size(call: Call) -> Value | None:
    size = Shape(call.dims(0)).size
    return None if size is None or size >= 1 << 63 else np.array(size, np.int64)


def _pack(call: Call) -> Value | None:
    """Scalars, some of them unknown, made into a vector."""
    if any(call.dims(i) not in ((), None) for i in range(len(call))):
        return None
    scalars = [call.scalar(i) for i in range(len(call))]
    return np.array([UNKNOWN if s is None else s for s in scalars], np.int64)


def _concat(call: Call) -> Value | None:
    """Vectors, some of them unknown but of known length, made into one."""
    at = 0 if call.op == "Concat" else len(call) - 1
    if call.scalar(at) not in (0, -1):
        return None
    parts: list[int] = []
    for index in range(len(call)):
        if index == at:
            continue
        length, numbers = call.length(index), call.vector(index)
        if length is None:
            return None
        parts += [UNKNOWN] * length if numbers is None else [UNKNOWN if n is None else n for n in numbers]
    return np.array(parts, np.int64)


_OF_SHAPES: dict[str, Callable[[Call], Value | None]] = {
    "Shape": _shape,
    "Rank": _rank,
    "Size": _size,
    "Pack": _pack,
    "Concat": _concat,
    "ConcatV2": _concat,
}


def _evaluates(table: dict[str, Evaluator], *ops: str) -> Callable[[Evaluator], Evaluator]:
    def register(function: Evaluator) -> Evaluator:
        table.update(dict.fromkeys(ops, function))
        return function

    return register


@_evaluates(_PASS_UNKNOWN, "Identity", "StopGradient", "PreventGradient", "Snapshot")
def _identity(call: Call, operands: list[Value]) -> Value:  # noqa: ARG001
    return operands[0]


@_evaluates(_PASS_UNKNOWN, "Cast")
def _cast(call: Call, operands: list[Value]) -> Value | None:
    wide = (INT32.name, "int64")
    if call.attr("DstT", DType).name not in wide:
        raise UndecidableError("DstT")
    return operands[0]


@_evaluates(_PASS_UNKNOWN, "StridedSlice")
def _strided_slice(call: Call, operands: list[Value]) -> Value:
    begin, end, ellipsis, new_axis, shrink = (
        call.attr(f"{name}_mask", int) for name in ("begin", "end", "ellipsis", "new_axis", "shrink_axis")
    )
    begins, ends, strides = (_known(v).reshape(-1).tolist() for v in operands[1:])
    if ellipsis or new_axis:
        raise UndecidableError("masks")
    index: list[int | slice] = []
    for i, stride in enumerate(strides):
        first = None if begin >> i & 1 else begins[i]
        last = None if end >> i & 1 else ends[i]
        index.append(begins[i] if shrink >> i & 1 else slice(first, last, stride))
    value: Value = operands[0][tuple(index)]
    return value


@_evaluates(_PASS_UNKNOWN, "Slice")
def _slice(call: Call, operands: list[Value]) -> Value:  # noqa: ARG001
    vector, begins, sizes = operands[0], _known(operands[1]), _known(operands[2])
    if vector.ndim != 1:
        raise UndecidableError("rank")
    begin, size = int(begins[0]), int(sizes[0])
    if begin < 0 or size < -1:
        raise UndecidableError("begin")
    return vector[begin:] if size == -1 else vector[begin : begin + size]


@_evaluates(_PASS_UNKNOWN, "Gather", "GatherV2")
def _gather(call: Call, operands: list[Value]) -> Value:
    vector, indices = operands[0], _known(operands[1])
    if vector.ndim != 1 or (call.op == "GatherV2" and call.attr("batch_dims", int)) or (indices < 0).any():
        raise UndecidableError("rank")
    value: Value = vector[indices]
    return value


@_evaluates(_PASS_UNKNOWN, "Reshape")
def _reshape(call: Call, operands: list[Value]) -> Value:  # noqa: ARG001
    return operands[0].reshape(_known(operands[1]).reshape(-1).tolist())


@_evaluates(_PASS_UNKNOWN, "ExpandDims")
def _expand_dims(call: Call, operands: list[Value]) -> Value:  # noqa: ARG001
    return np.expand_dims(operands[0], int(_known(operands[1]).item()))


@_evaluates(_PASS_UNKNOWN, "Squeeze")
def _squeeze(call: Call, operands: list[Value]) -> Value:
    return np.squeeze(operands[0], axis=call.ints("squeeze_dims") or None)


@_evaluates(_NEED_ALL, "Add", "AddV2", "Sub", "Mul", "Maximum", "Minimum", "FloorDiv", "FloorMod")
def _arithmetic(call: Call, operands: list[Value]) -> Value:
    a, b = operands
    if call.op.startswith("Floor") and (b == 0).any():
        raise UndecidableError("division by 0")
    if math.prod(np.broadcast_shapes(a.shape, b.shape)) > _LARGEST_VALUE:
        raise UndecidableError("size")
    function: Any = _ARITHMETIC[call.op]
    value: Value = function(a, b)
    return value


_ARITHMETIC = {
    "Add": np.add,
    "AddV2": np.add,
    "Sub": np.subtract,
    "Mul": np.multiply,
    "Maximum": np.maximum,
    "Minimum": np.minimum,
    "FloorDiv": np.floor_divide,
    "FloorMod": np.mod,
}


@_evaluates(_NEED_ALL, "Prod", "Sum", "Max", "Min")
def _reduce(call: Call, operands: list[Value]) -> Value:
    values, axes = operands[0], tuple(axis_in(a, operands[0].ndim) for a in operands[1].reshape(-1).tolist())
    if call.op == "Prod":  # in Python's integers, which do not overflow
        values = values.astype(object)
    function: Any = {"Prod": np.prod, "Sum": np.sum, "Max": np.max, "Min": np.min}[call.op]
    value: Value = np.asarray(function(values, axis=axes, keepdims=call.attr("keep_dims", bool)))
    if value.dtype == object and any(abs(n) >= 1 << 63 for n in value.reshape(-1).tolist()):
        raise UndecidableError("overflow")
    return value


@_evaluates(_NEED_ALL, "Range")
def _range(call: Call, operands: list[Value]) -> Value:  # noqa: ARG001
    start, limit, delta = (int(v.item()) for v in operands)
    if delta == 0 or abs(limit - start) // abs(delta) > _LARGEST_VALUE:
        raise UndecidableError("range")
    return np.arange(start, limit, delta, dtype=np.int64)


@_evaluates(_NEED_ALL, "Fill")
def _fill(call: Call, operands: list[Value]) -> Value:  # noqa: ARG001
    dims = operands[0].reshape(-1).tolist()
    if min(dims, default=0) < 0 or Shape(tuple(dims)).size not in range(_LARGEST_VALUE + 1):
        raise UndecidableError("size")
    return np.full(dims, operands[1].item(), np.int64)


def _known(value: Value) -> Value:
    """The value, all of whose elements must be known."""
    if (value == UNKNOWN).any():
        raise UndecidableError("value")
    return value
