"""Sums and other reductions along axes."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from pbslim.dtypes import INT64
from pbslim.kernels.checks import Array, axis_of, has_nan, named_axis, require, require_defined, widened
from pbslim.kernels.registry import Attributes, kernel

Reduction = Callable[[Array, tuple[int, ...], bool], Any]


def reduction_axes(axes: Array, rank: int) -> tuple[int, ...]:
    """The axes that an operand names, counted from the front."""
    require(axes.ndim <= 1, "axes must be a scalar or a vector")
    require(axes.size <= rank, f"{axes.size} axes for {rank} dimensions")
    found = tuple(axis_of(a, rank) for a in axes.reshape(-1))
    require(len(set(found)) == len(found), "an axis is named twice")
    return found


def reduction(function: Reduction) -> Callable[..., Any]:
    """A kernel function that reduces along axes; half and bfloat16 are accumulated in float32."""

    def run(attrs: Attributes, x: Array, axes: Array) -> Any:
        result = function(widened(x), reduction_axes(axes, x.ndim), attrs.flag("keep_dims"))
        return np.asarray(result).astype(x.dtype, copy=False)

    return run


def _sum(x: Array, axes: tuple[int, ...], keep: bool) -> Any:
    first, last = min(axes, default=0), max(axes, default=-1)
    if x.dtype.kind == "f" and last < x.ndim - 1 and last - first + 1 == len(axes) > 0 and x.flags.c_contiguous:
        shape = (*x.shape[:first], *[1] * len(axes) * keep, *x.shape[last + 1 :])
        return _sum_of_rows(x, first, last + 1).reshape(shape)
    return x.sum(axis=axes, dtype=x.dtype, keepdims=keep)


def _sum_of_rows(x: Array, first: int, end: int) -> Array:
    """The sums along the axes from `first` to before `end`, which are not the last.

    Several rows at a time are added to as many sums, which is faster for short rows, and of less error.
    """
    outer, count, inner = (math.prod(part) for part in (x.shape[:first], x.shape[first:end], x.shape[end:]))
    group = math.gcd(count, 64)
    sums = x.reshape(outer, count // group, group * inner).sum(axis=1)
    return np.asarray(sums.reshape(outer, group, inner).sum(axis=1))


def _prod(x: Array, axes: tuple[int, ...], keep: bool) -> Any:
    return x.prod(axis=axes, dtype=x.dtype, keepdims=keep)


def _max(x: Array, axes: tuple[int, ...], keep: bool) -> Any:
    return x.max(axis=axes, keepdims=keep, initial=-np.inf if x.dtype.kind == "f" else np.iinfo(x.dtype).min)


def _min(x: Array, axes: tuple[int, ...], keep: bool) -> Any:
    return x.min(axis=axes, keepdims=keep, initial=np.inf if x.dtype.kind == "f" else np.iinfo(x.dtype).max)


def _mean(x: Array, axes: tuple[int, ...], keep: bool) -> Any:
    count = int(np.prod([x.shape[a] for a in axes], dtype=np.int64))
    if x.dtype.kind not in "iu":
        return _sum(x, axes, keep) / x.dtype.type(count)
    wide = np.dtype(np.int64 if x.dtype.kind == "i" else np.uint64)
    total = np.asarray(x.sum(axis=axes, dtype=wide, keepdims=keep))
    if not count:
        return total
    return total // count + ((total < 0) & (total % count != 0)).astype(wide)  # towards zero, as in C


def _euclidean_norm(x: Array, axes: tuple[int, ...], keep: bool) -> Any:
    return np.sqrt(_sum(np.asarray(x * x.conj()), axes, keep))


kernel("Sum", takes="number index")(reduction(_sum))
kernel("Prod", takes="number index")(reduction(_prod))
kernel("Mean", takes="number index")(reduction(_mean))
kernel("Max", takes="real index")(reduction(_max))
kernel("Min", takes="real index")(reduction(_min))
kernel("EuclideanNorm", takes="number index")(reduction(_euclidean_norm))
kernel("All", takes="bool index")(reduction(lambda x, axes, keep: x.all(axis=axes, keepdims=keep)))
kernel("Any", takes="bool index")(reduction(lambda x, axes, keep: x.any(axis=axes, keepdims=keep)))


def _arg(attrs: Attributes, x: Array, dimension: Array, function: Callable[..., Any]) -> Any:
    axis = named_axis(dimension, x)
    require(x.shape[axis] > 0, f"dimension {axis} is empty")
    require_defined(lambda: not has_nan(x), "the order of NaN is not defined")
    return np.asarray(function(x, axis)).astype(attrs.array_dtype("output_type", INT64))


@kernel("ArgMax", takes="real|bool index|int16")
def _arg_max(attrs: Attributes, x: Array, dimension: Array) -> Any:
    return _arg(attrs, x, dimension, np.argmax)


@kernel("ArgMin", takes="real|bool index")
def _arg_min(attrs: Attributes, x: Array, dimension: Array) -> Any:
    return _arg(attrs, x, dimension, np.argmin)


@kernel("L2Loss", takes="floating")
def _l2_loss(_attrs: Attributes, x: Array) -> Any:
    wide = widened(x)
    return np.asarray((wide * wide).sum() / 2).astype(x.dtype)
