"""Binary arithmetic with broadcasting."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from pbslim.kernels.checks import Array, broadcast_shape, require, widened
from pbslim.kernels.registry import Attributes, kernel


def broadcasting(function: Callable[..., Any]) -> Callable[..., Any]:
    """A kernel function of two operands that broadcast together."""

    def run(_attrs: Attributes, x: Array, y: Array) -> Any:
        broadcast_shape(x.shape, y.shape)
        return function(x, y)

    return run


def in_place(function: np.ufunc) -> Callable[..., Any]:
    """A kernel function of two operands that broadcast together, to a result of their dtype."""

    def run(attrs: Attributes, x: Array, y: Array) -> Any:
        return function(x, y, out=attrs.out(broadcast_shape(x.shape, y.shape), x, y))

    return run


def _is_integer(x: Array) -> bool:
    return x.dtype.kind in "iu"


def _check_divisor(y: Array) -> None:
    require(y.all(), "division of integers by zero")


def _truncated_quotient(x: Array, y: Array) -> Any:
    """Integer division as in C: numpy rounds down, so add one where the quotient is negative and not whole."""
    quotient = x // y
    return quotient + ((quotient < 0) & (quotient * y != x)).astype(x.dtype)


kernel("Add", "AddV2", takes="T:number|string T:number|string")(in_place(np.add))
kernel("Sub", takes="T:number T:number")(in_place(np.subtract))
kernel("Mul", takes="T:number T:number")(in_place(np.multiply))
kernel("Maximum", takes="T:real T:real")(in_place(np.maximum))
kernel("Minimum", takes="T:real T:real")(in_place(np.minimum))
_quotient, _difference = in_place(np.divide), in_place(np.subtract)
kernel("NextAfter", takes="T:float|double T:float|double")(broadcasting(np.nextafter))


@kernel("Div", takes="T:number T:number")
def _div(attrs: Attributes, x: Array, y: Array) -> Any:
    if not _is_integer(x):
        return _quotient(attrs, x, y)
    broadcast_shape(x.shape, y.shape)
    _check_divisor(y)
    return _truncated_quotient(x, y)


kernel("TruncateDiv", takes="T:integer T:integer")(_div)
kernel("RealDiv", takes="T:inexact T:inexact")(_div)


@kernel("FloorDiv", takes="T:real T:real")
@broadcasting
def _floor_div(x: Array, y: Array) -> Any:
    if not _is_integer(x):
        return np.floor(x / y)
    _check_divisor(y)
    return x // y


@kernel("Mod", "TruncateMod", takes="T:real T:real")
@broadcasting
def _truncate_mod(x: Array, y: Array) -> Any:
    if _is_integer(x):
        _check_divisor(y)
        return np.fmod(x, y)
    return np.fmod(widened(x), widened(y)).astype(x.dtype)


@kernel("FloorMod", takes="T:real T:real")
@broadcasting
def _floor_mod(x: Array, y: Array) -> Any:
    if _is_integer(x):
        _check_divisor(y)
        return np.mod(x, y)
    wide, divisor = widened(x), widened(y)
    rest = np.fmod(wide, divisor)
    return np.where((rest != 0) & ((divisor < 0) != (rest < 0)), rest + divisor, rest).astype(x.dtype)


@kernel("DivNoNan", takes="T:inexact T:inexact")
@broadcasting
def _div_no_nan(x: Array, y: Array) -> Any:
    return np.where(y == 0, x.dtype.type(0), x / y)


@kernel("MulNoNan", takes="T:inexact T:inexact")
@broadcasting
def _mul_no_nan(x: Array, y: Array) -> Any:
    return np.where(y == 0, x.dtype.type(0), x * y)


@kernel("Xdivy", takes="T:inexact T:inexact")
@broadcasting
def _xdivy(x: Array, y: Array) -> Any:
    return np.where(x == 0, x.dtype.type(0), x / y)


@kernel("Xlogy", takes="T:inexact T:inexact")
@broadcasting
def _xlogy(x: Array, y: Array) -> Any:
    return np.where(x == 0, x.dtype.type(0), (widened(x) * np.log(widened(y))).astype(x.dtype))


@kernel("Xlog1py", takes="T:inexact T:inexact")
@broadcasting
def _xlog1py(x: Array, y: Array) -> Any:
    return np.where(x == 0, x.dtype.type(0), (widened(x) * np.log1p(widened(y))).astype(x.dtype))


@kernel("Pow", takes="T:number T:number")
@broadcasting
def _pow(x: Array, y: Array) -> Any:
    if _is_integer(x):
        require(not (y < 0).any(), "an integer to a negative power")
        return np.power(x, y)
    return np.power(widened(x), widened(y)).astype(x.dtype)


@kernel("Atan2", takes="T:floating T:floating")
@broadcasting
def _atan2(x: Array, y: Array) -> Any:
    return np.arctan2(widened(x), widened(y)).astype(x.dtype)


@kernel("SquaredDifference", takes="T:number T:number")
def _squared_difference(attrs: Attributes, x: Array, y: Array) -> Any:
    difference = np.asarray(_difference(attrs, x, y))
    return np.multiply(difference, difference.conj() if x.dtype.kind == "c" else difference, out=difference)


@kernel("AddN", "AccumulateNV2", takes="T:number*")
def _add_n(attrs: Attributes, *terms: Array) -> Array:
    require(terms, "it has no inputs")
    first, *others = terms
    for term in others:
        require(term.shape == first.shape, "operands differ in shape")
    if not others:
        return first
    total = np.add(first, others[0], out=attrs.out(first.shape, first))
    for term in others[1:]:
        total = np.add(total, term, out=total if total.ndim else None)
    return np.asarray(total)


@kernel("ClipByValue", takes="T:real T:real T:real")
def _clip_by_value(attrs: Attributes, x: Array, low: Array, high: Array) -> Any:
    for bound in (low, high):
        require(bound.shape in (x.shape, ()), f"bounds of shape {list(bound.shape)} for {list(x.shape)}")
    out = np.minimum(x, high, out=attrs.out(x.shape, x))
    return np.maximum(out, low, out=out if out.ndim else None)
