"""Eight-bit codes for real numbers in a range, as the reference tool computes them."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from pbslim.quant.ranges import Floats, reference_range

Codes = npt.NDArray[np.uint8]

_LEVELS = 256


def round_half_away(values: npt.ArrayLike) -> npt.NDArray[np.float64]:
    """The nearest whole number, halves away from zero (numpy's own rounding goes to even)."""
    exact = np.asarray(values, np.float64)
    whole: npt.NDArray[np.float64] = np.trunc(exact)
    whole += np.copysign(np.abs(exact - whole) >= 0.5, exact)
    return whole


def weights_range(low: np.float32, high: np.float32) -> tuple[np.float32, np.float32]:
    """The range that quantize_weights stores: `reference_range` made to contain zero."""
    low, high = reference_range(low, high)
    return np.minimum(low, np.float32(0)), np.maximum(high, np.float32(0))


def quantizer(low: np.float32, high: np.float32) -> Callable[[Floats], Codes]:
    """A function from float32 values to codes 0 to 255 for the range `low` < `high` (``Dequantize`` mode MIN_FIRST).

    The difference of the bounds is rounded to single precision first, all else is double, as in
    TensorFlow's ``FloatToQuantized``.
    """
    with np.errstate(over="ignore"):
        span = np.float64(np.float32(high - low)) * (_LEVELS / (_LEVELS - 1.0))
    scale = _LEVELS / span
    offset = round_half_away(np.float64(low) * scale)

    def to_codes(values: Floats) -> Codes:
        codes = round_half_away(values.astype(np.float64) * scale)
        codes -= offset
        return np.clip(codes, 0, _LEVELS - 1, out=codes).astype(np.uint8)

    return to_codes
