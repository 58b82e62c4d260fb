"""float16 instead of float32, with up to seven more bits where those of float16 do not do.

A finer number is ``h * (1 + r / 2**18)`` for a float16 h and a whole r of one byte: r of a few bits only, or 0, takes
little room in a file.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]

LARGEST = 6e4
"""Larger numbers are not stored as float16."""

_ERROR = 1e-3  # relative; float16 has 11 bits
_NORMAL = 2.0**-14  # of smaller numbers float16 has few bits
_NEGLIGIBLE = 1e-3  # of the root mean square: smaller values need not be as exact


def as_half(values: Array) -> Array | None:
    """`values` as float16, None where that is clearly worse.

    It is where one is not finite or above 60,000, or where one is so small that float16 has few bits left for it
    while it counts beside the others.
    """
    if not values.size or not np.isfinite(values).all() or np.abs(values).max() > LARGEST:
        return None
    half: Array = values.astype(np.float16)
    rms = np.sqrt(np.square(values, dtype=np.float64).mean())
    error = np.abs(half.astype(np.float64) - values)
    return half if (error <= _ERROR * np.maximum(np.abs(values), _NEGLIGIBLE * rms)).all() else None


MOST_BITS = 7
"""How much finer than float16 a number can be."""

RESOLUTION = 2.0**-18
"""What one step of the second part counts, relative to the first."""

_ENOUGH = 0.05
_CLEARLY = 0.1
_INFINITE = np.float16(np.inf)


def finer(values: Array, bits: int) -> Array:
    """The nearest numbers with so many bits more than float16, float32.

    Args:
        values: of float16's range, any shape.
        bits: 0 to 7.
    """
    half, residual = in_halves(values)
    if not bits:
        return half.astype(np.float32)
    step = 1 << (MOST_BITS - bits)
    kept = np.rint(residual / step) * step
    return joined(half, np.clip(kept, -_limit(half, np.zeros_like(half)), _limit(half, np.copysign(_INFINITE, half))))


def _limit(half: Array, towards: Array) -> Array:
    """The most that the second part can be on the way to the next float16 number, as this one must stay the nearest."""
    gap = np.abs(np.nextafter(half, towards).astype(np.float64) - half)
    middle = np.divide(gap / 2, np.abs(half), out=np.ones_like(gap), where=half != 0) / RESOLUTION
    limit: Array = np.minimum(np.floor(middle - _CLEARLY), (1 << MOST_BITS) - 1)
    return limit


def fine_enough(values: Array, noise: Array) -> Array:
    """The numbers of the fewest bits that add little to `noise`, float32.

    Args:
        noise: the mean square of other errors of each value; where it is 0 the value does not count.
    """
    counted = noise > 0
    for bits in range(MOST_BITS + 1):
        tried = finer(values, bits)
        errors = np.square((tried - values)[counted], dtype=np.float64)
        if not counted.any() or np.mean(errors / noise[counted]) <= _ENOUGH:
            break
    return tried


def in_halves(values: Array) -> tuple[Array, Array]:
    """The float16 number next to each value, and what is missing, int8 in units of `RESOLUTION`."""
    half = values.astype(np.float16)
    first = half.astype(np.float32)
    missing = np.divide(values - first, first, out=np.zeros_like(first), where=np.abs(first) >= _NORMAL) / RESOLUTION
    return half, np.clip(np.rint(missing), -(1 << MOST_BITS), (1 << MOST_BITS) - 1).astype(np.int8)


def joined(half: Array, residual: Array) -> Array:
    """Both parts as float32, as those ops compute it that read them from a file."""
    found: Array = half.astype(np.float32) * (residual.astype(np.float32) * np.float32(RESOLUTION) + np.float32(1))
    return found
