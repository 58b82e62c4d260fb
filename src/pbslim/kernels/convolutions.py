"""Convolutions."""

from __future__ import annotations

import math

import numpy as np

from pbslim.kernels.checks import Array, check_products, checked_shape, require, widened
from pbslim.kernels.layouts import channels_last, data_format_of, from_channels_last
from pbslim.kernels.registry import Attributes, kernel
from pbslim.kernels.windows import Windows, spatial_pair

_ONES = (1, 1, 1, 1)


def _operands(attrs: Attributes, x: Array, filters: Array) -> tuple[str, Array]:
    """The data format, and the images with their channels last."""
    require(filters.ndim == 4, "filters must have 4 dimensions")
    data_format = data_format_of(attrs)
    return data_format, channels_last(x, data_format)


def _convolution(attrs: Attributes, images: Array, filters: Array, dilations: list[int], data_format: str) -> Array:
    """Groups of channels apart, with `filters` of the shape [height, width, groups, channels in, channels out]."""
    strides = spatial_pair(attrs.integers("strides"), data_format, "strides")
    places = Windows.of(
        attrs, images.shape, filters.shape[:2], strides=strides, dilations=dilations, data_format=data_format
    )
    _, _, groups, inner, outer = filters.shape
    shape = checked_shape([images.shape[0], places.height.count, places.width.count, groups * outer])
    check_products(math.prod(shape) * math.prod(filters.shape[:2]) * inner, filters.dtype)
    wide = widened(filters)
    total = np.zeros([groups, shape[0] * shape[1] * shape[2], outer], wide.dtype)
    for i, j, elements in places.contents(widened(images), 0):
        total += elements.reshape(total.shape[1], groups, inner).swapaxes(0, 1) @ wide[i, j]
    return from_channels_last(total.swapaxes(0, 1).reshape(shape).astype(filters.dtype, copy=False), data_format)


@kernel("Conv2D", takes="T:half|bfloat16|float|double|int32 T:half|bfloat16|float|double|int32")
def _conv_2d(attrs: Attributes, x: Array, filters: Array) -> Array:
    data_format, images = _operands(attrs, x, filters)
    channels = images.shape[3]
    height, width, inner, outer = filters.shape
    require(inner and channels % inner == 0, f"filters for {inner} channels do not fit {channels} channels")
    groups = channels // inner
    require(groups and outer % groups == 0, f"{outer} filters cannot be shared by {groups} groups of channels")
    grouped = filters.reshape(height, width, inner, groups, outer // groups).swapaxes(2, 3)
    dilations = spatial_pair(attrs.integers("dilations", _ONES), data_format, "dilations")
    return _convolution(attrs, images, grouped, dilations, data_format)


@kernel("DepthwiseConv2dNative", takes="T:half|bfloat16|float|double T:half|bfloat16|float|double")
def _depthwise(attrs: Attributes, x: Array, filters: Array) -> Array:
    data_format, images = _operands(attrs, x, filters)
    channels = images.shape[3]
    require(filters.shape[2] == channels, f"filters for {filters.shape[2]} channels do not fit {channels} channels")
    require(attrs.integers("dilations", _ONES) == [*_ONES], "releases of TensorFlow differ in what its dilations do")
    down, across = spatial_pair(attrs.integers("strides"), data_format, "strides")
    require(down == across, "strides down and across differ")
    return _convolution(attrs, images, filters[:, :, :, None], [1, 1], data_format)
