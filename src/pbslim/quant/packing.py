"""Several small codes in one byte, and the table that takes them out again."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]

PER_BYTE = {15: 2, 6: 3, 5: 3, 3: 5}
"""Number of different codes → how many of them fit into one byte."""


def levels_for(largest: int) -> int | None:
    """The least number of levels of `PER_BYTE`, odd, that holds codes from -largest to largest; None if none does."""
    return min((levels for levels in PER_BYTE if levels % 2 and levels >= 2 * largest + 1), default=None)


def packed(codes: Array, levels: int) -> Array:
    """Bytes that hold `codes`, the first one in the lowest digit; zeros fill the last byte.

    Args:
        codes: whole numbers from ``-(levels // 2)`` on, fewer than `levels` of them; any shape.
        levels: a key of `PER_BYTE`.

    Returns:
        uint8 [ceil(size / per byte)].
    """
    per_byte = PER_BYTE[levels]
    digits = np.full(codes.size + -codes.size % per_byte, levels // 2, np.uint8)
    digits[: codes.size] += codes.reshape(-1).astype(np.uint8)  # which goes around, so that -1 takes away 1
    found = np.zeros(len(digits) // per_byte, np.uint8)
    for place in range(per_byte):
        found += digits[place::per_byte] * np.uint8(levels**place)
    return found


def table(levels: int) -> Array:
    """Row i holds the codes that the byte i stands for, int8 [levels ** per byte, per byte]."""
    per_byte = PER_BYTE[levels]
    bytes_ = np.arange(levels**per_byte)
    return (bytes_[:, None] // levels ** np.arange(per_byte) % levels - levels // 2).astype(np.int8)
