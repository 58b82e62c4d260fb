"""Reductions of rows that belong together, by the segment numbers beside them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from pbslim.kernels.checks import (
    Array,
    check_indices,
    checked_shape,
    has_nan,
    highest,
    lowest,
    require,
    require_defined,
    scalar,
    widened,
)
from pbslim.kernels.registry import Attributes, kernel

_REDUCTIONS: dict[str, tuple[Any, Callable[[Any], Any]]] = {  # each with what it starts from, for a type
    "Sum": (np.add, lambda dtype: dtype.type(0)),
    "Prod": (np.multiply, lambda dtype: dtype.type(1)),
    "Max": (np.maximum, lowest),
    "Min": (np.minimum, highest),
}


def _reduced(name: str, rows: Array, segments: Array, count: int) -> Array:
    """The rows of each of `count` segments in one, in the order in which they come."""
    function, start = _REDUCTIONS[name]
    require_defined(lambda: name in ("Sum", "Prod") or not has_nan(rows), "the order of NaN is not defined")
    result = np.full(checked_shape([count, *rows.shape[1:]]), start(rows.dtype), rows.dtype)
    function.at(result, segments, rows)
    return result


def _sizes(segments: Array, count: int, rank: int) -> Array:
    """The number of rows in each segment, in a shape that goes with the results."""
    return np.bincount(segments, minlength=count).reshape(-1, *[1] * (rank - 1))


def _check_sorted(segments: Array, size: int) -> int:
    """The number of segments, gaps between their numbers included."""
    require(segments.shape == (size,), f"segment_ids must be a vector of {size} elements")
    require(bool((np.diff(segments) >= 0).all()), "segment_ids are not sorted")
    count = int(segments[-1]) + 1 if size else 0
    check_indices(segments, count, "segment")
    return count


def _sorted_reduction(name: str) -> Callable[..., Any]:
    def run(_attrs: Attributes, data: Array, segments: Array) -> Any:
        require(data.ndim >= 1, "data must have at least 1 dimension")
        count = _check_sorted(segments, data.shape[0])
        result = _reduced(name, widened(data), segments, count).astype(data.dtype, copy=False)
        if name in ("Max", "Min"):
            result[np.bincount(segments, minlength=count) == 0] = 0
        return result

    return run


def _unsorted_reduction(name: str) -> Callable[..., Any]:
    def run(_attrs: Attributes, data: Array, segments: Array, num_segments: Array) -> Any:
        """Rows of negative segments are dropped."""
        count = int(scalar(num_segments, "num_segments"))
        require(count >= 0, "num_segments is negative")
        require(data.shape[: segments.ndim] == segments.shape, "data and segment_ids differ in their first dimensions")
        rows = data.reshape(segments.size, *data.shape[segments.ndim :])
        kept = segments.reshape(-1) >= 0
        check_indices(segments.reshape(-1)[kept], count, "segment")
        return _reduced(name, rows[kept], segments.reshape(-1)[kept], count)

    return run


for _name in _REDUCTIONS:
    _types = "number" if _name in ("Sum", "Prod") else "real"
    kernel(f"Segment{_name}", takes=f"{_types} index")(_sorted_reduction(_name))
    kernel(f"UnsortedSegment{_name}", takes=f"{_types} index index")(_unsorted_reduction(_name))


@kernel("SegmentMean", takes="inexact index")
def _segment_mean(_attrs: Attributes, data: Array, segments: Array) -> Any:
    require(data.ndim >= 1, "data must have at least 1 dimension")
    count = _check_sorted(segments, data.shape[0])
    total = _reduced("Sum", widened(data), segments, count)
    return (total / np.maximum(_sizes(segments, count, data.ndim), 1)).astype(data.dtype)


_DIVISORS: dict[str, Callable[[Array], Any]] = {
    "Sum": np.ones_like,
    "Mean": lambda sizes: np.maximum(sizes, 1),
    "SqrtN": lambda sizes: np.sqrt(np.maximum(sizes, 1)),
}


def _sparse_reduction(name: str) -> Callable[..., Any]:
    def run(attrs: Attributes, data: Array, indices: Array, segments: Array, num_segments: Array | None = None) -> Any:
        """Of the rows that `indices` name; half and bfloat16 are added up in float32."""
        require(not attrs.flag("sparse_gradient"), "sparse_gradient goes with gradients")
        require(data.ndim >= 1, "data must have at least 1 dimension")
        require(indices.ndim == 1, "indices must be a vector")
        check_indices(indices, data.shape[0])
        count = _check_sorted(segments, indices.size)
        if num_segments is not None:
            wanted = int(scalar(num_segments, "num_segments"))
            require(wanted >= count, f"num_segments is {wanted}, there are {count} segments")
            count = wanted
        checked_shape([indices.size, *data.shape[1:]], "the rows together")
        total = _reduced("Sum", widened(data[indices]), segments, count)
        if name == "Sum":
            return total.astype(data.dtype)
        return (total / _DIVISORS[name](_sizes(segments, count, data.ndim))).astype(data.dtype)

    return run


for _name in _DIVISORS:
    _types = "real" if _name == "Sum" else "floating"
    kernel(f"SparseSegment{_name}", takes=f"{_types} index index")(_sparse_reduction(_name))
    kernel(f"SparseSegment{_name}WithNumSegments", takes=f"{_types} index index index")(_sparse_reduction(_name))
