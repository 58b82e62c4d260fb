"""Functions of one number."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from pbslim.kernels.checks import Array, broadcast_shape, check_work, widened
from pbslim.kernels.registry import Attributes, kernel

_CALL = 64  # steps for each element, about what a call takes


def unary(function: Callable[..., Any]) -> Callable[[Attributes, Array], Any]:
    """A kernel function that computes half and bfloat16 in float32, as TensorFlow does.

    Args:
        function: takes the operand and, as `out`, where the result may lie (perhaps the operand itself) or None.
    """

    def run(attrs: Attributes, x: Array) -> Any:
        wide = widened(x)
        out = attrs.out(x.shape, x) if wide is x else wide
        return np.asarray(function(wide, out=out)).astype(x.dtype, copy=False)

    return run


def each(function: Callable[[float], float]) -> Callable[..., Array]:
    """For `unary`, a function of one Python float, for each element."""

    def run(x: Array, out: Array | None) -> Array:  # noqa: ARG001
        check_work(_CALL * x.size)
        values = map(function, x.reshape(-1))
        return np.fromiter(values, np.float64, x.size).astype(x.dtype).reshape(x.shape)

    return run


def _rsqrt(x: Array, out: Array | None) -> Any:
    root = np.asarray(np.sqrt(x, out=out))
    return np.reciprocal(root, out=root)


def _sigmoid(x: Array, out: Array | None) -> Any:
    """1 / (1 + exp(-x))."""
    result = np.asarray(np.negative(x, out=out))
    np.exp(result, out=result)
    np.add(result, result.dtype.type(1), out=result)
    return np.reciprocal(result, out=result)


def _lgamma(x: float) -> float:
    if (x <= 0 and x % 1 == 0) or math.isinf(x):
        return math.inf
    try:
        return math.lgamma(x)
    except OverflowError:
        return math.inf


def _sign(x: Array, out: Array | None) -> Any:
    if x.dtype.kind == "c":
        return np.where(x == 0, x.dtype.type(0), x / np.abs(x))
    return np.sign(x, out=out)


_REAL: dict[str, Callable[..., Any]] = {
    "Ceil": np.ceil,
    "Floor": np.floor,
}
_INEXACT: dict[str, Callable[..., Any]] = {
    "Acos": np.arccos,
    "Acosh": np.arccosh,
    "Asin": np.arcsin,
    "Asinh": np.arcsinh,
    "Atan": np.arctan,
    "Atanh": np.arctanh,
    "Cos": np.cos,
    "Cosh": np.cosh,
    "Exp": np.exp,
    "Expm1": np.expm1,
    "Inv": np.reciprocal,
    "Log": np.log,
    "Log1p": np.log1p,
    "Reciprocal": np.reciprocal,
    "Rsqrt": _rsqrt,
    "Sigmoid": _sigmoid,
    "Sin": np.sin,
    "Sinh": np.sinh,
    "Sqrt": np.sqrt,
    "Tan": np.tan,
    "Tanh": np.tanh,
}
_NUMBER: dict[str, Callable[..., Any]] = {
    "Neg": np.negative,
    "Sign": _sign,
    "Square": np.square,
}

for _functions, _types in ((_REAL, "floating"), (_INEXACT, "inexact"), (_NUMBER, "number")):
    for _op, _function in _functions.items():
        kernel(_op, takes=_types)(unary(_function))

kernel("Abs", takes="real")(unary(np.abs))
kernel("Lgamma", takes="half|float|double")(unary(each(_lgamma)))
kernel("Rint", takes="float|double")(unary(np.rint))


@kernel("Round", takes="number")
def _round(_attrs: Attributes, x: Array) -> Any:
    """The nearest whole number, halves to even."""
    return x if x.dtype.kind in "iu" else np.rint(x)


@kernel("IsNan", takes="floating")
def _is_nan(_attrs: Attributes, x: Array) -> Any:
    return np.isnan(x)


@kernel("IsInf", takes="floating")
def _is_inf(_attrs: Attributes, x: Array) -> Any:
    return np.isinf(x)


@kernel("IsFinite", takes="floating")
def _is_finite(_attrs: Attributes, x: Array) -> Any:
    return np.isfinite(x)


@kernel("Complex", takes="T:float|double T:float|double")
def _complex(_attrs: Attributes, real: Array, imaginary: Array) -> Any:
    dtype = np.complex64 if real.dtype == np.float32 else np.complex128
    result = np.empty(broadcast_shape(real.shape, imaginary.shape), dtype)
    result.real, result.imag = real, imaginary
    return result


@kernel("Real", takes="complex")
def _real(_attrs: Attributes, x: Array) -> Any:
    return x.real


@kernel("Imag", takes="complex")
def _imag(_attrs: Attributes, x: Array) -> Any:
    return x.imag


@kernel("Conj", takes="complex")
def _conj(_attrs: Attributes, x: Array) -> Any:
    return x.conj()


@kernel("ComplexAbs", takes="complex")
def _complex_abs(_attrs: Attributes, x: Array) -> Any:
    return np.abs(x)


@kernel("Angle", takes="complex")
def _angle(_attrs: Attributes, x: Array) -> Any:
    return np.angle(x)
