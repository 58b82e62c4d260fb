"""Diagonals and bands of matrices."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
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


@dataclass(frozen=True)
class _Band:
    """The diagonals from `low` to `high` of a matrix, and how they lie in the rows of a matrix of their own.

    The highest comes first; those shorter than the longest are padded at one end.
    """

    rows: int
    columns: int
    low: int
    high: int
    align: str

    @classmethod
    def of(cls, attrs: Attributes, shape: tuple[int, ...], k: Array) -> _Band:
        rows, columns = shape[-2:]
        low, high = _ends(k)
        align = attrs.text("align", "LEFT_LEFT")
        require(align in _ALIGNMENTS, f"align '{align}' is not known")
        for end in (low, high):
            require(end == 0 or -rows < end < columns, f"a matrix of {rows} x {columns} has no diagonal {end}")
        return cls(rows, columns, low, high, align)

    @property
    def shape(self) -> tuple[int, ...]:
        """The number of diagonals, where they are several, and the length of the longest."""
        longest = min(self.rows + min(self.high, 0), self.columns - max(self.low, 0))
        return (longest,) if self.low == self.high else (self.high - self.low + 1, longest)

    def places(self) -> tuple[Array, ...]:
        """Rows and columns in the matrix, and positions in the flattened diagonals, of all elements."""
        above, _, below = self.align.partition("_")
        parts = []
        for number, d in enumerate(range(self.high, self.low - 1, -1)):
            count = min(self.rows + min(d, 0), self.columns - max(d, 0))
            padded = self.shape[-1] - count if (above if d >= 0 else below) == "RIGHT" else 0
            along = np.arange(count)
            parts.append((along + max(-d, 0), along + max(d, 0), along + number * self.shape[-1] + padded))
        return tuple(np.concatenate(each) for each in zip(*parts, strict=True))


_ALIGNMENTS = frozenset(f"{above}_{below}" for above in ("LEFT", "RIGHT") for below in ("LEFT", "RIGHT"))


def _ends(k: Array) -> tuple[int, int]:
    require(k.ndim <= 1 and 1 <= k.size <= 2, "k must be one number or two")
    low, high = int(k.reshape(-1)[0]), int(k.reshape(-1)[-1])
    require(low <= high, f"diagonals from {low} to {high}")
    return low, high


def _matrix_diag_part_v2(attrs: Attributes, x: Array, k: Array, padding: Array) -> Array:
    require(x.ndim >= 2, "it needs at least 2 dimensions")
    band = _Band.of(attrs, x.shape, k)
    shape = checked_shape([*x.shape[:-2], *band.shape])
    result = np.full([*x.shape[:-2], math.prod(band.shape)], scalar(padding, "padding_value"), x.dtype)
    rows, columns, places = band.places()
    result[..., places] = x[..., rows, columns]
    return result.reshape(shape)


def _matrix_diag_v2(
    attrs: Attributes, diagonals: Array, k: Array, num_rows: Array, num_cols: Array, padding: Array
) -> Array:
    low, high = _ends(k)
    require(diagonals.ndim >= 1 + (low < high), "it needs more dimensions")
    longest = diagonals.shape[-1]
    least_rows, least_columns = longest - min(high, 0), longest + max(low, 0)
    rows, columns = int(scalar(num_rows, "num_rows")), int(scalar(num_cols, "num_cols"))
    if rows == columns == -1:
        rows = columns = max(least_rows, least_columns)
    rows, columns = least_rows if rows == -1 else rows, least_columns if columns == -1 else columns
    fits = rows >= least_rows and columns >= least_columns and (rows == least_rows or columns == least_columns)
    require(fits, f"diagonals of {longest} elements do not fit a matrix of {rows} x {columns}")
    outer = diagonals.shape[: -1 - (low < high)]
    result = np.full(checked_shape([*outer, rows, columns]), scalar(padding, "padding_value"), diagonals.dtype)
    return _with_band(result, diagonals, _Band.of(attrs, result.shape, k))


def _matrix_set_diag_v2(attrs: Attributes, x: Array, diagonals: Array, k: Array) -> Array:
    require(x.ndim >= 2, "it needs at least 2 dimensions")
    return _with_band(x.copy(), diagonals, _Band.of(attrs, x.shape, k))


def _with_band(result: Array, diagonals: Array, band: _Band) -> Array:
    wanted = (*result.shape[:-2], *band.shape)
    require(diagonals.shape == wanted, f"the diagonals must have the shape {[*wanted]}")
    rows, columns, places = band.places()
    result[..., rows, columns] = diagonals.reshape(*result.shape[:-2], math.prod(band.shape))[..., places]
    return result


def _aligned(function: Callable[..., Array]) -> Callable[..., Array]:
    """As `function`, with the default that the third version of an op has."""

    def run(attrs: Attributes, *operands: Array) -> Array:
        return function(Attributes({"align": attrs.text("align", "RIGHT_LEFT")}), *operands)

    return run


for _op, _function, _takes in (
    ("MatrixDiagPart", _matrix_diag_part_v2, f"T:{_NUMERIC} int32 T:{_NUMERIC}"),
    ("MatrixDiag", _matrix_diag_v2, f"T:{_NUMERIC} int32 int32 int32 T:{_NUMERIC}"),
    ("MatrixSetDiag", _matrix_set_diag_v2, f"T:{_NUMERIC} T:{_NUMERIC} int32"),
):
    kernel(f"{_op}V2", takes=_takes)(_function)
    kernel(f"{_op}V3", takes=_takes)(_aligned(_function))


@kernel("MatrixBandPart", takes=f"{_NUMERIC} I:index I:index")
def _matrix_band_part(_attrs: Attributes, x: Array, lower: Array, upper: Array) -> Any:
    require(x.ndim >= 2, "it needs at least 2 dimensions")
    rows, columns = x.shape[-2:]
    below, above = int(scalar(lower, "num_lower")), int(scalar(upper, "num_upper"))
    require(below <= rows and above <= columns, "the band is wider than the matrix")
    offset = np.arange(columns) - np.arange(rows)[:, None]
    kept = ((below < 0) | (-offset <= below)) & ((above < 0) | (offset <= above))
    return np.where(kept, x, x.dtype.type(0))
