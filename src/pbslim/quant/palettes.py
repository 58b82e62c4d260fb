"""Weights that take few different values, as whole codes from which stock ops compute them again."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from pbslim.quant import grids
from pbslim.quant.channels import stored_bits
from pbslim.quant.levels import COARSE, few_values
from pbslim.quant.packing import PER_BYTE, levels_for

Array = npt.NDArray[Any]

_BYTE, _FLOAT = 8, 32  # bits
_LEVELS = 1 << _BYTE
_OP = 360  # bits that a node takes in a file
_ZERO = np.float32(0)


@dataclass(frozen=True)
class Palette:
    """What codes stand for: ``(code + offset) * step + low``, or ``table[code + offset]``.

    Attributes:
        offset: a whole number where there is a table.
        low: 0 for symmetric values.
        table: float32 [levels].
    """

    offset: np.float32 = _ZERO
    low: np.float32 = _ZERO
    table: Array | None = None

    def decode(self, codes: Array, steps: Array | None) -> Array:
        """The values of `codes`, float32 in their shape, each operation rounded as in TensorFlow.

        Args:
            steps: in a shape that broadcasts to that of the codes; None where there is a table.
        """
        moved = codes.astype(np.float32) + self.offset
        if steps is None or self.table is not None:
            assert self.table is not None  # noqa: S101 - one or the other
            return self.table[moved.astype(np.intp)]
        values: Array = moved * steps + self.low
        return values


class Palettized(NamedTuple):
    """A matrix of few values.

    Attributes:
        codes: int8 [K, N], or int16 where a byte is too narrow.
        steps: float32 [1] or [N]; None where there is a table.
    """

    codes: Array
    steps: Array | None
    palette: Palette

    @property
    def values(self) -> Array:
        """The matrix again."""
        return self.palette.decode(self.codes, self.steps)

    @property
    def coded_bits(self) -> float:
        """About what it takes in a file where codes are entropy-coded."""
        return stored_bits(self.codes) + self._numbers

    @property
    def plain_bits(self) -> float:
        """What it takes where each code has a byte or a fixed part of one."""
        levels = levels_for(int(np.abs(self.codes.astype(np.int16)).max(initial=0)))
        return _BYTE * self.codes.size / PER_BYTE.get(levels or 0, self.codes.itemsize**-1) + self._numbers

    @property
    def _numbers(self) -> float:
        """What the palette takes, with the nodes that a step per channel does not need."""
        if self.palette.table is not None:
            return float(_FLOAT * self.palette.table.size + 2 * _OP)
        assert self.steps is not None  # noqa: S101 - there is no table
        others = [number for number in (self.palette.offset, self.palette.low) if number]
        return float(_FLOAT * (self.steps.size + len(others)) + _OP * len(others))


def palettized(matrix: Array, *, in_bytes: bool = False) -> Palettized | None:
    """The form of `matrix` that takes the fewest bits; None where it has many values.

    Few values, up to 257, are given back to the last bit, but for the sign of zero. Few values times one factor per
    column are as well, but for rounding: no weight is off by more than 2^-13 of the step of its column.

    Args:
        matrix: float32 [K, N], finite.
        in_bytes: only with codes that fit in a byte.
    """
    if not matrix.size:
        return None
    values = few_values([matrix.reshape(-1)], COARSE)
    found = _per_column(matrix) if values is None else _per_tensor(matrix, values)
    fitting = [each for each in found if not (in_bytes and each.codes.dtype == np.int16)]
    if in_bytes:
        return min(fitting, key=lambda each: each.plain_bits, default=None)
    return min(fitting, key=lambda each: each.coded_bits, default=None)


def _per_tensor(matrix: Array, values: Array) -> list[Palettized]:
    places = np.searchsorted(values, matrix).astype(np.int16)
    found = []
    even = grids.single_precision(values)
    if even is not None:
        codes, offset, step, low = even
        found.append(_centered(codes[places], Palette(offset, low), np.array([step])))
    if values.size <= _LEVELS:
        found.append(_centered(places, Palette(table=values)))
    return found


def _per_column(matrix: Array) -> list[Palettized]:
    found = grids.per_column(matrix)
    if found is None:
        return []
    codes, offset, steps = found
    return [_centered(codes, Palette(offset), steps)]


def _centered(codes: Array, palette: Palette, steps: Array | None = None) -> Palettized:
    """Codes around zero, in a byte if that holds them, and the offset that makes up for it.

    Those around which zero lies anyway stay, if they fit.
    """
    low, high = int(codes.min(initial=0)), int(codes.max(initial=0))
    middle = 0
    if palette.offset or palette.low or palette.table is not None or low < -(_LEVELS // 2) or high >= _LEVELS // 2:
        middle = (low + high + 1) // 2 if high - low < _LEVELS else int(np.median(codes))
    dtype = np.int8 if high - low < _LEVELS else np.int16
    moved = (codes.astype(np.int32) - middle).astype(dtype)
    return Palettized(moved, steps, Palette(palette.offset + np.float32(middle), palette.low, palette.table))
