"""Diagonals and bands of matrices."""

from __future__ import annotations

from typing import Any

import numpy as np

from pbslim.kernels.checks import Array, checked_shape, require, scalar
from pbslim.kernels.registry import Attributes, kernel

_NUMERIC = "number|bool"


@kernel("Diag", takes=_NUMERIC)
def _diag(_attrs: Attributes, x: Array) -> Array:
    """The shape twice over, with the elements where both halves of the index agree."""
    require(x.ndim >= 1, "it needs at least 1 dimension")
    result = np.zeros(checked_shape(x.shape * 2), x.dtype)
    np.fill_diagonal(result.reshape(x.size, x.size), x.reshape(-1))
    return result


@kernel("DiagPart", takes=_NUMERIC)
def _diag_part(_attrs: Attributes, x: Array) -> Any:
    half = x.shape[: x.ndim // 2]
    require(x.ndim and x.shape == half * 2, f"the shape {list(x.shape)} is not one shape twice over")
    size = int(np.prod(half, dtype=np.int64))
    return x.reshape(size, size).diagonal().reshape(half)


@kernel("MatrixDiag", takes=_NUMERIC)
def _matrix_diag(_attrs: Attributes, x: Array) -> Array:
    require(x.ndim >= 1, "it needs at least 1 dimension")
    result = np.zeros(checked_shape([*x.shape, x.shape[-1]]), x.dtype)
    places = np.arange(x.shape[-1])
    result[..., places, places] = x
    return result


@kernel("MatrixDiagPart", takes=_NUMERIC)
def _matrix_diag_part(_attrs: Attributes, x: Array) -> Array:
    require(x.ndim >= 2, "it needs at least 2 dimensions")
    return x.diagonal(axis1=-2, axis2=-1)


@kernel("MatrixSetDiag", takes=f"T:{_NUMERIC} T:{_NUMERIC}")
def _matrix_set_diag(_attrs: Attributes, x: Array, diagonal: Array) -> Array:
    require(x.ndim >= 2, "it needs at least 2 dimensions")
    size = min(x.shape[-2:])
    require(diagonal.shape == (*x.shape[:-2], size), f"the diagonal must have the shape {[*x.shape[:-2], size]}")
    result = x.copy()
    places = np.arange(size)
    result[..., places, places] = diagonal
    return result


@kernel("MatrixBandPart", takes=f"{_NUMERIC} I:index I:index")
def _matrix_band_part(_attrs: Attributes, x: Array, lower: Array, upper: Array) -> Any:
    require(x.ndim >= 2, "it needs at least 2 dimensions")
    rows, columns = x.shape[-2:]
    below, above = int(scalar(lower, "num_lower")), int(scalar(upper, "num_upper"))
    require(below <= rows and above <= columns, "the band is wider than the matrix")
    offset = np.arange(columns) - np.arange(rows)[:, None]
    kept = ((below < 0) | (-offset <= below)) & ((above < 0) | (offset <= above))
    return np.where(kept, x, x.dtype.type(0))
