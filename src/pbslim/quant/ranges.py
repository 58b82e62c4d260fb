"""The range of a tensor's values, and how the reference tool widens it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
import numpy.typing as npt

_FLT_MIN = np.float32(1.17549435e-38)
_FLT_MAX = np.float32(3.4028235e38)

Floats = npt.NDArray[np.float32]


def value_range(pieces: Iterable[Floats]) -> tuple[np.float32, np.float32]:
    """Lowest and highest value of float32 `pieces`; NaN or infinity in them comes out as such."""
    low, high = _FLT_MAX, -_FLT_MAX
    for piece in pieces:
        if piece.size:
            low, high = np.minimum(low, piece.min()), np.maximum(high, piece.max())
    return low, high


def reference_range(low: np.float32, high: np.float32) -> tuple[np.float32, np.float32]:
    """The range as transform_graph finds it: its search for the highest value starts at the smallest positive float.

    So the range of all-negative values reaches up to (almost) zero, and is never empty there.
    """
    return np.minimum(low, _FLT_MAX), np.maximum(high, _FLT_MIN)


def logged_range(
    lows: Sequence[float], highs: Sequence[float], min_percentile: float, max_percentile: float
) -> tuple[np.float32, np.float32]:
    """One range for several that occurred, without the most extreme bounds, as freeze_requantization_ranges finds it.

    Args:
        lows, highs: the bounds of each range that occurred; equally many, at least one, all finite.
        min_percentile, max_percentile: how many bounds are left out at the lower and the upper end, of 100.
    """
    count, hundred = np.float32(len(lows)), np.float32(100)
    first = _place(count * (np.float32(min_percentile) / hundred), len(lows))
    last = _place(count * (np.float32(1) - np.float32(max_percentile) / hundred), len(highs))
    return np.sort(np.array(lows, np.float32))[first], np.sort(np.array(highs, np.float32))[last]


def _place(index: np.float32, count: int) -> int:
    # Halves go away from zero; what lies beyond an end of the list is that end.
    return int(np.clip(np.floor(np.abs(index) + 0.5) * np.sign(index), 0, count - 1))
