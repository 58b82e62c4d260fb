"""Convolutions: products of matrices over the contents of windows, and sums of products for each channel alone."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import TypeAlias

import numpy as np
from numpy.lib.stride_tricks import as_strided

from pbslim.cores import in_parallel
from pbslim.kernels.checks import Array, check_products, checked_shape, require, require_defined, widened
from pbslim.kernels.layouts import channels_last, data_format_of, from_channels_last
from pbslim.kernels.registry import Attributes, kernel
from pbslim.kernels.windows import Box, Windows, spatial_of

Finish: TypeAlias = "Callable[[Array], None]"
"""What is to be done in place with each part of the result, [places, channels], while it is in the cache."""

_BLOCK = 2**18  # elements that are worked on together: they stay in the cache, and products of matrices are still fast
_LEAST_ROWS = 256  # of a product, which rearranges its other matrix first
_TILE = 2**17  # elements of repeated depthwise filters, and of a row of the result
_TYPES = "T:half|bfloat16|float|double"


_IMAGES = ("NHWC", "NCHW")
_VOLUMES = ("NDHWC", "NCDHW")


@kernel("Conv2D", takes=f"{_TYPES}|int32 {_TYPES}|int32")
def _conv_2d(attrs: Attributes, x: Array, filters: Array) -> Array:
    return conv_2d(attrs, x, filters)


def conv_2d(attrs: Attributes, x: Array, filters: Array, finish: Finish | None = None) -> Array:
    """What a Conv2D node gives, with `finish` done to it."""
    return _convolution(attrs, x, filters, finish, *_IMAGES)


@kernel("Conv3D", takes=f"{_TYPES} {_TYPES}")
def _conv_3d(attrs: Attributes, x: Array, filters: Array) -> Array:
    return _convolution(attrs, x, filters, None, *_VOLUMES)


@kernel("DepthwiseConv2dNative", takes=f"{_TYPES} {_TYPES}")
def _depthwise_conv_2d(attrs: Attributes, x: Array, filters: Array) -> Array:
    return depthwise_conv_2d(attrs, x, filters)


def depthwise_conv_2d(attrs: Attributes, x: Array, filters: Array, finish: Finish | None = None) -> Array:
    """What a DepthwiseConv2dNative node gives, with `finish` done to it.

    TensorFlow's own kernel refuses dilations, that of oneDNN follows them, and 1.x ignored them.
    """
    require(filters.ndim == 4, "filters must have 4 dimensions")
    dilations = attrs.integers("dilations", (1,) * 4)
    require_defined(lambda: dilations == [1] * 4, "releases of TensorFlow differ in what its dilations do")
    data_format = data_format_of(attrs)
    down, across = spatial_of(attrs.integers("strides"), data_format, "strides")
    require(down == across, "strides down and across differ")
    channels, (height, width, inner, multiplier) = channels_last(x, data_format).shape[-1], filters.shape
    require(inner == channels, f"filters for {inner} channels do not fit {channels} channels")
    return _convolution(attrs, x, filters.reshape(height, width, 1, channels * multiplier), finish, *_IMAGES)


def _places(attrs: Attributes, shape: tuple[int, ...], filters: tuple[int, ...], data_format: str) -> Windows:
    """The windows in images of `shape`, whose channels come last, for filters of the other."""
    rank = len(data_format)
    require(len(filters) == rank, f"filters must have {rank} dimensions")
    channels, (*sizes, inner, outer) = shape[-1], filters
    require(inner and channels % inner == 0, f"filters for {inner} channels do not fit {channels} channels")
    groups = channels // inner
    require(groups and outer % groups == 0, f"{outer} filters cannot be shared by {groups} groups of channels")
    strides = spatial_of(attrs.integers("strides"), data_format, "strides")
    dilations = spatial_of(attrs.integers("dilations", (1,) * rank), data_format, "dilations")
    return Windows.of(attrs, shape, sizes, strides=strides, dilations=dilations, data_format=data_format)


def _convolution(attrs: Attributes, x: Array, filters: Array, finish: Finish | None, *formats: str) -> Array:
    """As many groups of channels as there are more channels than those that a filter takes."""
    data_format = data_format_of(attrs, *formats)
    images = channels_last(x, data_format)
    key = images.shape, filters.shape
    places = attrs.derived(key, lambda: _places(attrs, images.shape, filters.shape, data_format))
    shape = checked_shape([images.shape[0], *places.counts, filters.shape[-1]])
    check_products(math.prod(shape) * math.prod(filters.shape[:-1]), filters.dtype)
    result = np.empty(shape, widened(filters[:0]).dtype)
    wide = np.ascontiguousarray(widened(images))
    if filters.shape[-2] == 1 < images.shape[-1] and len(formats[0]) == len(_IMAGES[0]):
        _each_channel(wide, widened(filters), places, result, finish)
    else:
        _products(wide, widened(filters), places, result, finish)
    return from_channels_last(result.astype(filters.dtype, copy=False), data_format)


def _products(images: Array, filters: Array, places: Windows, result: Array, finish: Finish | None) -> None:
    """One product for each group and block of windows, whose contents are the rows of a matrix.

    What needs no padding and lies in the right order already, as for filters of one element, is not copied for that.
    """
    *sizes, inner, outer = filters.shape
    length, groups = math.prod(sizes) * inner, images.shape[-1] // inner
    rows = result.reshape(-1, outer)
    grouped = filters.reshape(length, groups, outer // groups)

    def compute(box: Box, part: Array) -> None:
        windows = places.view(places.region(images, box), box)
        if groups == 1:
            np.matmul(windows.reshape(len(part), length), grouped[:, 0], out=part)
        else:
            apart = np.moveaxis(windows.reshape(*windows.shape[:-1], groups, inner), -2, 0)
            products = apart.reshape(groups, len(part), length) @ grouped.swapaxes(0, 1)
            part.reshape(len(part), groups, -1)[...] = products.swapaxes(0, 1)
        if finish is not None:
            finish(part)

    parts, start = [], 0
    for box in places.boxes(images.shape[0], max(_BLOCK // max(length * groups, 1), _LEAST_ROWS)):
        count = math.prod(result[box].shape[:-1])
        parts.append((box, rows[start : start + count]))
        start += count
    in_parallel(lambda part: compute(*part), parts)


def _each_channel(images: Array, filters: Array, places: Windows, result: Array, finish: Finish | None) -> None:
    """Each channel by filters of its own.

    The channels of neighboring pixels lie side by side, so with the filters repeated for each pixel the sums run along
    whole rows.
    """
    height, width, _, channels = filters.shape
    if channels > images.shape[-1]:
        images = images.repeat(channels // images.shape[-1], axis=-1)
    down, across = places.axes
    step = min(max(_TILE // max(height * width * channels, 1), 1), max(across.count, 1))
    repeated = np.empty([height, width, step, channels], filters.dtype)
    repeated[...] = filters
    repeated = repeated.reshape(height, width, step * channels)
    limit = max(_BLOCK // max(2 * down.stride * across.stride * channels, 1), step)
    for first in range(0, across.count, step):
        columns = slice(first, min(first + step, across.count))
        part = places if step == across.count else Windows((down, across.some(columns)))
        for box in part.boxes(images.shape[0], limit):
            total = result[box[0], box[1], columns]
            rows = total.reshape(*total.shape[:2], -1)
            region = part.region(images, box)
            for k, (elements, windows) in enumerate(_by_phase(region, rows.shape, part)):
                sums = np.einsum(
                    "nhijk,ijk->nhk", windows, repeated[:, elements, : rows.shape[-1]], out=None if k else rows
                )
                if k:
                    rows += sums
            if finish is not None:
                finish(total)


def _by_phase(region: Array, rows: tuple[int, ...], places: Windows) -> Iterator[tuple[slice, Array]]:
    """Rows of the windows' elements across, those together that are equally far from the pixels where windows begin.

    With each, which elements they are. The shape is [batch, windows down, elements down, elements across, row].
    """
    down, across = places.axes
    stride, dilation = across.stride, across.dilation
    period = stride // math.gcd(stride, dilation)
    for first in range(min(period, across.size)):
        phase, ahead = first * dilation % stride, first * dilation // stride
        pixels = np.ascontiguousarray(region[:, :, phase::stride]) if stride > 1 else region
        batch, row, pixel, element = pixels.strides
        elements = slice(first, across.size, period)
        shape = (rows[0], rows[1], down.size, len(range(across.size)[elements]), rows[2])
        strides = (batch, row * down.stride, row * down.dilation, pixel * (period * dilation // stride), element)
        yield elements, as_strided(pixels[:, :, ahead:], shape, strides, writeable=False)
