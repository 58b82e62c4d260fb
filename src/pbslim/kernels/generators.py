"""Ops that make tensors out of a few numbers."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from pbslim.kernels.checks import Array, axis_of, checked_shape, require, scalar, vector
from pbslim.kernels.registry import Attributes, kernel


@kernel("Fill", takes="index any")
def _fill(_attrs: Attributes, dims: Array, value: Array) -> Array:
    require(value.ndim == 0, "the value must be a scalar")
    return np.broadcast_to(value, checked_shape(vector(dims, "dims")))


@kernel("ZerosLike", takes="any")
def _zeros_like(_attrs: Attributes, x: Array) -> Array:
    zero = np.full((), b"", object) if x.dtype == object else np.zeros((), x.dtype)
    return np.broadcast_to(zero, x.shape)


@kernel("OnesLike", takes="number|bool")
def _ones_like(_attrs: Attributes, x: Array) -> Array:
    return np.broadcast_to(np.ones((), x.dtype), x.shape)


@kernel("Range", takes=" ".join(["T:integer|bfloat16|float|double"] * 3))
def _range(_attrs: Attributes, start: Array, limit: Array, delta: Array) -> Any:
    first, last, step = (scalar(a, name) for a, name in ((start, "start"), (limit, "limit"), (delta, "delta")))
    require(step != 0, "delta is zero")
    dtype = start.dtype
    if dtype.kind in "iu":
        first, last, step = int(first), int(last), int(step)
        size: float = -((first - last) // step)
    else:
        size = float(np.ceil(np.abs((float(last) - float(first)) / float(step))))
        require(math.isfinite(size), "the range is not finite")
    require((last >= first) if step > 0 else (last <= first), "delta leads away from the limit")
    checked_shape([int(size)])
    if dtype.kind in "iu":
        return (first + np.arange(int(size), dtype=np.int64) * step).astype(dtype)
    return np.asarray(first + np.arange(int(size)).astype(dtype) * step)


@kernel("LinSpace", takes="T:float|double T:float|double index")
def _lin_space(_attrs: Attributes, start: Array, stop: Array, num: Array) -> Array:
    count = int(scalar(num, "num"))
    require(count > 0, f"{count} is not a number of points")
    checked_shape([count])
    first, last = scalar(start, "start"), scalar(stop, "stop")
    if count == 1:
        return np.array([first])
    step = (last - first) / start.dtype.type(count - 1)
    result = first + np.arange(count).astype(start.dtype) * step
    result[-1] = last
    return np.asarray(result)


@kernel("OneHot", takes="index|uint8|int8 int32 T:any T:any")
def _one_hot(attrs: Attributes, indices: Array, depth: Array, on: Array, off: Array) -> Any:
    count = int(scalar(depth, "depth"))
    axis = attrs.integer("axis", -1)
    axis = indices.ndim if axis == -1 else axis_of(axis, indices.ndim + 1)
    require(count >= 0, "depth is negative")
    checked_shape([*indices.shape, count])
    require(on.ndim == off.ndim == 0, "on_value and off_value must be scalars")
    classes = np.arange(count).reshape(-1, *[1] * (indices.ndim - axis))
    return np.where(np.expand_dims(indices, axis) == classes, on, off)
