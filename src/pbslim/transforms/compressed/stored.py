"""What a constant is stored as: codes with their steps, or float16."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from pbslim.analysis.weight_sites import Site
from pbslim.ir.tensors import Array
from pbslim.quant.palettes import Palette

MOST_FOLDED = 2_000_000
"""Weights that one chain of ops decodes at most: TensorFlow folds no constant above 10 MB."""


@dataclass(frozen=True)
class Stored:
    """The new content of a Const.

    Attributes:
        name: of the Const.
        codes: int8 in the shape of the constant, int16 where a byte is too narrow; or its values as float16.
        steps: in a shape that broadcasts to it; None where it is float16 or has a table.
        palette: what codes stand for where that is more than a multiple of their step; steps are exact then.
        order: of the rows along which a trellis says what codes stand for; see `pbslim.quant.trellis`.
    """

    name: str
    codes: Array
    steps: Array | None = None
    palette: Palette | None = None
    order: Array | None = None

    @classmethod
    def of(
        cls,
        site: Site,
        codes: Array,
        steps: Array | None,
        palette: Palette | None = None,
        order: Array | None = None,
    ) -> Stored:
        """The same of a matrix [K, N], with steps [N] or one for all."""
        if steps is not None and steps.size == site.channels:
            steps = steps.reshape(site.step_shape)
        return cls(site.name, np.ascontiguousarray(site.from_matrix(codes)), steps, palette, order)

    @property
    def is_half(self) -> bool:
        """Whether it is float16."""
        return self.steps is None and self.palette is None

    @property
    def largest(self) -> int:
        """The largest code, without its sign."""
        return max(int(self.codes.max(initial=0)), -int(self.codes.min(initial=0)))

    def as_half(self) -> Stored:
        """Its values as float16."""
        if self.palette is not None:
            return Stored(self.name, self.palette.decode(self.codes, self.steps).astype(np.float16))
        steps = 1 if self.steps is None else self.steps.astype(np.float32)
        return Stored(self.name, (self.codes * steps).astype(np.float16))

    def pieces(self) -> tuple[int, list[Stored]]:
        """Parts along an axis that are small enough to be folded, and that axis."""
        shape = self.codes.shape
        axis = next((axis for axis, size in enumerate(shape) if size > 1), 0)
        if self.codes.size <= MOST_FOLDED:
            return axis, [self]
        rows = max(MOST_FOLDED * shape[axis] // self.codes.size, 1)
        return axis, [self._part(axis, slice(at, at + rows)) for at in range(0, shape[axis], rows)]

    def _part(self, axis: int, rows: slice) -> Stored:
        steps = self.steps
        if steps is not None:
            own = axis - (self.codes.ndim - steps.ndim)  # shapes are aligned at their ends
            if own >= 0 and steps.shape[own] > 1:
                steps = steps[(slice(None),) * own + (rows,)]
        return Stored(self.name, self.codes[(slice(None),) * axis + (rows,)], steps, self.palette)


def groups_of(sizes: list[int], most: int = MOST_FOLDED) -> Iterator[list[int]]:
    """The numbers of neighbours that are decoded together, `most` elements at a time."""
    group: list[int] = []
    total = 0
    for number, size in enumerate(sizes):
        if group and total + size > most:
            yield group
            group, total = [], 0
        group.append(number)
        total += size
    if group:
        yield group
