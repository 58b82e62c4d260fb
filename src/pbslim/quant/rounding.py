"""Round values to a few evenly spaced levels, as the reference tools do, in single precision."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from pbslim.quant.ranges import Floats, reference_range

_NEARLY_ZERO = np.float32(1e-6)


def _spread(low: np.float32, high: np.float32) -> tuple[np.float32, np.float32]:
    if low != high:
        return low, high
    if abs(low) < _NEARLY_ZERO:
        return low, low + np.float32(1)
    return (low, 2 * low) if low > 0 else (2 * high, high)


def rounder(low: np.float32, high: np.float32, num_steps: int) -> Callable[[Floats], Floats]:
    """A function that moves each value to the middle of its bucket.

    Args:
        low, high: lowest and highest value of the whole tensor.
        num_steps: buckets between them, at least 1. The highest value itself falls into one more bucket above
            the range, so that ``num_steps + 1`` values can occur, as in the reference tool.
    """
    low, high = _spread(*reference_range(low, high))
    with np.errstate(over="ignore"):
        return _to_middle(low, (high - low) / np.float32(num_steps))


def bucket_rounder(low: np.float32, high: np.float32, buckets: int) -> Callable[[Floats], Floats]:
    """A function that moves each value to the middle of its bucket, as quantize_graph does in mode weights_rounded.

    Args:
        low, high: lowest and highest value of the whole tensor; where they are equal it stays as it is.
        buckets: at least 1. The highest value falls into the last one.
    """
    return _to_middle(low, (high - low) / np.float32(buckets), buckets - 1)


def _to_middle(low: np.float32, width: np.float32, last: int | None = None) -> Callable[[Floats], Floats]:
    def to_middle(values: Floats) -> Floats:
        result: Floats = values - low
        if width == 0:  # the range is so small that a step underflows
            return values
        with np.errstate(over="ignore", invalid="ignore"):
            np.divide(result, width, out=result)
            np.floor(result, out=result)
            if last is not None:
                np.minimum(result, np.float32(last), out=result)
            np.add(result, np.float32(0.5), out=result)
            np.multiply(result, width, out=result)
            np.add(result, low, out=result)
        return result

    return to_middle
