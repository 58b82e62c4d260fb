"""Weights that have few values, as those of models that were quantized before: they may stay as they are, exactly.

A site that is rounded adds noise, and the allocation lets every weight add as much. Bits fall as half the logarithm of
the noise, so that at the best steps all noise of a weight is worth ``1 / (2 ln 2)`` bits: as many as others save when
they may make it in its place. Up to that price codes win that give the weights back exactly.
"""

from __future__ import annotations

import math
from collections.abc import Iterable

from pbslim.compression.rounding import Rounded, Rounder
from pbslim.compression.writing import CODED, FLOAT_FORM, is_stepwise
from pbslim.ir.tensors import Array
from pbslim.quant.palettes import palettized

_BYTE = 8
_WORTH = 1 / (2 * math.log(2))  # bits of a weight


class OrExact:
    """A site that is rounded, or stored exactly where that costs hardly more."""

    def __init__(self, rounder: Rounder, exact: Rounded) -> None:
        self.site, self.rounder, self.exact = rounder.site, rounder, exact

    def round(self, coarseness: float) -> Rounded:
        """The weights as they are, or at about that coarseness."""
        rounded = self.rounder.round(coarseness)
        return self.exact if self.exact.bits <= rounded.bits + _WORTH * self.site.size else rounded

    def coarseness(self, rounded: Rounded) -> float:
        """How coarse that really is."""
        return 0.0 if rounded is self.exact else self.rounder.coarseness(rounded)


def or_exact(rounder: Rounder, matrix: Array, form: str) -> Rounder:
    """`rounder`, with the choice of storing a matrix of few values exactly.

    Args:
        form: of `pbslim.compression.writing`; plain floats are left out, as a zip makes codes of rounded ones shorter.
    """
    found = palettized(matrix, in_bytes=form != CODED) if form != FLOAT_FORM else None
    if found is None:
        return rounder
    width = _BYTE if is_stepwise(form) else None
    return OrExact(rounder, Rounded(found.codes, found.steps, None, width=width, palette=found.palette))


def inexact(rounders: Iterable[Rounder]) -> list[Rounder]:
    """The same without that choice, to see what rounding does to each."""
    return [each.rounder if isinstance(each, OrExact) else each for each in rounders]
