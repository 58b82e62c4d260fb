"""Products of codes, in 32 bits: the code that stands for zero is taken off before, so they stand for real products."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import groupby, zip_longest
from typing import Any

import numpy as np

from pbslim.dtypes import QINT32
from pbslim.kernels.checks import Array, KernelError, broadcast_shape, check_products, checked_shape, require
from pbslim.kernels.convolutions import conv_2d
from pbslim.kernels.quantization import Levels, bound_of, unclamped_code_of
from pbslim.kernels.registry import Attributes, kernel

_F = np.float32
_RANGES = "float float float float"


class _Factors:
    """The ranges of two operands."""

    def __init__(self, a: Array, b: Array, ranges: Sequence[Array]) -> None:
        self._bounds = [bound_of(each, "a bound") for each in ranges]
        self._levels = Levels(a.dtype), Levels(b.dtype)

    def centered(self, x: Array, which: int) -> Array:
        """Codes less that of zero, as doubles: their sums of products are exact, and products of matrices fast."""
        low, high = self._bounds[2 * which : 2 * which + 2]
        return np.subtract(x, float(unclamped_code_of(0.0, low, high, self._levels[which])), dtype=np.float64)

    def result(self, products: Array) -> list[Any]:
        """Codes in 32 bits and the range that they stand for."""
        steps = [_F((self._bounds[2 * k + 1] - self._bounds[2 * k]) / _F(self._levels[k].steps)) for k in range(2)]
        step, codes = _F(steps[0] * steps[1]), Levels(np.dtype(np.int32))
        wrapped = products.astype(np.int64).astype(np.int32)
        return [wrapped, _F(step * _F(codes.low)), _F(step * _F(codes.high))]


def _check_type(attrs: Attributes, name: str) -> None:
    require(attrs.dtype(name, QINT32) is QINT32, "the result can only be of type qint32")


@kernel("QuantizedConv2D", takes=f"quint8 quint8 {_RANGES}")
def _convolution(attrs: Attributes, x: Array, filters: Array, *ranges: Array) -> list[Any]:
    _check_type(attrs, "out_type")
    factors = _Factors(x, filters, ranges)
    return factors.result(conv_2d(attrs, factors.centered(x, 0), factors.centered(filters, 1)))


@kernel("QuantizedMatMul", takes=f"quint8 quint8 {_RANGES}")
def _mat_mul(attrs: Attributes, a: Array, b: Array, *ranges: Array) -> list[Any]:
    _check_type(attrs, "Toutput")
    require(a.ndim == b.ndim == 2, "it needs two matrices")
    factors = _Factors(a, b, ranges)
    left = a.T if attrs.flag("transpose_a") else a
    right = b.T if attrs.flag("transpose_b") else b
    require(left.shape[1] == right.shape[0], f"matrices of {list(left.shape)} and {list(right.shape)} have no product")
    checked_shape([left.shape[0], right.shape[1]])
    check_products(left.size * right.shape[1], np.dtype(np.float64))
    return factors.result(factors.centered(left, 0) @ factors.centered(right, 1))


def matched(a: Array, b: Array) -> tuple[Array, Array]:
    """Both operands in the shape of the result, or one as a scalar.

    TensorFlow repeats the smaller one over and over, which is what its shape means only if it repeats along the first
    axes of the larger one; where it repeats along the last ones, other elements meet than should.
    """
    shape = broadcast_shape(a.shape, b.shape)
    if a.size == b.size == math.prod(shape):
        return a.reshape(shape), b.reshape(shape)
    if 1 in (a.size, b.size):
        return (a.reshape(()), b.reshape(shape)) if a.size == 1 else (a.reshape(shape), b.reshape(()))
    sizes = zip_longest(a.shape[::-1], b.shape[::-1], fillvalue=1)
    parts = [kind for kind, _ in groupby((m != n) + (m < n) for m, n in sizes if (m, n) != (1, 1))]
    larger = max(a, b, key=lambda each: each.size)
    if len(parts) != 2 or larger.size != math.prod(shape):
        raise KernelError(f"shapes {list(a.shape)} and {list(b.shape)} do not go together")
    return (np.resize(a, shape), b.reshape(shape)) if larger is b else (a.reshape(shape), np.resize(b, shape))


@kernel("QuantizedMul", takes=f"quint8 quint8 {_RANGES}")
def _mul(attrs: Attributes, a: Array, b: Array, *ranges: Array) -> list[Any]:
    _check_type(attrs, "Toutput")
    first, second = matched(a, b)
    factors = _Factors(a, b, ranges)
    products = factors.centered(first, 0) * factors.centered(second, 1)
    return factors.result(products.reshape(broadcast_shape(a.shape, b.shape)))
