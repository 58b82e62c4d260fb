"""Eight-bit codes for real numbers in a range, as the reference tools compute them."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from pbslim.quant.ranges import Floats, reference_range

Codes = npt.NDArray[np.uint8]

_LEVELS = 256
# Below, the step between codes may be denormal, which TensorFlow takes for zero, or its inverse infinite.
_LEAST_SPAN = np.float32(1e-30)
# So narrow that no tolerance notices, so wide that its step is still a normal number times that of any activation.
_TINY_SPAN = 1e-7
_NEARLY_HALF = np.nextafter(0.5, 0)  # with all of it, the number right below a half would become 1
_BLOCK = 1 << 14  # of more elements, the arrays between two steps are memory that the system hands out anew each time


def round_half_away(values: npt.ArrayLike) -> npt.NDArray[np.float64]:
    """The nearest whole number, halves away from zero (numpy's own rounding goes to even)."""
    exact = np.asarray(values, np.float64)
    further: npt.NDArray[np.float64] = np.asarray(np.copysign(_NEARLY_HALF, exact))
    further += exact
    np.trunc(further, out=further)
    return further


def _in_blocks(function: Callable[[Floats], npt.NDArray[np.float64]]) -> Callable[[Floats], Codes]:
    """`function`, called with a block of elements at a time."""

    def to_codes(values: Floats) -> Codes:
        codes = np.empty(values.shape, np.uint8)
        source, target = values.reshape(-1), codes.reshape(-1)
        for at in range(0, source.size, _BLOCK):
            target[at : at + _BLOCK] = function(source[at : at + _BLOCK])
        return codes

    return to_codes


def weights_range(low: np.float32, high: np.float32) -> tuple[np.float32, np.float32]:
    """The range that quantize_weights stores: `reference_range` made to contain zero and wide enough for codes.

    Where all values are zero, that of the reference is [0, 1.2e-38], which TensorFlow decodes to NaN.
    """
    return zero_range(*reference_range(low, high), _TINY_SPAN)


def quantizer(low: np.float32, high: np.float32) -> Callable[[Floats], Codes]:
    """A function from float32 values to codes 0 to 255 for the range `low` < `high` (``Dequantize`` mode MIN_FIRST).

    The difference of the bounds is rounded to single precision first, all else is double, as in
    TensorFlow's ``FloatToQuantized``.
    """
    with np.errstate(over="ignore"):
        span = np.float64(np.float32(high - low)) * (_LEVELS / (_LEVELS - 1.0))
    scale = _LEVELS / span
    offset = round_half_away(np.float64(low) * scale)

    def to_codes(values: Floats) -> npt.NDArray[np.float64]:
        codes = round_half_away(np.multiply(values, scale, dtype=np.float64))
        codes -= offset
        return np.clip(codes, 0, _LEVELS - 1, out=codes)

    return _in_blocks(to_codes)


def zero_range(low: np.float32, high: np.float32, span: float = 1.0) -> tuple[np.float32, np.float32]:
    """The range `low` to `high` made to contain zero; where it is too narrow for codes, it becomes `span` wide.

    All values then have code 0, which stands for zero: none is off by more than 1e-30.
    """
    low, high = np.minimum(low, np.float32(0)), np.maximum(high, np.float32(0))
    return (low, high) if high - low >= _LEAST_SPAN else (low, low + np.float32(span))


def decoded(codes: Codes, low: np.float32, high: np.float32) -> npt.NDArray[np.float64]:
    """What ``Dequantize`` in mode MIN_FIRST makes of codes for the range `low` < `high`, but for float rounding."""
    step = (np.float64(high) - np.float64(low)) / (_LEVELS - 1)
    return (round_half_away(low / step) + codes) * step


def is_too_narrow(low: float, high: float) -> bool:
    """Whether TensorFlow decodes codes of this range to NaN; it decodes those of an empty one to its one value."""
    return bool(0 < high - low < _LEAST_SPAN)


def op_quantizer(low: np.float32, high: np.float32, *, min_first: bool) -> Callable[[Floats], Codes]:
    """A function from float32 values to codes 0 to 255 for the range `low` < `high`, as the op QuantizeV2 has it.

    The formulas are those of TensorFlow's kernel, all in single precision: ``round((v - low) * scale)`` in its mode
    MIN_COMBINED, ``round(v * scale) - round(low * scale)`` in MIN_FIRST. Other than the kernel this takes the range
    as it is, however narrow.
    """
    scale = np.float32(np.float64(_LEVELS - 1) / np.float64(high - low))
    offset = round_half_away(low * scale)

    def combined(values: Floats) -> npt.NDArray[np.float64]:
        return round_half_away((np.clip(values, low, high) - low) * scale)

    def first(values: Floats) -> npt.NDArray[np.float64]:
        return np.clip(round_half_away(values * scale) - offset, 0, _LEVELS - 1)

    return _in_blocks(first if min_first else combined)
