"""float16 instead of float32."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]

_LARGEST = 6e4
_ERROR = 1e-3  # relative; float16 has 11 bits
_NEGLIGIBLE = 1e-3  # of the root mean square: smaller values need not be as exact


def as_half(values: Array) -> Array | None:
    """`values` as float16, None where that is clearly worse.

    It is where one is not finite or above 60,000, or where one is so small that float16 has few bits left for it
    while it counts beside the others.
    """
    if not values.size or not np.isfinite(values).all() or np.abs(values).max() > _LARGEST:
        return None
    half: Array = values.astype(np.float16)
    rms = np.sqrt(np.square(values, dtype=np.float64).mean())
    error = np.abs(half.astype(np.float64) - values)
    return half if (error <= _ERROR * np.maximum(np.abs(values), _NEGLIGIBLE * rms)).all() else None
