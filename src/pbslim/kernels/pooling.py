"""What the windows of an image hold: the largest element, the mean, or all elements."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from pbslim.kernels.checks import (
    STEP,
    Array,
    check_work,
    checked_shape,
    has_nan,
    lowest,
    require,
    require_defined,
    vector,
    widened,
)
from pbslim.kernels.layouts import channels_last, data_format_of, from_channels_last
from pbslim.kernels.registry import Attributes, kernel
from pbslim.kernels.windows import Windows, combined, spatial_of

_VOLUMES = ("NDHWC", "NCDHW")


def pooled_windows(
    attrs: Attributes, shape: tuple[int, ...], sizes: Sequence[int], strides: Sequence[int], data_format: str
) -> Windows:
    """Where the windows are in images of a shape whose channels come last."""

    def derive() -> Windows:
        places = Windows.of(
            attrs,
            shape,
            spatial_of(sizes, data_format, "ksize"),
            strides=spatial_of(strides, data_format, "strides"),
            data_format=data_format,
        )
        checked_shape([shape[0], *places.counts, shape[-1]])
        return places

    return attrs.derived((shape, *sizes, *strides), derive)


def _largest(attrs: Attributes, x: Array, sizes: Sequence[int], strides: Sequence[int], *formats: str) -> Array:
    data_format = data_format_of(attrs, *formats)
    x = channels_last(x, data_format)
    places = pooled_windows(attrs, x.shape, sizes, strides, data_format)
    result = combined(widened(x), places, lowest(x.dtype), np.maximum)
    require_defined(lambda: not has_nan(result), "the order of NaN is not defined")
    return from_channels_last(result.astype(x.dtype, copy=False), data_format)


def largest_in_windows(attrs: Attributes, x: Array, *formats: str) -> Array:
    """The largest element of each window that a MaxPool node describes."""
    return _largest(attrs, x, attrs.integers("ksize"), attrs.integers("strides"), *formats)


@kernel("MaxPool", takes="half|bfloat16|float|double|integer")
def _max_pool(attrs: Attributes, x: Array) -> Array:
    return largest_in_windows(attrs, x)


@kernel("MaxPoolV2", takes="half|bfloat16|float|double|integer int32 int32")
def _max_pool_v2(attrs: Attributes, x: Array, ksize: Array, strides: Array) -> Array:
    return _largest(attrs, x, vector(ksize, "ksize"), vector(strides, "strides"))


@kernel("MaxPool3D", takes="half|bfloat16|float")
def _max_pool_3d(attrs: Attributes, x: Array) -> Array:
    return largest_in_windows(attrs, x, *_VOLUMES)


def _mean(attrs: Attributes, x: Array, *formats: str) -> Array:
    """Elements outside do not count; of half types each sum is rounded, row by row."""
    require(attrs.text("padding") != "EXPLICIT", "it has no explicit padding")
    data_format = data_format_of(attrs, *formats)
    x = channels_last(x, data_format)
    places = pooled_windows(attrs, x.shape, attrs.integers("ksize"), attrs.integers("strides"), data_format)
    total = _rounded_sums(x, places) if x.dtype.itemsize == 2 else combined(x, places, 0, np.add)
    return from_channels_last(np.divide(total, elements_inside(places).astype(x.dtype), out=total), data_format)


def elements_inside(places: Windows) -> Array:
    """How many elements of each window are in the image."""
    return combined(np.ones([1, *(axis.image for axis in places.axes), 1], np.int64), places, 0, np.add)


def _rounded_sums(x: Array, places: Windows) -> Array:
    total = np.zeros([x.shape[0], *places.counts, x.shape[-1]], x.dtype)
    check_work(math.prod(len(axis.elements()) for axis in places.axes) * (total.size + STEP))
    for windows, elements in places.elements():
        total[windows] += x[elements]
    return total


@kernel("AvgPool", takes="half|bfloat16|float|double")
def _average_pool(attrs: Attributes, x: Array) -> Array:
    return _mean(attrs, x)


@kernel("AvgPool3D", takes="half|bfloat16|float|double")
def _average_pool_3d(attrs: Attributes, x: Array) -> Array:
    return _mean(attrs, x, *_VOLUMES)


@kernel("ExtractImagePatches", takes="real|bool|complex")
def _extract_image_patches(attrs: Attributes, x: Array) -> Array:
    """The elements of a window one after the other, channels innermost."""
    x = channels_last(x, "NHWC")
    require(attrs.text("padding") != "EXPLICIT", "it has no explicit padding")
    sizes, strides, rates = (spatial_of(attrs.integers(name), "NHWC", name) for name in ("ksizes", "strides", "rates"))
    return Windows.of(attrs, x.shape, sizes, strides=strides, dilations=rates).patches(x)
