"""Functions of one number."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
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


def _each(function: Callable[[float], float]) -> Callable[..., Array]:
    """A function of one Python float, for each element."""

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


_ERF_IS_ONE = 3.92
# erf(x) / x = P(x * x) / Q(x * x) up to there with a relative error of 2e-8, by least squares with weights that were
# adapted until the largest errors were even
_ERF_P = (
    *(1.1283791461795696, 0.19040469521045933, 0.05274833331103227),
    *(0.0037654964138109067, 0.00028487249258747404, 2.050003841952105e-06),
)
_ERF_Q = (
    *(1.0, 0.5020745099295865, 0.11410823766815864),
    *(0.014968983875940535, 0.0011624920783084938, 3.809031161993847e-05),
)


def _polynomial(coefficients: Sequence[float], x: Array) -> Array:
    """By Horner's rule; the constant term comes first."""
    total = np.asarray(x * x.dtype.type(coefficients[-1]))
    for coefficient in coefficients[-2:0:-1]:
        total += x.dtype.type(coefficient)
        total *= x
    total += x.dtype.type(coefficients[0])
    return total


def _erf(x: Array, out: Array | None) -> Any:
    if x.dtype == np.float64:
        return _each(math.erf)(x, out)
    x = np.asarray(x.clip(np.float32(-_ERF_IS_ONE), np.float32(_ERF_IS_ONE), out=out))
    square = np.asarray(x * x)
    x *= _polynomial(_ERF_P, square)
    x /= _polynomial(_ERF_Q, square)
    return x.clip(np.float32(-1), np.float32(1), out=x)


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
    "Erf": _erf,
    "Erfc": _each(math.erfc),
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
kernel("Lgamma", takes="half|float|double")(unary(_each(_lgamma)))
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
