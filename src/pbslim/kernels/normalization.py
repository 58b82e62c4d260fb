"""Normalization: of batches with given statistics, and of each element by its neighbours in depth."""

from __future__ import annotations

from typing import Any

import numpy as np

from pbslim.kernels.checks import Array, check_work, require, require_defined, widened
from pbslim.kernels.registry import Attributes, kernel

_DEFAULT_EPSILON = 1e-4
_RANKS = {"NHWC": 4, "NCHW": 4, "NDHWC": 5, "NCDHW": 5}


def _fused(attrs: Attributes, x: Array, scale: Array, offset: Array, mean: Array, variance: Array) -> list[Array]:
    """The result, then the statistics, once as outputs and once more as they serve the gradient.

    In inference the statistics are as they came; in training they are those of the batch.
    """
    data_format = attrs.text("data_format", "NHWC")
    require(data_format in _RANKS, f"data_format '{data_format}' is not known")
    require(x.ndim == _RANKS[data_format], f"{x.ndim} dimensions do not fit data_format {data_format}")
    axis = data_format.index("C")
    for vector in (scale, offset):
        require(vector.shape == (x.shape[axis],), f"scale and offset must be vectors of {x.shape[axis]} elements")
    if not attrs.flag("is_training", True):
        y = _normalized(attrs, x, axis, scale, offset, mean, variance)
        if not x.size:
            mean = variance = np.full_like(mean, np.nan)
        return [y, mean, variance, mean, variance]
    old_mean, old_variance, rest = mean, variance, tuple(i for i in range(x.ndim) if i != axis)
    count = x.size // max(x.shape[axis], 1)
    share = attrs.number("exponential_avg_factor", 1.0)
    require(count, "a batch without elements has no statistics")
    if share == 1:  # older releases refuse what they would not use
        none = old_mean.shape == old_variance.shape == (0,)
        require_defined(lambda: none, "in training there must be no statistics before")
    else:
        require(old_mean.shape == old_variance.shape == scale.shape, "there are no statistics before")
    wide = widened(x)
    mean, variance = (f(axis=rest, dtype=np.float64).astype(np.float32) for f in (wide.mean, wide.var))
    y = _normalized(attrs, x, axis, scale, offset, mean, variance)
    unbiased = variance * np.float32(count / max(count - 1, 1))
    if share == 1:
        return [y, mean, unbiased, mean, variance]
    moved = [old * (1 - share) + new * share for old, new in ((old_mean, mean), (old_variance, unbiased))]
    return [y, *moved, mean, variance]


def _normalized(
    attrs: Attributes, x: Array, axis: int, scale: Array, offset: Array, mean: Array, variance: Array
) -> Array:
    for vector in (mean, variance):
        require(vector.shape == (x.shape[axis],), f"statistics must be vectors of {x.shape[axis]} elements")
    channels = [-1 if i == axis else 1 for i in range(x.ndim)]
    factor = scale / np.sqrt(variance + attrs.number("epsilon", _DEFAULT_EPSILON))
    wide = widened(x)
    y = np.asarray(np.subtract(wide, mean.reshape(channels), out=attrs.out(x.shape, x) if wide is x else wide))
    y *= factor.reshape(channels)
    y += offset.reshape(channels)
    return y.astype(x.dtype, copy=False)


kernel("FusedBatchNorm", takes="T:float T:float T:float T:float T:float")(_fused)
kernel("FusedBatchNormV2", takes="half|bfloat16|float float float float float")(_fused)


@kernel("FusedBatchNormV3", takes="half|bfloat16|float float float float float")
def _fused_v3(attrs: Attributes, *operands: Array) -> list[Array]:
    return [*_fused(attrs, *operands), np.zeros((), np.float32)]


@kernel("BatchNormWithGlobalNormalization", takes="T:float T:float T:float T:float T:float")
def _global(attrs: Attributes, x: Array, mean: Array, variance: Array, beta: Array, gamma: Array) -> Any:
    require(x.ndim == 4, "it needs 4 dimensions")
    for vector in (mean, variance, beta, gamma):
        require(vector.shape == x.shape[-1:], f"statistics must be vectors of {x.shape[-1]} elements")
    factor = 1 / np.sqrt(variance + attrs.number("variance_epsilon"))
    if attrs.flag("scale_after_normalization", None):
        factor = factor * gamma
    y = np.subtract(x, mean, out=attrs.out(x.shape, x))
    y *= factor
    y += beta
    return y


@kernel("LRN", takes="half|bfloat16|float")
def _local_response(attrs: Attributes, x: Array) -> Any:
    """By the sum of squares in a window of channels."""
    require(x.ndim == 4, "it needs 4 dimensions")
    radius = attrs.integer("depth_radius", 5)
    require(radius >= 0, "depth_radius is negative")
    bias, alpha, beta = attrs.number("bias", 1.0), attrs.number("alpha", 1.0), attrs.number("beta", 0.5)
    wide = widened(x)
    squares = np.square(wide)
    total = squares.copy()
    reach = min(radius + 1, x.shape[-1])
    check_work(reach * x.size)
    for distance in range(1, reach):
        total[..., distance:] += squares[..., :-distance]
        total[..., :-distance] += squares[..., distance:]
    return (wide * np.power(total * alpha + bias, -beta)).astype(x.dtype)
