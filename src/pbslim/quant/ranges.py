"""The range of a tensor's values, and how the reference tool widens it."""

from __future__ import annotations

from collections.abc import Iterable

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
