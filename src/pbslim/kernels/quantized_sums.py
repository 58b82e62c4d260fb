"""Sums and means of codes: both operands are brought to one range, in 32 bits."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeAlias

import numpy as np

from pbslim.dtypes import QINT32
from pbslim.kernels.checks import Array, require, scalar, vector
from pbslim.kernels.layouts import channels_last
from pbslim.kernels.quantization import (
    BELOW_2_31,
    Levels,
    bound_of,
    code_of,
    min_first_codes,
    min_first_scale,
    real_of,
    unclamped_code_of,
)
from pbslim.kernels.quantized_products import matched
from pbslim.kernels.registry import Attributes, kernel
from pbslim.kernels.resizing import Resize
from pbslim.kernels.windows import Windows, combined, spatial_of

Range: TypeAlias = "tuple[np.float32, np.float32]"
"""What the lowest and the highest code stand for."""

_F = np.float32
_32 = Levels(np.dtype(np.int32))
_RANGES = "float float float float"


def _ranges(bounds: Sequence[Array]) -> list[Range]:
    """Lower and upper ends in turn, as pairs."""
    found = [bound_of(each, "a bound") for each in bounds]
    require(np.isfinite(found).all(), "a range is not finite")
    return list(zip(found[::2], found[1::2], strict=True))


def _sum_range(bits: int, one: Range, other: Range) -> Range:
    """A range that leaves room for sums: so many bits more than the operands need."""
    high = _F(max(one[1], -one[0], other[1], -other[0]) * _F(1 << bits))
    return _F(-high), high


def _moved(x: Array, own: Range, new: Range) -> Array:
    """Eight-bit codes in another range, one by one in double precision: each of the 256 is done once."""
    levels = Levels(x.dtype)
    table = [code_of(float(real_of(code, *own, levels)), *new, _32) for code in range(levels.low, levels.high + 1)]
    return np.array(table, np.int64)[x.astype(np.int64) - levels.low]


def _moved_in_single_precision(x: Array, own: Range, new: Range) -> Array:
    levels = Levels(x.dtype)
    scale, base = min_first_scale(*own, levels)
    real = (base - _F(levels.low) * scale) + x.astype(_F) * scale
    codes = np.clip(min_first_codes(real, *new, _32), _F(_32.low), BELOW_2_31)
    return np.asarray(codes).astype(np.int64)


def _moved_by_step(x: Array, own: Range, new: Range) -> Array:
    """Eight-bit codes in another range: from what code 0 becomes, by whole steps as large as that to code 1."""
    levels = Levels(x.dtype)
    first, second = (unclamped_code_of(float(real_of(code, *own, levels)), *new, _32) for code in (0, 1))
    return np.asarray(np.clip(first + x.astype(np.int64) * (second - first), _32.low, _32.high))


@kernel("QuantizedBiasAdd", takes=f"quint8 quint8 {_RANGES}")
def _bias_add(attrs: Attributes, x: Array, bias: Array, *bounds: Array) -> list[Any]:
    require(attrs.dtype("out_type", QINT32) is QINT32, "the result can only be of type qint32")
    require(x.ndim >= 2 and bias.shape == x.shape[-1:], f"{bias.size} biases for the shape {list(x.shape)}")
    ranges = _ranges(bounds)
    new = _sum_range(17, *ranges)
    first, second = (_moved_in_single_precision(codes, own, new) for codes, own in zip((x, bias), ranges, strict=True))
    return [(first + second + code_of(0.0, *new, _32)).astype(np.int32), *new]


@kernel("QuantizedAdd", takes=f"quint8 quint8 {_RANGES}")
def _add(attrs: Attributes, a: Array, b: Array, *bounds: Array) -> list[Any]:
    require(attrs.dtype("Toutput", QINT32) is QINT32, "the result can only be of type qint32")
    operands = matched(a, b)
    ranges = _ranges(bounds)
    new = _sum_range(14, *ranges)
    first, second = (
        (_moved_by_step if x.size != 1 else _moved)(x, own, new) for x, own in zip(operands, ranges, strict=True)
    )
    return [(first + second).astype(np.int32), *new]


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
    [own] = _ranges(operands[:2])
    new = _F(-(1 << 20)), _F(1 << 20)
    mean, variance, beta, gamma = (_reals(*operands[k : k + 3]) for k in range(2, 14, 3))
    require(x.ndim == 4, "it needs 4 dimensions")
    for statistic in (mean, variance, beta, gamma):
        require(statistic.shape == x.shape[-1:], f"statistics must be vectors of {x.shape[-1]} elements")
    scale = _F(1) / np.sqrt(variance + attrs.number("variance_epsilon"))
    if attrs.flag("scale_after_normalization", None):
        scale = scale * gamma
    offset = -mean * scale + beta
    one = code_of(1.0, *new, _32)
    scales, offsets = (np.array([code_of(float(v), *new, _32) for v in each], np.int64) for each in (scale, offset))
    products = (_moved(x, own, new) * scales).astype(np.int32).astype(np.int64)
    return [(np.trunc(products / one).astype(np.int64) + offsets).astype(np.int32), *new]


def _reals(codes: Array, low: Array, high: Array) -> Array:
    [own] = _ranges((low, high))
    levels = Levels(codes.dtype)
    return np.array([real_of(int(code), *own, levels) for code in codes.reshape(-1)], _F).reshape(codes.shape)


_BITS = 7  # of the fraction by which a place lies between two pixels


@kernel("QuantizedResizeBilinear", takes="quint8 int32 float float")
def _resize(attrs: Attributes, images: Array, size: Array, low: Array, high: Array) -> list[Any]:
    """Between columns first, then between rows, in fixed point."""
    resize = Resize(attrs, images.shape, vector(size, "size"))
    bounds = [scalar(low, "min"), scalar(high, "max")]
    if resize.before == tuple(resize.after):
        return [images, *bounds]
    values = images.astype(np.int32)
    shape = [(1, -1, 1, 1), (1, 1, -1, 1)]
    weights, ends = [], []
    for axis in (0, 1):
        place = resize.centered(axis)
        floor = np.floor(place)
        upper = np.minimum(np.ceil(place).astype(np.int64), resize.before[axis] - 1)
        ends.append((np.minimum(np.maximum(floor, 0).astype(np.int64), upper), upper))
        weights.append(((place - floor) * _F(1 << _BITS)).astype(np.int32).reshape(shape[axis]))
    left, right = (values.take(end, 2) for end in ends[1])
    columns = (left << _BITS) + (right - left) * weights[1]
    top, bottom = (columns.take(end, 1) for end in ends[0])
    steps = np.trunc((bottom - top) / (1 << _BITS)).astype(np.int32)
    return [((top + steps * weights[0] + (1 << (_BITS - 1))) >> _BITS).astype(np.uint8), *bounds]
