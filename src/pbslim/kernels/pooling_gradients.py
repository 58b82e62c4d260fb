"""Gradients of pooling: what each window hands back to its elements."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

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
from pbslim.kernels.pooling import elements_inside, pooled_windows
from pbslim.kernels.registry import Attributes, kernel
from pbslim.kernels.windows import Box, Windows, combined


def _windows(attrs: Attributes, shape: tuple[int, ...], gradients: Array, data_format: str) -> Windows:
    """Where the windows are in images of a shape; all of it with channels last, one gradient for each window."""
    places = pooled_windows(attrs, shape, attrs.integers("ksize"), attrs.integers("strides"), data_format)
    expected = [shape[0], *places.counts, shape[-1]]
    found = list(gradients.shape)
    require(found == expected, f"the gradients have the shape {found} with channels last, expected {expected}")
    check_work(math.prod(len(axis.elements()) for axis in places.axes) * (gradients.size + STEP))
    return places


def _handed_back(
    shape: tuple[int, ...], places: Windows, dtype: np.dtype[Any], share: Callable[[int, Box], Array]
) -> Array:
    """The sum of what each element gets as the n-th element of some windows.

    The last elements of windows come first, for then an element gets from its windows in their order, as in TensorFlow.
    """
    result = np.zeros(shape, dtype)
    for number, (windows, elements) in reversed([*enumerate(places.elements())]):
        result[elements] += share(number, windows)
    return result


def _shared_out(shares: Array, places: Windows) -> Array:
    """`_handed_back` where all elements of a window get the same share, along one axis after the other.

    No element may lie in two windows: its sum would be taken in another order than TensorFlow's.
    """
    for number, axis in enumerate(places.axes, 1):
        result = np.zeros((*shares.shape[:number], axis.image, *shares.shape[number + 1 :]), shares.dtype)
        before = (slice(None),) * number
        for k in axis.elements():
            windows, elements = axis.inside(k)
            result[(*before, elements)] += shares[(*before, windows)]
        shares = result
    return shares


@kernel("AvgPoolGrad", takes="int32 half|bfloat16|float|double")
def _average_pool_gradient(attrs: Attributes, orig_input_shape: Array, gradients: Array) -> Array:
    """Elements outside get nothing; those in the image share the gradient of the window."""
    require(attrs.text("padding") != "EXPLICIT", "it has no explicit padding")
    data_format = data_format_of(attrs)
    gradients = channels_last(gradients, data_format)
    shape = checked_shape(vector(orig_input_shape, "orig_input_shape"))
    require(len(shape) == 4, "orig_input_shape must have 4 elements")
    shape = shape if data_format.endswith("C") else (shape[0], *shape[2:], shape[1])
    places = _windows(attrs, shape, gradients, data_format)
    wrong = any(axis.image > axis.size - axis.before and axis.size > axis.image for axis in places.axes)
    require(not wrong, "of windows that are longer than the image TensorFlow divides some by too much")
    shares = gradients * (1 / elements_inside(places)).astype(gradients.dtype)
    if all(axis.count <= 1 or axis.size <= axis.stride for axis in places.axes):
        found = _shared_out(shares, places)
    else:
        found = _handed_back(shape, places, shares.dtype, lambda _, part: shares[part])
    return from_channels_last(found, data_format)


def _first_largest(x: Array, places: Windows) -> Array:
    """The number of the element that is the largest of its window, the first one if there are several."""
    x = widened(x)
    largest = combined(x, places, lowest(x.dtype) if x.dtype.kind in "iu" else -np.inf, np.maximum)
    require_defined(lambda: not has_nan(largest), "the order of NaN is not defined")
    every = [*places.elements()]
    numbers = np.zeros(largest.shape, np.min_scalar_type(len(every)))
    for number, (windows, elements) in reversed([*enumerate(every)]):
        np.copyto(numbers[windows], number, where=x[elements] == largest[windows], casting="unsafe")
    return numbers


@kernel("MaxPoolGrad", takes="T:real T:real T:real")
def _max_pool_gradient(attrs: Attributes, orig_input: Array, orig_output: Array, gradients: Array) -> Array:
    """One element gets all of the gradient of a window; which it is, TensorFlow looks up in the image itself."""
    require(orig_output.shape == gradients.shape, "orig_output and grad differ in shape")
    data_format = data_format_of(attrs)
    x, gradients = (channels_last(each, data_format) for each in (orig_input, gradients))
    places = _windows(attrs, x.shape, gradients, data_format)
    numbers, nothing = _first_largest(x, places), gradients.dtype.type(0)

    def share(number: int, part: Box) -> Array:
        return np.where(numbers[part] == number, gradients[part], nothing)

    return from_channels_last(_handed_back(x.shape, places, gradients.dtype, share), data_format)
