"""Running sums and products."""

from __future__ import annotations

from typing import Any

import numpy as np

from pbslim.kernels.checks import Array, named_axis, widened
from pbslim.kernels.registry import Attributes, kernel


def _scan(attrs: Attributes, x: Array, axis: Array, function: Any, neutral: float) -> Any:
    place = named_axis(axis, x)
    rows = np.moveaxis(x, place, 0)
    if attrs.flag("reverse"):
        rows = rows[::-1]
    if attrs.flag("exclusive") and len(rows):
        rows = np.concatenate([np.full_like(rows[:1], neutral), rows[:-1]])
    # each step is rounded to the type, as TensorFlow does
    result = function.accumulate(rows, axis=0, dtype=x.dtype) if rows.size else rows
    if attrs.flag("reverse"):
        result = result[::-1]
    return np.moveaxis(result, 0, place)


@kernel("Cumsum", takes="number index")
def _cumsum(attrs: Attributes, x: Array, axis: Array) -> Any:
    return _scan(attrs, x, axis, np.add, 0)


@kernel("Cumprod", takes="number index")
def _cumprod(attrs: Attributes, x: Array, axis: Array) -> Any:
    return _scan(attrs, x, axis, np.multiply, 1)


@kernel("CumulativeLogsumexp", takes="half|bfloat16|float|double index")
def _cumulative_log_sum_exp(attrs: Attributes, x: Array, axis: Array) -> Any:
    return _scan(attrs, widened(x), axis, np.logaddexp, -np.inf).astype(x.dtype)
