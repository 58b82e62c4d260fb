"""The shortest bytes for the codes of several constants that are stored together."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from itertools import combinations, zip_longest
from typing import Any

import numpy as np
import numpy.typing as npt

from pbslim.cores import in_parallel
from pbslim.quant.channels import LARGEST
from pbslim.quant.deflate import deflated
from pbslim.quant.layouts import Layout, layouts_of
from pbslim.quant.packing import PER_BYTE, packed

Array = npt.NDArray[Any]

PLAIN = 2 * LARGEST + 1
"""Levels of codes that take a byte each."""

_PACKINGS = tuple(levels for levels in PER_BYTE if levels % 2)
_LARGE, _EXCERPT = 1 << 23, 1 << 20  # codes of which a part shows how they are stored best, and of that part
_KIND_COST = 420  # bytes of the nodes that decode one more kind of stream
_TURN_COST, _MASK_COST = 70, 250  # bytes of the nodes that restore a layout


@dataclass(frozen=True)
class Coded:
    """The codes of a constant as bytes, and what deflate makes of those.

    Attributes:
        levels: how many different codes there may be.
        layout: in which they lie; with an order a trellis says what they stand for.
        shape: [K, N] of what is stored, in its order.
    """

    levels: int
    layout: Layout
    shape: tuple[int, ...]
    data: bytes
    deflated: bytes

    @property
    def size(self) -> int:
        """How many codes are stored."""
        return int(np.prod(self.shape))

    @property
    def kind(self) -> tuple[int, bool]:
        """What those have in common that are decoded together."""
        return self.levels, self.layout.order is not None

    @property
    def per_byte(self) -> int:
        """How many codes a byte holds."""
        return PER_BYTE.get(self.levels, 1)

    @property
    def cost(self) -> int:
        """About how many bytes it takes in a file, with the nodes that restore its order."""
        masks = sum(_MASK_COST + len(deflated(mask.tobytes())) for mask in self.layout.masks)
        return len(self.deflated) + _TURN_COST * self.layout.by_column + masks


def shortest(pieces: Sequence[Array], orders: Sequence[Array | None] = ()) -> list[Coded]:
    """Each of the int8 arrays coded in the way that makes all of them together the smallest.

    Args:
        orders: of the rows of those along which a trellis runs, None for the others.
    """
    ways = in_parallel(lambda pair: _ways(*pair), zip_longest(pieces, orders))

    def chosen(kinds: Collection[int]) -> list[Coded]:
        return [min((way[kind] for kind in kinds if kind in way), key=lambda each: each.cost) for way in ways]

    def cost(coded: Sequence[Coded]) -> int:
        return sum(each.cost for each in coded) + _KIND_COST * len({each.kind for each in coded})

    subsets = (kinds for count in range(len(_PACKINGS) + 1) for kinds in combinations(_PACKINGS, count))
    return min((chosen([PLAIN, *kinds]) for kinds in subsets), key=cost)


def _ways(piece: Array, order: Array | None) -> dict[int, Coded]:
    """The shortest way for each number of levels that holds all codes."""
    largest = max(int(piece.max(initial=0)), -int(piece.min(initial=0)))
    layouts = layouts_of(piece) if order is None else [Layout(by_column=True, order=order)]
    kinds = [PLAIN, *(levels for levels in _PACKINGS if levels // 2 >= largest)]
    if piece.size >= _LARGE:
        return {PLAIN: _coded(piece, layouts[-1], _likely_shortest(piece, kinds))}
    return {
        levels: min((_coded(piece, each, levels) for each in layouts), key=lambda each: each.cost) for levels in kinds
    }


def _likely_shortest(piece: Array, kinds: Sequence[int]) -> int:
    """The number of levels by which a part of the piece is the shortest."""
    part = piece.reshape(-1)[(piece.size - _EXCERPT) // 2 :][:_EXCERPT]
    return min(kinds, key=lambda levels: len(_coded(part, Layout(), levels).deflated))


def _coded(piece: Array, layout: Layout, levels: int) -> Coded:
    matrix = layout.matrix(piece) if piece.ndim > 1 else piece
    data = (matrix if levels == PLAIN else packed(matrix, levels)).tobytes()
    return Coded(levels, layout, matrix.shape, data, deflated(data))
