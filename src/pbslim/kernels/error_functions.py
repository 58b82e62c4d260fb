"""The error function and its complement.

Single precision has rational functions, whose coefficients were found by least squares with weights that were adapted
until the largest relative errors were even; double precision is computed element by element.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from pbslim.kernels.checks import Array
from pbslim.kernels.elementwise import each, unary
from pbslim.kernels.registry import kernel

_F = np.float32
_BLOCK = 2**14  # elements; what is computed on the way stays in the cache

_ERF_IS_ONE = _F(3.92)
# erf(x) / x is P(x * x) / Q(x * x) up to there, but for 2e-8
_ERF_P = (
    *(1.1283791461795696, 0.19040469521045933, 0.05274833331103227),
    *(0.0037654964138109067, 0.00028487249258747404, 2.050003841952105e-06),
)
_ERF_Q = (
    *(1.0, 0.5020745099295865, 0.11410823766815864),
    *(0.014968983875940535, 0.0011624920783084938, 3.809031161993847e-05),
)
_ERFC_IS_ZERO = _F(10.1)
# erfc(x) * exp(x * x) is P(x) / Q(x) up to there, but for 6e-9
_ERFC_P = (
    *(1.0000000057294938, 1.2384273288679457, 0.7316218059045642),
    *(0.22922720416812808, 0.03279827159915291),
)
_ERFC_Q = (
    *(1.0, 2.3668070744348557, 2.4022682572429015),
    *(1.3254015581260579, 0.40632104040827366, 0.058132724058643476),
)


def _polynomial(coefficients: Sequence[float], x: Array) -> Array:
    """By Horner's rule; the constant term comes first."""
    total = x * _F(coefficients[-1])
    for coefficient in coefficients[-2:0:-1]:
        total += _F(coefficient)
        total *= x
    total += _F(coefficients[0])
    return total


def _erf_of_some(x: Array, out: Array) -> None:
    clipped = x.clip(-_ERF_IS_ONE, _ERF_IS_ONE)
    square = clipped * clipped
    clipped *= _polynomial(_ERF_P, square)
    clipped /= _polynomial(_ERF_Q, square)
    clipped.clip(_F(-1), _F(1), out=out)


def _erfc_of_some(x: Array, out: Array) -> None:
    """With exp(-x * x) as a product, so that x * x is not rounded: the square of its higher bits, and the rest."""
    sign = np.copysign(_F(1), x)
    size = np.abs(x)
    size.clip(_F(0), _ERFC_IS_ZERO, out=size)
    high = (size.view(np.int32) & np.int32(-1 << 12)).view(_F)
    result = _polynomial(_ERFC_P, size)
    result /= _polynomial(_ERFC_Q, size)
    result *= np.exp(-high * high)
    result *= np.exp((high - size) * (high + size))
    result *= sign
    np.subtract(result, sign - _F(1), out=out)  # of negative numbers, 2 - erfc(-x)


def _erf(x: Array, out: Array | None) -> Any:
    return each(math.erf)(x, out) if x.dtype == np.float64 else _by_blocks(_erf_of_some, x, out)


def _erfc(x: Array, out: Array | None) -> Any:
    return each(math.erfc)(x, out) if x.dtype == np.float64 else _by_blocks(_erfc_of_some, x, out)


def _by_blocks(function: Callable[[Array, Array], None], x: Array, out: Array | None) -> Array:
    result = np.empty(x.shape, x.dtype) if out is None or not out.flags.c_contiguous else out
    operands, results = x.reshape(-1), result.reshape(-1)
    for start in range(0, x.size, _BLOCK):
        function(operands[start : start + _BLOCK], results[start : start + _BLOCK])
    return result


kernel("Erf", takes="floating")(unary(_erf))
kernel("Erfc", takes="floating")(unary(_erfc))
