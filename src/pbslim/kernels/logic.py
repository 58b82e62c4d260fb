"""Comparisons, logical and bitwise ops."""

from __future__ import annotations

from typing import Any

import numpy as np

from pbslim.kernels.arithmetic import broadcasting
from pbslim.kernels.checks import Array, KernelError, require, widened
from pbslim.kernels.registry import Attributes, kernel


def _compare(attrs: Attributes, x: Array, y: Array, *, equal: bool) -> Any:
    """Where shapes do not match, the ops can be told to give one answer instead of an error."""
    function = np.equal if equal else np.not_equal
    try:
        return np.asarray(broadcasting(function)(attrs, x, y)).astype(bool)
    except KernelError:
        if attrs.flag("incompatible_shape_error", True):
            raise
        return np.array(not equal)


@kernel("Equal", takes="T:any T:any")
def _equal(attrs: Attributes, x: Array, y: Array) -> Any:
    return _compare(attrs, x, y, equal=True)


@kernel("NotEqual", takes="T:any T:any")
def _not_equal(attrs: Attributes, x: Array, y: Array) -> Any:
    return _compare(attrs, x, y, equal=False)


kernel("Less", takes="T:real T:real")(broadcasting(np.less))
kernel("LessEqual", takes="T:real T:real")(broadcasting(np.less_equal))
kernel("Greater", takes="T:real T:real")(broadcasting(np.greater))
kernel("GreaterEqual", takes="T:real T:real")(broadcasting(np.greater_equal))
kernel("LogicalAnd", takes="bool bool")(broadcasting(np.logical_and))
kernel("LogicalOr", takes="bool bool")(broadcasting(np.logical_or))
kernel("BitwiseAnd", takes="T:integer T:integer")(broadcasting(np.bitwise_and))
kernel("BitwiseOr", takes="T:integer T:integer")(broadcasting(np.bitwise_or))
kernel("BitwiseXor", takes="T:integer T:integer")(broadcasting(np.bitwise_xor))


@kernel("LogicalNot", takes="bool")
def _logical_not(_attrs: Attributes, x: Array) -> Any:
    return ~x


@kernel("Invert", takes="integer")
def _invert(_attrs: Attributes, x: Array) -> Any:
    return ~x


_BITS_IN_BYTE = np.array([bin(byte).count("1") for byte in range(256)], np.uint8)


@kernel("PopulationCount", takes="integer")
def _population_count(_attrs: Attributes, x: Array) -> Any:
    """How many bits are set."""
    octets = np.frombuffer(x.tobytes(), np.uint8).reshape(*x.shape, x.dtype.itemsize)
    return _BITS_IN_BYTE[octets].sum(axis=-1, dtype=np.uint8)


@kernel("ApproximateEqual", takes="T:number T:number")
def _approximate_equal(attrs: Attributes, x: Array, y: Array) -> Any:
    require(x.shape == y.shape, "operands differ in shape")
    tolerance = attrs.number("tolerance", 1e-5)
    return np.abs(widened(np.asarray(x - y))) < tolerance


def _shift_count(x: Array, y: Array) -> Array:
    """C leaves shifts by other counts undefined; TensorFlow clamps them."""
    return np.clip(y, 0, x.dtype.itemsize * 8 - 1)


@kernel("LeftShift", takes="T:integer T:integer")
@broadcasting
def _left_shift(x: Array, y: Array) -> Any:
    return np.left_shift(x, _shift_count(x, y))


@kernel("RightShift", takes="T:integer T:integer")
@broadcasting
def _right_shift(x: Array, y: Array) -> Any:
    return np.right_shift(x, _shift_count(x, y))
