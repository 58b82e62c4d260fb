"""What the windows of an image hold: the largest element, the mean, or all elements."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from pbslim.kernels.checks import Array, checked_shape, has_nan, lowest, require, vector
from pbslim.kernels.layouts import channels_last, data_format_of, from_channels_last
from pbslim.kernels.registry import Attributes, kernel
from pbslim.kernels.windows import Windows, spatial_pair


def _windows(attrs: Attributes, x: Array, sizes: Sequence[int], strides: Sequence[int], data_format: str) -> Windows:
    return Windows.of(
        attrs,
        x.shape,
        spatial_pair(sizes, data_format, "ksize"),
        strides=spatial_pair(strides, data_format, "strides"),
        data_format=data_format,
    )


def _largest(attrs: Attributes, x: Array, sizes: Sequence[int], strides: Sequence[int]) -> Array:
    data_format = data_format_of(attrs)
    x = channels_last(x, data_format)
    require(not has_nan(x), "the order of NaN is not defined")
    places = _windows(attrs, x, sizes, strides, data_format)
    start = lowest(x.dtype)
    shape = [x.shape[0], places.height.count, places.width.count, x.shape[3]]
    result = np.full(checked_shape(shape), start, x.dtype)
    for _, _, elements in places.contents(x, start):
        result = np.maximum(result, elements)
    return from_channels_last(result, data_format)


def largest_in_windows(attrs: Attributes, x: Array) -> Array:
    """The largest element of each window that a MaxPool node describes."""
    return _largest(attrs, x, attrs.integers("ksize"), attrs.integers("strides"))


@kernel("MaxPool", takes="half|bfloat16|float|double|integer")
def _max_pool(attrs: Attributes, x: Array) -> Array:
    return largest_in_windows(attrs, x)


@kernel("MaxPoolV2", takes="half|bfloat16|float|double|integer int32 int32")
def _max_pool_v2(attrs: Attributes, x: Array, ksize: Array, strides: Array) -> Array:
    return _largest(attrs, x, vector(ksize, "ksize"), vector(strides, "strides"))


@kernel("AvgPool", takes="half|bfloat16|float|double")
def _average_pool(attrs: Attributes, x: Array) -> Array:
    """Elements are added row by row, each sum rounded to the type; those outside do not count."""
    require(attrs.text("padding") != "EXPLICIT", "it has no explicit padding")
    data_format = data_format_of(attrs)
    x = channels_last(x, data_format)
    places = _windows(attrs, x, attrs.integers("ksize"), attrs.integers("strides"), data_format)
    inside = np.ones([1, *x.shape[1:3], 1], x.dtype)
    counts: Any = sum(there.astype(np.int64) for _, _, there in places.contents(inside, 0))
    total: Any = x.dtype.type(0)
    for _, _, elements in places.contents(x, 0):
        total = total + elements
    return from_channels_last(total / counts.astype(x.dtype), data_format)


@kernel("ExtractImagePatches", takes="real|bool|complex")
def _extract_image_patches(attrs: Attributes, x: Array) -> Array:
    """The elements of a window one after the other, channels innermost."""
    x = channels_last(x, "NHWC")
    require(attrs.text("padding") != "EXPLICIT", "it has no explicit padding")
    sizes, strides, rates = (
        spatial_pair(attrs.integers(name), "NHWC", name) for name in ("ksizes", "strides", "rates")
    )
    places = Windows.of(attrs, x.shape, sizes, strides=strides, dilations=rates)
    return np.concatenate([elements for _, _, elements in places.contents(x, 0)], -1)
