"""Ops that choose elements by a condition or by order."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from pbslim.dtypes import INT32
from pbslim.kernels.checks import (
    SORT,
    Array,
    axis_of,
    broadcast_shape,
    check_objects,
    check_work,
    checked_shape,
    has_nan,
    require,
    require_defined,
    scalar,
)
from pbslim.kernels.registry import Attributes, kernel


@kernel("Select", takes="bool T:any T:any")
def _select(_attrs: Attributes, condition: Array, x: Array, y: Array) -> Any:
    """The condition has the shape of the operands, or is a scalar, or a vector that chooses rows."""
    require(x.shape == y.shape, "operands differ in shape")
    if condition.shape != x.shape and condition.ndim == 1 and x.ndim > 1:
        condition = condition.reshape(-1, *[1] * (x.ndim - 1))
        require(condition.shape[0] == x.shape[0], "the condition has another number of rows than the operands")
    else:
        require(condition.shape in (x.shape, ()), "the condition differs in shape from the operands")
    return np.where(condition, x, y)


@kernel("SelectV2", takes="bool T:any T:any")
def _select_v2(_attrs: Attributes, condition: Array, x: Array, y: Array) -> Any:
    broadcast_shape(condition.shape, x.shape, y.shape)
    return np.where(condition, x, y)


@kernel("Where", takes="number|bool")
def _where(_attrs: Attributes, condition: Array) -> Any:
    require(condition.ndim >= 1, "it needs at least 1 dimension")
    checked_shape([int(np.count_nonzero(condition)), condition.ndim])
    return np.argwhere(condition).astype(np.int64)


def _top(attrs: Attributes, x: Array, k: int, index_dtype: Any) -> list[Array]:
    require(x.ndim >= 1, "it needs at least 1 dimension")
    require(0 <= k <= x.shape[-1], f"k is {k}, the last dimension has {x.shape[-1]} elements")
    require_defined(lambda: attrs.flag("sorted", True) or k <= 1, "the order of an unsorted result is not defined")
    require_defined(lambda: not has_nan(x), "the order of NaN is not defined")
    check_work(SORT * x.size)
    # stable and descending, the lower index first among equals: sort the mirrored row and mirror it back
    order = x.shape[-1] - 1 - np.argsort(x[..., ::-1], axis=-1, kind="stable")[..., ::-1]
    indices = order[..., :k]
    return [np.take_along_axis(x, indices, axis=-1), indices.astype(index_dtype)]


@kernel("TopK", takes="real")
def _top_k(attrs: Attributes, x: Array) -> list[Array]:
    return _top(attrs, x, attrs.integer("k"), np.int32)


@kernel("TopKV2", takes="real signed")
def _top_k_v2(attrs: Attributes, x: Array, k: Array) -> list[Array]:
    return _top(attrs, x, int(scalar(k, "k")), attrs.array_dtype("index_type", INT32))


_PARTS = 4  # elements, places, inverse, counts


def _distinct(attrs: Attributes, x: Array) -> tuple[Array, Array, Array]:
    """Distinct elements in order of first occurrence, where each element went, and how often each occurs."""
    require(x.ndim == 1, "it needs a vector")
    index = attrs.array_dtype("out_idx", INT32)
    require_defined(lambda: not has_nan(x), "NaN equals nothing")
    checked_shape([_PARTS, x.size], "what it sorts")
    check_work(SORT * x.size)
    values, first, inverse, counts = np.unique(x, return_index=True, return_inverse=True, return_counts=True)
    order = np.argsort(first)
    rank = np.empty_like(order)
    rank[order] = np.arange(order.size)
    return values[order], rank[inverse.reshape(-1)].astype(index), counts[order].astype(index)


@kernel("Unique", takes="number|bool|string")
def _unique(attrs: Attributes, x: Array) -> list[Array]:
    return [*_distinct(attrs, x)[:2]]


@kernel("UniqueWithCounts", takes="number|bool|string")
def _unique_with_counts(attrs: Attributes, x: Array) -> list[Array]:
    return [*_distinct(attrs, x)]


def _distinct_slices(attrs: Attributes, x: Array, axis: Array) -> tuple[Array, Array, Array]:
    """As `_distinct`, of the slices along the axis that is named, if one is."""
    require(axis.ndim == 1 and axis.size <= 1, "axis must be a vector of at most 1 element")
    if x.ndim == 1 and not axis.size:
        return _distinct(attrs, x)
    require(axis.size, "it needs a vector or an axis")
    place = axis_of(axis[0], x.ndim)
    rows = np.moveaxis(x, place, 0)
    require(x.size or not len(rows), "slices without elements")
    require_defined(lambda: not has_nan(x), "NaN equals nothing")
    check_objects(rows.size)
    numbers: dict[tuple[Any, ...], int] = {}
    flat = rows.reshape(len(rows), math.prod(rows.shape[1:])).tolist()
    found = np.array([numbers.setdefault(tuple(row), len(numbers)) for row in flat], np.int64)
    first = np.unique(found, return_index=True)[1]
    index = attrs.array_dtype("out_idx", INT32)
    return np.moveaxis(rows[first], 0, place), found.astype(index), np.bincount(found).astype(index)


@kernel("UniqueV2", takes="number|bool|string index")
def _unique_v2(attrs: Attributes, x: Array, axis: Array) -> list[Array]:
    return [*_distinct_slices(attrs, x, axis)[:2]]


@kernel("UniqueWithCountsV2", takes="number|bool|string index")
def _unique_with_counts_v2(attrs: Attributes, x: Array, axis: Array) -> list[Array]:
    return [*_distinct_slices(attrs, x, axis)]


@kernel("ListDiff", takes="T:number|bool|string T:number|bool|string")
def _list_diff(attrs: Attributes, x: Array, y: Array) -> list[Array]:
    require(x.ndim == y.ndim == 1, "it needs vectors")
    kept = np.flatnonzero(~np.isin(x, y))
    return [x[kept], kept.astype(attrs.array_dtype("out_idx", INT32))]


@kernel("InvertPermutation", takes="index")
def _invert_permutation(_attrs: Attributes, x: Array) -> Any:
    require(x.ndim == 1, "it needs a vector")
    require(np.array_equal(np.sort(x), np.arange(x.size)), "it is not a permutation")
    return np.argsort(x).astype(x.dtype)
