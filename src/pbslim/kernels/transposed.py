"""Transposed convolutions: what would have to go into a convolution so that its gradient comes out."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from pbslim.kernels.checks import Array, check_products, checked_shape, require, vector, widened
from pbslim.kernels.layouts import channels_last, data_format_of, from_channels_last
from pbslim.kernels.products import multiplied
from pbslim.kernels.registry import Attributes, kernel
from pbslim.kernels.windows import Box, Windows, spatial_of

_BLOCK = 2**19  # elements of windows that are made at a time
_TYPES = "T:half|bfloat16|float|double"


def _sizes(values: list[int], filters: Array, gradient: Array, data_format: str) -> list[int]:
    """The shape of the result, channels last; spatial sizes alone may be given."""
    rank = len(data_format)
    if len(values) == rank - 2:
        return [gradient.shape[0], *values, filters.shape[-2]]
    require(len(values) == rank, f"input_sizes must have {rank} elements")
    return values if data_format.endswith("C") else [values[0], *values[2:], values[1]]


def _places(
    attrs: Attributes, shape: list[int], filters: Array, gradient: Array, data_format: str, *, dilated: bool
) -> Windows:
    """The windows of the convolution that gives the gradient's shape from that of the result."""
    rank = len(data_format)
    require(filters.ndim == rank, f"filters must have {rank} dimensions")
    strides = spatial_of(attrs.integers("strides"), data_format, "strides")
    dilations = spatial_of(attrs.integers("dilations", (1,) * rank), data_format, "dilations")
    require(dilated or dilations == [1] * (rank - 2), "releases of TensorFlow differ in what its dilations do")
    places = Windows.of(
        attrs, tuple(shape), filters.shape[:-2], strides=strides, dilations=dilations, data_format=data_format
    )
    expected = [shape[0], *places.counts]
    require(
        list(gradient.shape[:-1]) == expected,
        f"out_backprop has the shape {list(gradient.shape[:-1])} without channels, expected {expected}",
    )
    return places


def _spread(result: Array, places: Windows, what: Callable[[tuple[int, ...], Box], Array]) -> None:
    """Add to the result what the n-th elements of windows get, where they lie."""
    for element in np.ndindex(*places.sizes):
        pairs = [axis.inside(k) for axis, k in zip(places.axes, element, strict=True)]
        there = (slice(None), *(inside for _, inside in pairs))
        result[there] += what(element, (slice(None), *(windows for windows, _ in pairs)))


def _transposed(attrs: Attributes, sizes: Array, filters: Array, out_backprop: Array, data_format: str) -> Array:
    gradient = channels_last(widened(out_backprop), data_format)
    shape = _sizes(vector(sizes, "input_sizes"), filters, gradient, data_format)
    places = _places(attrs, shape, filters, gradient, data_format, dilated=True)
    inner, outer = filters.shape[-2:]
    require(gradient.shape[-1] == outer, f"{gradient.shape[-1]} channels of out_backprop for {outer} filters")
    require(inner and shape[-1] % inner == 0, f"filters for {inner} channels do not fit {shape[-1]} channels")
    groups = shape[-1] // inner
    require(outer % groups == 0, f"{outer} filters cannot be shared by {groups} groups of channels")
    wide = widened(filters)
    result = np.zeros(checked_shape(shape), wide.dtype)
    check_products(gradient.size * math.prod(filters.shape[:-1]), wide.dtype)
    elements = math.prod(filters.shape[:-2])
    matrices = wide.reshape(elements * inner, groups, outer // groups).transpose(1, 2, 0)
    for box in places.boxes(shape[0], _BLOCK // max(elements * shape[-1], 1)):
        part = gradient[box]
        apart = part.reshape(*part.shape[:-1], groups, outer // groups)
        for group in range(groups):
            products = multiplied(apart[..., group, :].reshape(-1, outer // groups), matrices[group])
            windows = products.reshape(*part.shape[:-1], *filters.shape[:-1])
            channels = slice(group * inner, (group + 1) * inner)
            _spread(result[box[0], ..., channels], places.some(box), partial(_taken, windows))
    return from_channels_last(result.astype(filters.dtype, copy=False), data_format)


def _taken(windows: Array, element: tuple[int, ...], part: Box) -> Array:
    """An element of some windows of the shape [batch, counts, sizes, channels]."""
    index: tuple[slice | int, ...] = (*part, *element)
    found: Array = windows[index]
    return found


@kernel("Conv2DBackpropInput", takes=f"int32 {_TYPES}|int32 {_TYPES}|int32")
def _transposed_2d(attrs: Attributes, sizes: Array, filters: Array, out_backprop: Array) -> Array:
    return _transposed(attrs, sizes, filters, out_backprop, data_format_of(attrs))


@kernel("Conv3DBackpropInputV2", takes=f"index {_TYPES} {_TYPES}")
def _transposed_3d(attrs: Attributes, sizes: Array, filters: Array, out_backprop: Array) -> Array:
    return _transposed(attrs, sizes, filters, out_backprop, data_format_of(attrs, "NDHWC", "NCDHW"))


@kernel("DepthwiseConv2dNativeBackpropInput", takes=f"int32 {_TYPES} {_TYPES}")
def _transposed_depthwise(attrs: Attributes, sizes: Array, filters: Array, out_backprop: Array) -> Any:
    data_format = data_format_of(attrs)
    gradient = channels_last(widened(out_backprop), data_format)
    shape = _sizes(vector(sizes, "input_sizes"), filters, gradient, data_format)
    places = _places(attrs, shape, filters, gradient, data_format, dilated=False)
    channels, multiplier = filters.shape[2:]
    require(shape[-1] == channels, f"filters for {channels} channels do not fit {shape[-1]} channels")
    require(gradient.shape[-1] == channels * multiplier, "out_backprop and filters do not fit")
    wide = widened(filters)
    result = np.zeros(checked_shape(shape), wide.dtype)
    check_products(gradient.size * math.prod(filters.shape[:2]), wide.dtype)
    for box in places.boxes(shape[0], _BLOCK // max(channels * multiplier, 1)):
        part = gradient[box]
        apart = part.reshape(*part.shape[:-1], channels, multiplier)
        _spread(result[box[0]], places.some(box), partial(_filtered, apart, wide))
    return from_channels_last(result.astype(filters.dtype, copy=False), data_format)


def _filtered(gradient: Array, filters: Array, element: tuple[int, ...], part: Box) -> Array:
    """Some gradients [batch, counts, channels, multiplier] times an element of their filters."""
    if gradient.shape[-1] == 1:
        return np.asarray(gradient[part][..., 0] * filters[element][..., 0])
    return np.asarray(np.einsum("nhwcm,cm->nhwc", gradient[part], filters[element]))
