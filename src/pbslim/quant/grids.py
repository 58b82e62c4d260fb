"""Evenly spaced values: what the rounding and quantization of other tools leave behind.

Those tools store ``low + (index + shift) * step`` in single precision. Found from values alone, the step is the
smallest gap between two of them or a whole part of it, and the rest is least squares, which brings it so near that one
of its neighbours gives back every value to the last bit.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]

MOST_STEPS = 511
"""Steps between the lowest and the highest value: symmetric codes of a byte, with a sign of their own."""

_WHOLE = 2.0**-10  # of a step: far more than float rounding of 511 of them, far less than chance
_OFF = 2.0**-13  # of a step, at most
_PARTS = 32  # of the smallest gap; with so few values that their gaps are all larger, nothing is gained
_NEIGHBOURS = np.arange(-3, 4)
_PHASE = 2.0**-8  # of a step: how well single columns agree about where zero lies between two codes
_PROBED, _PROBE = 8, 512  # columns, and rows of each
_BYTE = 255
_ELEMENTS = 1 << 20  # that are worked on at a time


class Grid(NamedTuple):
    """Columns of ``first + count * step`` for whole counts from 0 on.

    Attributes:
        counts: [K, N], int16.
        first, step: [N], float64.
        fits: whether a column is evenly spaced at all, [N].
    """

    counts: Array
    first: Array
    step: Array
    fits: Array

    @property
    def phase(self) -> Array:
        """The lowest value in steps, [N]."""
        phase: Array = self.first / self.step
        return phase


def evenly_spaced(columns: Array) -> Grid:
    """The widest even spacing of the values of each column of `columns` [K, N], at most 511 steps.

    Columns of one value have a step of 1.
    """
    exact = columns.astype(np.float64)
    first, last = exact.min(axis=0), exact.max(axis=0)
    gaps = np.diff(np.sort(exact, axis=0), axis=0)
    least = np.where(gaps > 0, gaps, np.inf).min(axis=0, initial=np.inf)
    flat = last == first
    grid = Grid(np.zeros(exact.shape, np.int16), first.copy(), np.ones_like(first), flat.copy())
    # What is spread over more steps than wanted is no grid, so that most columns end here.
    left = np.flatnonzero(~flat & ((last - first) <= MOST_STEPS * (1 + _WHOLE) * least))
    for parts in range(1, _PARTS + 1):
        left = left[(last - first)[left] * parts <= (MOST_STEPS + 0.5) * least[left]]
        if not left.size:
            break
        _try(grid, exact[:, left], left, least[left] / parts)
        left = left[~grid.fits[left]]
    return grid


def _try(grid: Grid, columns: Array, places: Array, step: Array) -> None:
    """Note those of some columns that are whole numbers of `step`."""
    first = columns.min(axis=0)
    counts = np.rint((columns - first) / step)
    first, step = _fitted(columns, counts)
    good = (np.abs((columns - first) / step - counts) <= _WHOLE).all(axis=0) & (step > 0)
    grid.counts[:, places[good]] = counts[:, good]
    grid.first[places[good]], grid.step[places[good]] = first[good], step[good]
    grid.fits[places[good]] = True


def _fitted(columns: Array, counts: Array) -> tuple[Array, Array]:
    """Least squares of ``columns = first + counts * step``."""
    mean, middle = columns.mean(axis=0), counts.mean(axis=0)
    around = counts - middle
    step = (around * (columns - mean)).sum(axis=0) / np.maximum(np.square(around).sum(axis=0), 1e-300)
    return mean - middle * step, step


@np.errstate(over="ignore", invalid="ignore")  # an infinite step gives nothing back
def single_precision(values: Array) -> tuple[Array, np.float32, np.float32, np.float32] | None:
    """How evenly spaced `values` were computed: ``(code + offset) * step + low``, each operation rounded to float32.

    Returns:
        Codes, int64; offset, a whole number or half of one; step; low. None where no way gives all values to the bit.
    """
    grid = evenly_spaced(values.reshape(-1, 1))
    if not grid.fits[0]:
        return None
    counts, first, step = grid.counts[:, 0], float(grid.first[0]), float(grid.step[0])
    for shift, low in _ways(first, step):
        steps, lows = np.float32(step) + _ulps(step), np.float32(low) + (_ulps(low) if low else np.zeros(1, np.float32))
        products = (counts + shift).astype(np.float32) * steps[:, None]
        found = np.argwhere((products + lows[:, None, None] == values.reshape(-1)).all(axis=2))
        if found.size:
            offset = np.float32(shift - np.floor(shift))
            return (counts + np.floor(shift)).astype(np.int64), offset, steps[found[0][1]], lows[found[0][0]]
    return None


def _ways(first: float, step: float) -> Iterator[tuple[float, float]]:
    """What is added to counts, and then to their product with the step."""
    origin = np.rint(first / step)
    if abs(first / step - origin) < _PHASE:  # symmetric, and tensors whose zero has a code
        yield origin, 0.0
    yield 0.0, first  # the lowest value first, as Dequantize has it
    yield 0.5, first - 0.5 * step  # the middle of a bucket, as round_weights has it


def _ulps(value: float) -> Array:
    differences: Array = _NEIGHBOURS.astype(np.float32) * np.spacing(np.float32(abs(value)))
    return differences


def per_column(matrix: Array) -> tuple[Array, np.float32, Array] | None:
    """Few values times one factor per column, as ``(code + offset) * step`` with one step per column.

    Batch norms that were folded into rounded weights, and codes of a byte with a scale per channel, leave that behind.

    Args:
        matrix: float32 [K, N].

    Returns:
        Codes, int16 [K, N]; offset; steps, float32 [N]. None where a weight would be off by more than 2^-13 of its
        step, four units in the last place of the largest of 512 levels.
    """
    if not _is_promising(matrix):
        return None
    parts = list(_parts(matrix))
    grids = [evenly_spaced(matrix[:, part]) for part in parts]
    offset = _offset(grids) if all(grid.fits.all() for grid in grids) else None
    if offset is None:
        return None
    codes, steps = np.empty(matrix.shape, np.int16), np.empty(matrix.shape[1], np.float32)
    for part, grid in zip(parts, grids, strict=True):
        aligned = _aligned(grid, offset)
        if aligned is None:
            return None
        codes[:, part] = aligned
        steps[part] = _steps(matrix[:, part], aligned + np.float32(offset))
        if (np.abs((aligned + np.float32(offset)) * steps[part] - matrix[:, part]) > _OFF * np.abs(steps[part])).any():
            return None
    if not offset and np.ptp(codes) > _BYTE:
        # Where nothing tells the sign of a factor, the further end of each column is positive: one byte may do then.
        sign = np.where(-codes.min(axis=0) > codes.max(axis=0), -1, 1).astype(np.int16)
        codes, steps = codes * sign, steps * sign
    return codes, np.float32(offset), steps


def _parts(matrix: Array) -> Iterator[slice]:
    """Columns of `matrix`, a few at a time."""
    width = max(_ELEMENTS // max(len(matrix), 1), 1)
    return (slice(at, at + width) for at in range(0, matrix.shape[1], width))


def _is_promising(matrix: Array) -> bool:
    """Whether some columns, or parts of them, are evenly spaced."""
    rows = slice(None, None, -(-len(matrix) // _PROBE))
    columns = slice(None, None, -(-matrix.shape[1] // _PROBED))
    return bool(evenly_spaced(matrix[rows, columns]).fits.all())


def _offset(grids: Sequence[Grid]) -> float | None:
    """The part of a step by which zero lies beside a code, the same for all columns; factors may be negative.

    Those columns tell that have many steps; None if each has one value.
    """
    spans = np.concatenate([grid.counts.max(axis=0, initial=0) for grid in grids])
    phase = np.concatenate([grid.phase for grid in grids])[spans >= max(spans.max(initial=0) // 2, 1)]
    if not phase.size:
        return None
    part = phase - np.floor(phase)
    offset = float(np.median(np.minimum(part, 1 - part)))
    return 0.0 if offset < _OFF else offset


def _aligned(grid: Grid, offset: float) -> Array | None:
    """Codes with which each column is ``(codes + offset)`` times a factor; None where there are none."""
    left = grid.counts.any(axis=0)
    codes = np.zeros(grid.counts.shape, np.int16)
    codes[:, ~left & (grid.first != 0)] = 1  # of one value any step makes that
    for parts in range(1, _PARTS + 1):  # a column whose codes are all even looks as if it had twice the step
        both = np.stack([parts * grid.phase, -parts * grid.phase]) - offset
        off = np.abs(both - np.rint(both))
        mirrored = off[1] < off[0]
        good = left & (off.min(axis=0) <= _PHASE) & (np.abs(both).min(axis=0) <= MOST_STEPS)
        first, sign = np.rint(np.where(mirrored, both[1], both[0])), np.where(mirrored, -parts, parts)
        codes[:, good] = (sign * grid.counts + first)[:, good]
        left &= ~good
    return None if left.any() else codes


def _steps(columns: Array, codes: Array) -> Array:
    """The factors with which `codes` come nearest to `columns`, float32 [N].

    They are those of the least squared error or one of their neighbours.
    """
    squares = np.square(codes, dtype=np.float64).sum(axis=0)
    steps = np.einsum("kn,kn->n", columns, codes, dtype=np.float64) / np.where(squares > 0, squares, 1)
    best: Array = steps.astype(np.float32)
    middle, least = best, np.full(steps.shape, np.inf)
    for neighbour in sorted(_NEIGHBOURS.tolist(), key=abs):
        tried = middle + np.float32(neighbour) * np.spacing(np.abs(middle))
        error = np.abs(codes * tried - columns).max(axis=0, initial=0)
        best, least = np.where(error < least, tried, best), np.minimum(error, least)
    return best
