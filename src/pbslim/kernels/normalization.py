"""Normalization: of batches with given statistics, and of each element by its neighbours in depth."""

from __future__ import annotations

from typing import Any

import numpy as np

from pbslim.kernels.checks import Array, check_work, require, widened
from pbslim.kernels.registry import Attributes, kernel

_DEFAULT_EPSILON = 1e-4
_RANKS = {"NHWC": 4, "NCHW": 4, "NDHWC": 5, "NCDHW": 5}


def _channel_axis(attrs: Attributes, x: Array) -> int:
    data_format = attrs.text("data_format", "NHWC")
    require(data_format in _RANKS, f"data_format '{data_format}' is not known")
    require(x.ndim == _RANKS[data_format], f"{x.ndim} dimensions do not fit data_format {data_format}")
    return data_format.index("C")


def _normalized(attrs: Attributes, x: Array, axis: int, statistics: tuple[Array, ...]) -> Array:
    """By scale, offset, mean and variance of each channel."""
    for vector in statistics:
        require(vector.shape == (x.shape[axis],), f"statistics must be vectors of {x.shape[axis]} elements")
    scale, offset, mean, variance = statistics
    channels = [-1 if i == axis else 1 for i in range(x.ndim)]
    factor = scale / np.sqrt(variance + attrs.number("epsilon", _DEFAULT_EPSILON))
    wide = widened(x)
    y = np.asarray(np.subtract(wide, mean.reshape(channels), out=attrs.out(x.shape, x) if wide is x else wide))
    y *= factor.reshape(channels)
    y += offset.reshape(channels)
    return y.astype(x.dtype, copy=False)


def _inference(attrs: Attributes, x: Array, scale: Array, offset: Array, mean: Array, variance: Array) -> list[Array]:
    """The result, then the statistics as they came, once as outputs and once more as they serve the gradient."""
    require(not attrs.flag("is_training", True), "in training it makes statistics of its own")
    y = _normalized(attrs, x, _channel_axis(attrs, x), (scale, offset, mean, variance))
    if not x.size:
        mean = variance = np.full_like(mean, np.nan)
    return [y, mean, variance, mean, variance]


def normalized_by_itself(
    attrs: Attributes, x: Array, scale: Array, offset: Array, mean: Array, variance: Array
) -> list[Array]:
    """What a FusedBatchNorm of any version gives in training: by the statistics of the batch.

    Then mean and variance (that of the population) as they go into the running ones, and as they are in the batch.
    """
    axis = _channel_axis(attrs, x)
    others, count = tuple(i for i in range(x.ndim) if i != axis), x.size // max(x.shape[axis], 1)
    require(count, "a batch without elements has no statistics")
    wide = widened(x)
    own_mean = wide.mean(axis=others, dtype=np.float64, keepdims=True)
    own_variance = np.square(wide - own_mean).mean(axis=others).astype(np.float32)
    found = own_mean.reshape(-1).astype(np.float32), own_variance * np.float32(count / max(count - 1, 1))
    y = _normalized(attrs, x, axis, (scale, offset, found[0], own_variance))
    share = attrs.number("exponential_avg_factor", 1.0)
    if share != 1:
        require(mean.shape == variance.shape == scale.shape, "statistics must be vectors of as many elements as scale")
        found = (1 - share) * mean + share * found[0], (1 - share) * variance + share * found[1]
    return [y, *found, own_mean.reshape(-1).astype(np.float32), own_variance]


kernel("FusedBatchNorm", takes="T:float T:float T:float T:float T:float")(_inference)
kernel("FusedBatchNormV2", takes="half|bfloat16|float float float float float")(_inference)


@kernel("FusedBatchNormV3", takes="half|bfloat16|float float float float float")
def _inference_v3(attrs: Attributes, *operands: Array) -> list[Array]:
    return [*_inference(attrs, *operands), np.zeros((), np.float32)]


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
