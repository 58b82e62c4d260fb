"""Are two attributes the same, and how far are two tensors apart? Weights are read a piece at a time, if at all."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

from pbslim.dtypes import STRING
from pbslim.errors import DecodeError
from pbslim.ir import Attributes, AttrValue, FunctionRef, Tensor
from pbslim.ir.tensors import OpaqueTensor
from pbslim.wire.attributes import EncodedAttr

_PIECE = 1 << 20
Array = npt.NDArray[Any]


def same_attr(first: Attributes, second: Attributes, key: str, *, atol: float = 0.0) -> bool:
    """Whether both have `key` with the same value; one that cannot be decoded equals its own bytes only."""
    a, b = first.stored()[key], second.stored()[key]
    if isinstance(a, EncodedAttr) and isinstance(b, EncodedAttr) and _same_bytes(a, b):
        return True
    try:
        return same_value(first[key], second[key], atol=atol)
    except DecodeError:
        return False


def _same_bytes(a: EncodedAttr, b: EncodedAttr) -> bool:
    return a.size == b.size and all(
        a.source[a.start + at : min(a.start + at + _PIECE, a.end)]
        == b.source[b.start + at : min(b.start + at + _PIECE, b.end)]
        for at in range(0, a.size, _PIECE)
    )


def same_value(a: AttrValue, b: AttrValue, *, atol: float = 0.0) -> bool:
    """Whether two values are of one kind and equal, bit by bit; floats in tensors may be `atol` apart.

    Raises:
        DecodeError: a tensor cannot be read.
    """
    if isinstance(a, Tensor) and isinstance(b, Tensor):
        return same_tensor(a, b, atol=atol)
    if type(a) is not type(b):
        return False
    if isinstance(a, tuple) and isinstance(b, tuple):
        return len(a) == len(b) and all(same_value(x, y, atol=atol) for x, y in zip(a, b, strict=True))
    if isinstance(a, FunctionRef) and isinstance(b, FunctionRef):
        return (
            a.name == b.name
            and a.attrs.keys() == b.attrs.keys()
            and all(same_value(value, b.attrs[key], atol=atol) for key, value in a.attrs.items())
        )
    if isinstance(a, float) and isinstance(b, float):
        return np.float64(a).tobytes() == np.float64(b).tobytes()
    return a == b


def same_tensor(a: Tensor, b: Tensor, *, atol: float = 0.0) -> bool:
    """Whether type, shape and elements are the same; NaN is the same as NaN, and floats may be `atol` apart.

    Raises:
        DecodeError: the elements cannot be read.
    """
    if a.dtype != b.dtype or a.shape != b.shape:
        return False
    if isinstance(a, OpaqueTensor) and isinstance(b, OpaqueTensor):
        return a.encoded == b.encoded
    if atol and (a.dtype.is_floating or a.dtype.name.startswith("complex")):
        return distance(a, b)[0] <= atol
    if a.dtype is STRING:
        return bool(np.array_equal(a.numpy(), b.numpy()))
    return all(np.array_equal(x.view(np.uint8), y.view(np.uint8)) for x, y in _pieces(a, b))


def distance(a: Tensor, b: Tensor) -> tuple[float, float]:
    """The largest ``|a - b|`` of two tensors of one type and shape that hold numbers, and the largest finite ``|a|``.

    NaN and NaN are 0 apart, as equal infinities are; NaN is infinitely far from anything else.

    Raises:
        DecodeError: the elements cannot be read.
    """
    wide = np.complex128 if a.dtype.name.startswith("complex") else np.float64
    largest = value = 0.0
    for x, y in _pieces(a, b):
        with np.errstate(invalid="ignore", over="ignore"):
            p, q = x.astype(wide), y.astype(wide)
            apart = np.where((p == q) | (np.isnan(p) & np.isnan(q)), 0.0, np.abs(p - q))
        largest = max(largest, float(np.max(np.where(np.isnan(apart), np.inf, apart), initial=0.0)))
        value = max(value, float(np.max(np.abs(p[np.isfinite(p)]), initial=0.0)))
    return largest, value


def _short_pieces(a: Tensor, b: Tensor) -> tuple[Array, Array] | None:
    """Every pair of elements of two tensors that both have a short form, though not as often."""
    x, y = a.head(), b.head()
    if x is None or y is None:
        return None
    count = min(max(x.size, y.size) + 1, a.size)
    places = np.arange(count)
    return x[np.minimum(places, x.size - 1)], y[np.minimum(places, y.size - 1)]


def _pieces(a: Tensor, b: Tensor) -> Iterator[tuple[Array, Array]]:
    """Flat pieces of both, of equal length, though each tensor cuts its own as it likes."""
    if (short := _short_pieces(a, b)) is not None:
        yield short
        return
    left, right = a.chunks(), b.chunks()
    x = y = np.empty(0, a.dtype.numpy)
    while True:
        x = x if x.size else next(left, x)
        y = y if y.size else next(right, y)
        size = min(x.size, y.size)
        if size == 0:
            return
        yield np.ascontiguousarray(x[:size]), np.ascontiguousarray(y[:size])
        x, y = x[size:], y[size:]
