"""Sums and means of codes: both operands are brought to one range, in 32 bits."""

from __future__ import annotations

from typing import Any

import numpy as np

from pbslim.dtypes import QINT32
from pbslim.kernels.checks import Array, require, scalar
from pbslim.kernels.layouts import channels_last
from pbslim.kernels.quantization import (
    Levels,
    bound_of,
    code_of,
    min_first_codes,
    min_first_scale,
    real_of,
)
from pbslim.kernels.quantized_products import broadcast_last
from pbslim.kernels.registry import Attributes, kernel
from pbslim.kernels.windows import Windows, combined, spatial_of

_F = np.float32
_32 = Levels(np.dtype(np.int32))
_RANGES = "float float float float"
_ROOM = _F(1 << 14)  # how much larger the range of a sum is than those of its operands


def _sum_range(*bounds: np.float32) -> tuple[np.float32, np.float32]:
    low_a, high_a, low_b, high_b = bounds
    high = _F(max(high_a, -low_a, high_b, -low_b) * _ROOM)
    return _F(-high), high


def _moved(x: Array, low: np.float32, high: np.float32, new: tuple[np.float32, np.float32]) -> Array:
    """Eight-bit codes in another range, one by one in double precision: each of the 256 is done once."""
    levels = Levels(x.dtype)
    table = [code_of(float(real_of(code, low, high, levels)), *new, _32) for code in range(levels.low, levels.high + 1)]
    return np.array(table, np.int64)[x.astype(np.int64) - levels.low]


def _moved_in_single_precision(
    x: Array, low: np.float32, high: np.float32, new: tuple[np.float32, np.float32]
) -> Array:
    levels = Levels(x.dtype)
    scale, base = min_first_scale(low, high, levels)
    real = (base - _F(levels.low) * scale) + x.astype(_F) * scale
    codes = np.clip(min_first_codes(real, *new, _32), _F(_32.low), np.nextafter(_F(2**31), _F(0)))
    return np.asarray(codes).astype(np.int64)


def _bounds(ranges: tuple[Array, ...]) -> list[np.float32]:
    bounds = [bound_of(each, "a bound") for each in ranges]
    require(np.isfinite(bounds).all(), "a range is not finite")
    return bounds


@kernel("QuantizedBiasAdd", takes=f"quint8 quint8 {_RANGES}")
def _bias_add(attrs: Attributes, x: Array, bias: Array, *ranges: Array) -> list[Any]:
    require(attrs.dtype("out_type", QINT32) is QINT32, "the result can only be of type qint32")
    require(x.ndim >= 2 and bias.shape == x.shape[-1:], f"{bias.size} biases for the shape {list(x.shape)}")
    bounds = _bounds(ranges)
    new = _sum_range(*bounds)
    zero = code_of(0.0, *new, _32)
    total = _moved_in_single_precision(x, *bounds[:2], new) + _moved_in_single_precision(bias, *bounds[2:], new) - zero
    return [total.astype(np.int32), *new]


@kernel("QuantizedAdd", takes=f"quint8 quint8 {_RANGES}")
def _add(attrs: Attributes, a: Array, b: Array, *ranges: Array) -> list[Any]:
    require(attrs.dtype("Toutput", QINT32) is QINT32, "the result can only be of type qint32")
    broadcast_last(a, b)
    bounds = _bounds(ranges)
    new = _sum_range(*bounds)
    return [(_moved(a, *bounds[:2], new) + _moved(b, *bounds[2:], new)).astype(np.int32), *new]


@kernel("QuantizedAvgPool", takes="quint8 float float")
def _average_pool(attrs: Attributes, x: Array, min_input: Array, max_input: Array) -> list[Any]:
    """The whole part of the mean of the codes."""
    x = channels_last(x, "NHWC")
    sizes, strides = (spatial_of(attrs.integers(name), "NHWC", name) for name in ("ksize", "strides"))
    places = Windows.of(attrs, x.shape, sizes, strides=strides)
    total = combined(x.astype(np.int32), places, 0, np.add)
    counts = combined(np.ones((1, *x.shape[1:3], 1), np.int32), places, 0, np.add)
    means = total // np.maximum(counts, 1)
    return [means.astype(np.uint8), scalar(min_input, "min_input"), scalar(max_input, "max_input")]


@kernel("QuantizedBatchNormWithGlobalNormalization", takes="quint8 float float " * 5)
def _batch_norm(attrs: Attributes, x: Array, *operands: Array) -> list[Any]:
    """In fixed point with the range of a million on either side."""
    bounds = _bounds((operands[0], operands[1]))
    new = _F(-(1 << 20)), _F(1 << 20)
    mean, variance, beta, gamma = (_reals(*operands[k : k + 3]) for k in range(2, 14, 3))
    require(x.ndim == 4, "it needs 4 dimensions")
    for vector in (mean, variance, beta, gamma):
        require(vector.shape == x.shape[-1:], f"statistics must be vectors of {x.shape[-1]} elements")
    scale = _F(1) / np.sqrt(variance + attrs.number("variance_epsilon"))
    if attrs.flag("scale_after_normalization", None):
        scale = scale * gamma
    offset = -mean * scale + beta
    one = code_of(1.0, *new, _32)
    scales, offsets = (np.array([code_of(float(v), *new, _32) for v in each], np.int64) for each in (scale, offset))
    products = (_moved(x, *bounds, new) * scales).astype(np.int32).astype(np.int64)
    return [(np.trunc(products / one).astype(np.int64) + offsets).astype(np.int32), *new]


def _reals(codes: Array, low: Array, high: Array) -> Array:
    bounds, levels = _bounds((low, high)), Levels(codes.dtype)
    return np.array([real_of(int(code), *bounds, levels) for code in codes.reshape(-1)], _F).reshape(codes.shape)
