"""Determinants, inverses, decompositions and linear equations.

All are computed in double precision. TensorFlow's own rounding errors grow with the condition of a matrix; where they
would show in more than the last digits, the matrix is refused.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from pbslim.kernels.checks import Array, broadcast_shape, check_work, checked_shape, require
from pbslim.kernels.registry import Attributes, kernel

_TYPES = "float|double|complex"
_MAX_ROWS = 2**12  # beyond, it takes too long
_SURE_BITS = 13  # of the result, at least


def _wide(x: Array) -> Array:
    return x.astype(np.complex128 if x.dtype.kind == "c" else np.float64)


def _square(x: Array) -> Array:
    """The matrices in double precision, none of them close to singular."""
    require(x.ndim >= 2 and x.shape[-1] == x.shape[-2], "it needs square matrices")
    require(x.size and x.shape[-1] <= _MAX_ROWS, f"matrices of {x.shape[-1]} rows are too small or too large")
    check_work(x.size * x.shape[-1])
    return _wide(x)


def _check_condition(wide: Array, dtype: np.dtype[Any]) -> None:
    require(np.isfinite(wide).all(), "there are infinities or NaN")
    limit = 2.0**-_SURE_BITS / np.finfo(dtype).eps
    require((np.linalg.cond(wide) <= limit).all(), "a matrix is close to singular")


def _adjoint(wide: Array) -> Array:
    return np.asarray(wide.swapaxes(-1, -2).conj())


@kernel("MatrixDeterminant", takes=_TYPES)
def _determinant(_attrs: Attributes, x: Array) -> Any:
    wide = _square(x)
    _check_condition(wide, x.dtype)
    return np.asarray(np.linalg.det(wide)).astype(x.dtype)


@kernel("LogMatrixDeterminant", takes=_TYPES)
def _log_determinant(_attrs: Attributes, x: Array) -> list[Any]:
    """The sign, and the logarithm of the absolute value."""
    wide = _square(x)
    _check_condition(wide, x.dtype)
    return [np.asarray(result).astype(x.dtype) for result in np.linalg.slogdet(wide)]


@kernel("MatrixInverse", takes=_TYPES)
def _inverse(attrs: Attributes, x: Array) -> Any:
    wide = _square(x)
    _check_condition(wide, x.dtype)
    return np.linalg.inv(_adjoint(wide) if attrs.flag("adjoint") else wide).astype(x.dtype)


@kernel("Cholesky", takes=_TYPES)
def _cholesky(_attrs: Attributes, x: Array) -> Any:
    """Of the lower triangle; what is above the diagonal does not count."""
    lower = np.tril(_square(x))
    whole = lower + _adjoint(np.tril(lower, -1))
    _check_condition(whole, x.dtype)
    return np.linalg.cholesky(whole).astype(x.dtype)


def _solved(attrs: Attributes, wide: Array, right: Array, dtype: np.dtype[Any]) -> Any:
    _check_condition(wide, dtype)
    return np.linalg.solve(_adjoint(wide) if attrs.flag("adjoint") else wide, _wide(right)).astype(dtype)


def _check_right(x: Array, right: Array) -> None:
    require(right.ndim >= 2 and right.shape[-2] == x.shape[-1], "the right side does not fit the matrices")
    checked_shape([*broadcast_shape(x.shape[:-2], right.shape[:-2]), *right.shape[-2:]])


@kernel("MatrixSolve", takes=f"T:{_TYPES} T:{_TYPES}")
def _solve(attrs: Attributes, x: Array, right: Array) -> Any:
    wide = _square(x)
    _check_right(x, right)
    require(x.shape[:-2] == right.shape[:-2], "operands differ in their batch dimensions")
    return _solved(attrs, wide, right, x.dtype)


@kernel("MatrixTriangularSolve", takes=f"T:{_TYPES} T:{_TYPES}")
def _solve_triangular(attrs: Attributes, x: Array, right: Array) -> Any:
    """With one triangle of each matrix; the other does not count."""
    wide = _square(x)
    _check_right(x, right)
    return _solved(attrs, np.tril(wide) if attrs.flag("lower", True) else np.triu(wide), right, x.dtype)
