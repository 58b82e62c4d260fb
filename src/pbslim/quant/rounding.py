"""Round values to a few evenly spaced levels, as transform_graph's round_weights does, in single precision."""

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
        width = (high - low) / np.float32(num_steps)

    def to_middle(values: Floats) -> Floats:
        result: Floats = values - low
        if width == 0:  # the range is so small that a step underflows
            return values
        with np.errstate(over="ignore", invalid="ignore"):
            np.divide(result, width, out=result)
            np.floor(result, out=result)
            np.add(result, np.float32(0.5), out=result)
            np.multiply(result, width, out=result)
            np.add(result, low, out=result)
        return result

    return to_middle
