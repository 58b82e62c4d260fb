"""Windows of images: where the largest element is, and the largest sum with a filter."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from typing import Any

import numpy as np

from pbslim.dtypes import INT64
from pbslim.kernels.checks import STEP, Array, check_work, checked_shape, has_nan, lowest, require, require_defined
from pbslim.kernels.layouts import channels_last
from pbslim.kernels.registry import Attributes, kernel
from pbslim.kernels.windows import Windows, spatial_of


def _elements(places: Windows, size: int) -> Iterator[tuple[tuple[int, ...], tuple[Any, ...], tuple[Any, ...]]]:
    """For each place in a window: the place, which windows have it in the image, and where it is for them."""
    ranges = [axis.elements() for axis in places.axes]
    check_work(math.prod(map(len, ranges)) * (size + STEP))
    for element in itertools.product(*ranges):
        inside = [axis.inside(k) for axis, k in zip(places.axes, element, strict=True)]
        yield element, (slice(None), *(w for w, _ in inside)), (slice(None), *(e for _, e in inside))


@kernel("MaxPoolWithArgmax", takes="half|bfloat16|float|double|integer")
def _max_pool_with_argmax(attrs: Attributes, x: Array) -> list[Array]:
    """The first of equals; places are counted through height, width and channels, and batch if the node says so."""
    x = channels_last(x, "NHWC")
    require_defined(lambda: not has_nan(x), "the order of NaN is not defined")
    sizes, strides = (spatial_of(attrs.integers(name), "NHWC", name) for name in ("ksize", "strides"))
    places = Windows.of(attrs, x.shape, sizes, strides=strides)
    shape = checked_shape([x.shape[0], *places.counts, x.shape[-1]])
    largest = np.full(shape, lowest(x.dtype), x.dtype)
    found = np.full(shape, -1, np.int64)
    order = np.arange(math.prod(x.shape[1:])).reshape(1, *x.shape[1:])
    for _, windows, elements in _elements(places, largest.size):
        candidates = x[elements]
        better = candidates > largest[windows]
        np.copyto(largest[windows], candidates, where=better)
        np.copyto(found[windows], order[elements], where=better)
    if attrs.flag("include_batch_in_index"):
        found += np.arange(x.shape[0]).reshape(-1, 1, 1, 1) * order.size
    return [largest, found.astype(attrs.array_dtype("Targmax", INT64), copy=False)]


@kernel("Dilation2D", takes="T:half|bfloat16|float|double|integer T:half|bfloat16|float|double|integer")
def _dilation(attrs: Attributes, x: Array, filters: Array) -> Array:
    """The largest sum of an element of the window and that of a filter, for each channel; the dilation is of gray."""
    x = channels_last(x, "NHWC")
    require(filters.ndim == 3 and filters.shape[-1] == x.shape[-1], "filters must have a height, a width and channels")
    require_defined(lambda: not has_nan(x) and not has_nan(filters), "the order of NaN is not defined")
    strides, rates = (spatial_of(attrs.integers(name), "NHWC", name) for name in ("strides", "rates"))
    places = Windows.of(attrs, x.shape, filters.shape[:2], strides=strides, dilations=rates)
    result = np.full(checked_shape([x.shape[0], *places.counts, x.shape[-1]]), lowest(x.dtype), x.dtype)
    for element, windows, elements in _elements(places, result.size):
        part = result[windows]
        np.maximum(part, x[elements] + filters[element], out=part)
    return result


@kernel("ExtractVolumePatches", takes="real")
def _extract_volume_patches(attrs: Attributes, x: Array) -> Array:
    """The elements of a window one after the other, channels innermost."""
    x = channels_last(x, "NDHWC")
    require(attrs.text("padding") != "EXPLICIT", "it has no explicit padding")
    sizes, strides = (spatial_of(attrs.integers(name), "NDHWC", name) for name in ("ksizes", "strides"))
    places = Windows.of(attrs, x.shape, sizes, strides=strides, data_format="NDHWC")
    return places.patches(x)
