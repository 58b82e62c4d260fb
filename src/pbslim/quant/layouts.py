"""In which order the codes of a constant are stored, and which of them need not be.

Codes are seen as a matrix [K, N], N being the last dimension. A coder adapts to what lies together, so that it may be
shorter to store one column after the other; rows and columns of zeros, as pruning leaves them, are left out where many.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]

_BLOCK = 1 << 13  # codes, about what one table of Huffman codes is used for
_CLEARLY = 0.98
_DEAD = 0.05  # of the codes, from which on it may be worth to leave them out


@dataclass(frozen=True)
class Layout:
    """An order.

    Attributes:
        by_column: whether one column comes after the other, in place of rows.
        rows, columns: bool [K] and [N], those that are stored; None where all are.
        order: of the rows, [K], where they are stored in one of their own.
    """

    by_column: bool = False
    rows: Array | None = None
    columns: Array | None = None
    order: Array | None = None

    @property
    def masks(self) -> list[Array]:
        """Those that must be stored as well."""
        return [mask for mask in (self.rows, self.columns) if mask is not None]

    def matrix(self, codes: Array) -> Array:
        """What is stored of codes of any shape, in its order."""
        found = codes.reshape(-1, codes.shape[-1])
        if self.order is not None:
            found = found[self.order]
        if self.rows is not None:
            found = found[self.rows]
        if self.columns is not None:
            found = found[:, self.columns]
        return np.ascontiguousarray(found.T if self.by_column else found)


def layouts_of(codes: Array) -> list[Layout]:
    """The layouts that may be the shortest for int8 codes: plain or by columns, and without what is zero."""
    if codes.ndim < 2 or not codes.size:
        return [Layout()]
    found = [_ordered(codes, Layout())]
    matrix = codes.reshape(-1, codes.shape[-1])
    rows, columns = (np.asarray(matrix.any(axis=axis)) for axis in (1, 0))
    if 0 < rows.mean() * columns.mean() < 1 - _DEAD:
        left = Layout(rows=None if rows.all() else rows, columns=None if columns.all() else columns)
        found.append(_ordered(codes, left))
    return found


def _ordered(codes: Array, layout: Layout) -> Layout:
    """The layout by columns if that is clearly shorter."""
    turned = Layout(True, layout.rows, layout.columns)
    by_column, by_row = (_adaptive_bits(each.matrix(codes)) for each in (turned, layout))
    return turned if by_column < _CLEARLY * by_row else layout


def _adaptive_bits(codes: Array) -> float:
    """About what a coder needs that has a table for each few thousand codes."""
    flat = codes.reshape(-1).view(np.uint8)
    return sum(_bits(np.bincount(flat[at : at + _BLOCK])) for at in range(0, flat.size, _BLOCK))


def _bits(counts: Array) -> float:
    counts = counts[counts > 0]
    return float(counts @ np.log2(counts.sum() / counts))
