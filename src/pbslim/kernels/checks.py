"""What kernels ask of their operands before they compute."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from typing import Any, TypeAlias

import ml_dtypes
import numpy as np
import numpy.typing as npt

from pbslim.kernels.limits import current

Array: TypeAlias = npt.NDArray[Any]

MAX_OUTPUTS = 2**16
"""Ops that want more output ports than this are refused."""

SORT = 64
"""What sorting costs for each element, in the measure of `check_work`."""

STEP = 1024
"""What a turn of a loop in Python costs in that measure."""

_OBJECT = 16
_FAST_PRODUCTS = 32  # of floats, in the time of one sum
_NARROW = (np.float16, ml_dtypes.bfloat16)


class KernelError(Exception):
    """An op cannot be evaluated with these attributes and operands; the text says why, in one line."""


def require(condition: object, reason: str) -> None:
    """Raise `KernelError` with `reason` unless `condition` holds."""
    if not condition:
        raise KernelError(reason)


def require_defined(condition: Callable[[], object], reason: str) -> None:
    """Raise KernelError where TensorFlow leaves the result open, unless any will do, as where a graph is run."""
    if current().exact:
        require(condition(), reason)


def checked_shape(dims: Iterable[int], what: str = "the result") -> tuple[int, ...]:
    """The shape of a tensor, after a look at its size; raises KernelError where it is negative or too big.

    Dimensions of zero do not count, for what is done along the others costs as much.
    """
    shape, most = tuple(map(int, dims)), current().elements
    if min(shape, default=0) < 0 or not 0 < math.prod(shape) <= most:
        require(min(shape, default=0) >= 0, f"{what} would have the shape {list(shape)}")
        size = math.prod(d for d in shape if d)
        require(size <= most, f"{what} would have {size} elements, more than {most}")
    return shape


def check_work(count: float) -> None:
    """Raise KernelError where computing as much as `count` elements would take too long.

    What is worth asking for: more than a few steps for each element of the operands and the result.
    """
    limits = current()
    require(count <= limits.work, "it would take too long")
    limits.work -= count


def check_products(count: int, dtype: np.dtype[Any]) -> None:
    """Raise KernelError where so many products and sums of numbers of a type would take too long."""
    check_work(count / (_FAST_PRODUCTS if dtype.kind == "f" else 1))


def check_objects(count: int) -> None:
    """Raise KernelError where `count` elements are too many to be Python objects, which take more memory and time."""
    checked_shape([count, _OBJECT], "the objects that it makes")
    check_work(count * _OBJECT)


def check_text(size: int) -> None:
    """Raise KernelError where strings of together `size` bytes are too long."""
    most = current().text
    require(size <= most, f"the result would have {size} bytes, more than {most}")
    check_work(size)


def broadcast_shape(*shapes: tuple[int, ...]) -> tuple[int, ...]:
    """The shape that all `shapes` broadcast to; raises KernelError where there is none or it is too big."""
    if len(set(shapes)) == 1:
        return checked_shape(shapes[0])
    longest: tuple[int, ...] = max(shapes, key=len, default=())
    result = list(longest)
    for shape in shapes:
        for place, size in enumerate(shape, len(longest) - len(shape)):
            if size == 1 or result[place] == size:
                continue
            if result[place] != 1:
                raise KernelError(f"shapes {' and '.join(str([*s]) for s in shapes)} do not broadcast together")
            result[place] = size
    return checked_shape(result)


def scalar(array: Array, what: str) -> Any:
    """The one element of a rank 0 operand, as a Python or numpy scalar."""
    require(array.ndim == 0, f"{what} must be a scalar, it has the shape {list(array.shape)}")
    return array[()]


def vector(array: Array, what: str) -> list[int]:
    """The integers of a rank 1 operand."""
    require(array.ndim == 1, f"{what} must be a vector, it has the shape {list(array.shape)}")
    require(array.size <= MAX_OUTPUTS, f"{what} has {array.size} elements")
    return [int(v) for v in array]


def axis_of(axis: int, rank: int, what: str = "axis") -> int:
    """`axis` counted from the front; raises KernelError where it is out of range for `rank` dimensions."""
    axis = int(axis)
    require(-rank <= axis < rank, f"{what} {axis} is out of range for {rank} dimensions")
    return axis % rank


def named_axis(axis: Array, x: Array) -> int:
    """The axis of `x` that a scalar operand names."""
    return axis_of(scalar(axis, "axis"), x.ndim)


def check_indices(indices: Array, size: int, what: str = "index") -> None:
    """Raise KernelError unless all `indices` are in [0, size)."""
    if indices.size:
        low, high = int(indices.min()), int(indices.max())
        worst = low if low < 0 else high
        require(low >= 0 and high < size, f"{what} {worst} is out of range for size {size}")


def same_dtype(arrays: Sequence[Array]) -> None:
    """Raise KernelError unless all arrays are of one dtype."""
    dtypes = {str(a.dtype) for a in arrays}
    require(len(dtypes) <= 1, f"operands differ in dtype: {', '.join(sorted(dtypes))}")


def widened(array: Array) -> Array:
    """Half and bfloat16 as float32, in which TensorFlow computes; all else as it is."""
    return array.astype(np.float32) if array.dtype.type in _NARROW else array


def has_nan(array: Array) -> bool:
    """Whether an element is NaN; arrays of any dtype."""
    return bool((array != array).any())


def finite(array: Array) -> bool:
    """Whether no element is infinite or NaN."""
    return bool(np.isfinite(array).all())


def lowest(dtype: np.dtype[Any]) -> Any:
    """The lowest finite number of a type."""
    return _extreme(dtype, -1)


def highest(dtype: np.dtype[Any]) -> Any:
    """The highest finite number of a type."""
    return _extreme(dtype, 1)


def _extreme(dtype: np.dtype[Any], sign: int) -> Any:
    if dtype.kind in "iu":
        info = np.iinfo(dtype)
        return info.min if sign < 0 else info.max
    return np.nextafter(dtype.type(sign * np.inf), dtype.type(0))
