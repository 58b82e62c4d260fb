"""Ops that look where a number stands among others."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from pbslim.dtypes import INT32
from pbslim.kernels.checks import (
    SORT,
    STEP,
    Array,
    check_work,
    checked_shape,
    has_nan,
    require,
    require_defined,
    scalar,
)
from pbslim.kernels.registry import Attributes, kernel


def _bound(side: Any) -> Callable[..., Any]:
    def run(attrs: Attributes, rows: Array, values: Array) -> Any:
        require(rows.ndim == values.ndim == 2 and len(rows) == len(values), "operands must be two lists of rows")
        require_defined(lambda: not has_nan(rows) and not has_nan(values), "the order of NaN is not defined")
        require(bool((rows[:, 1:] >= rows[:, :-1]).all()), "rows are not sorted")
        result = np.empty(values.shape, attrs.array_dtype("out_type", INT32))
        check_work(STEP * len(rows) + SORT * values.size)
        for row, sought, places in zip(rows, values, result, strict=True) if values.size else ():
            places[:] = np.searchsorted(row, sought, side)
        return result

    return run


kernel("LowerBound", takes="T:real T:real")(_bound("left"))
kernel("UpperBound", takes="T:real T:real")(_bound("right"))


@kernel("Bucketize", takes="index|float|double")
def _bucketize(attrs: Attributes, x: Array) -> Any:
    """Integers meet the boundaries in single precision, doubles in double."""
    boundaries = np.array(attrs.numbers("boundaries"), np.float32)
    require(bool((boundaries[1:] >= boundaries[:-1]).all()), "boundaries are not sorted")
    values = x if x.dtype.kind == "f" else x.astype(np.float32)
    return np.asarray(np.searchsorted(boundaries, values, "right")).astype(np.int32)


def _in_top(predictions: Array, targets: Array, k: int) -> Any:
    require(predictions.ndim == 2 and targets.shape == predictions.shape[:1], "a target is needed for each row")
    known = (targets >= 0) & (targets < predictions.shape[1])
    if not known.any():
        return known
    own = predictions[np.arange(targets.size), np.where(known, targets, 0)]
    better = (predictions > own[:, None]).sum(axis=1)
    return known & np.isfinite(predictions).all(axis=1) & (better < k)


@kernel("InTopK", takes="float index")
def _in_top_k(attrs: Attributes, predictions: Array, targets: Array) -> Any:
    return _in_top(predictions, targets, attrs.integer("k"))


@kernel("InTopKV2", takes="float T:index T:index")
def _in_top_k_v2(_attrs: Attributes, predictions: Array, targets: Array, k: Array) -> Any:
    return _in_top(predictions, targets, int(scalar(k, "k")))


@kernel("NthElement", takes="real int32")
def _nth_element(attrs: Attributes, x: Array, n: Array) -> Any:
    require(x.ndim >= 1, "it needs at least 1 dimension")
    place, size = int(scalar(n, "n")), x.shape[-1]
    require(0 <= place < size, f"n is {place}, the last dimension has {size} elements")
    require_defined(lambda: not has_nan(x), "the order of NaN is not defined")
    check_work(SORT * x.size)
    return np.sort(x, axis=-1)[..., size - 1 - place if attrs.flag("reverse") else place]


@kernel("HistogramFixedWidth", takes="T:index|float|double T:index|float|double int32")
def _histogram(attrs: Attributes, values: Array, value_range: Array, nbins: Array) -> Any:
    """How many values are in each of `nbins` equal parts of a range; those beyond count at its ends."""
    require(value_range.shape == (2,), "value_range must have 2 elements")
    low, high = value_range
    count = int(scalar(nbins, "nbins"))
    require(count > 0, f"{count} is not a number of bins")
    checked_shape([count])
    require(np.isfinite(low) and np.isfinite(high) and low < high, "value_range is not a range")
    require_defined(lambda: not has_nan(values), "NaN is in no bin")
    above = np.maximum(values, low) - low
    require(bool((above >= 0).all()) and high - low > 0, "the values are too far apart")
    step = np.float64(high - low) / count
    bins = np.minimum(above.astype(np.float64) / step, count - 1).astype(np.int64)
    return np.bincount(bins.reshape(-1), minlength=count).astype(attrs.array_dtype("dtype", INT32))
