"""Rows of different lengths: their values one after the other, and splits that say where each row begins and ends."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from pbslim.dtypes import INT64
from pbslim.kernels.checks import Array, check_indices, checked_shape, require
from pbslim.kernels.registry import Attributes, kernel

_PARTITIONS = ("FIRST_DIM_SIZE", "VALUE_ROWIDS", "ROW_SPLITS")


def _checked_splits(splits: Array, size: int) -> Array:
    """Splits as int64, after a look whether they divide `size` values."""
    require(splits.ndim == 1 and splits.size > 0, "splits must be a vector that is not empty")
    wide = splits.astype(np.int64)
    ok = wide[0] == 0 and wide[-1] == size and bool((wide[1:] >= wide[:-1]).all())
    require(ok, f"splits must rise from 0 to {size}")
    return wide


def _check_nested(splits: tuple[Array, ...], size: int) -> list[Array]:
    """Splits of nested rows, the outermost first."""
    sizes = [max(len(inner) - 1, 0) for inner in splits[1:]] + [size]
    return [_checked_splits(each, count) for each, count in zip(splits, sizes, strict=True)]


def _places(splits: Array) -> tuple[Array, Array]:
    """For each value its row and its place there."""
    lengths = np.diff(splits)
    rows = np.repeat(np.arange(len(lengths)), lengths)
    return rows, np.arange(int(splits[-1])) - splits[:-1][rows]


def _rows(partitions: tuple[Array, ...], kinds: list[str], size: int) -> tuple[int, list[tuple[Array, Array]]]:
    """How many rows there are, and for each partition the row and the place there of each value."""
    require(len(kinds) == len(partitions) > 0, "row_partition_types and row_partition_tensors differ in number")
    require(set(kinds) <= {*_PARTITIONS}, f"row_partition_types {kinds} are not known")
    given = kinds[0] == "FIRST_DIM_SIZE"
    require("FIRST_DIM_SIZE" not in kinds[1:] and len(kinds) > given, "a size must be followed by a partition")
    require(not given or partitions[0].ndim == 0, "a size must be a scalar")
    first = partitions[given]
    require(given or kinds[0] == "ROW_SPLITS", "the number of rows is not given")
    count = int(partitions[0]) if given else max(len(first) - 1, 0)
    require(count >= 0, "the number of rows is negative")
    levels, above = [], count
    sizes = [
        int(each[-1]) if kind == "ROW_SPLITS" and each.size else each.size
        for each, kind in zip(partitions[given:], kinds[given:], strict=True)
    ]
    require(sizes[-1] == size, f"the last partition is of {sizes[-1]} values, there are {size}")
    for each, kind, values in zip(partitions[given:], kinds[given:], sizes, strict=True):
        if kind == "ROW_SPLITS":
            splits = _checked_splits(each, values)
        else:
            require(each.ndim == 1 and bool((each[1:] >= each[:-1]).all()), "row numbers must be a vector and rise")
            check_indices(each, above, "row")
            splits = np.concatenate([[0], np.cumsum(np.bincount(each, minlength=above))]).astype(np.int64)
        require(len(splits) == above + 1, f"there are splits of {len(splits) - 1} rows, expected {above}")
        levels.append(_places(splits))
        above = values
    return count, levels


@kernel("RaggedTensorToTensor", takes="index T:any T:any index*")
def _to_tensor(attrs: Attributes, shape: Array, values: Array, default: Array, *partitions: Array) -> Any:
    """A dense tensor; rows that are too short end with the default, and what is beyond its shape is left out."""
    require(values.ndim >= 1, "values must have at least 1 dimension")
    count, levels = _rows(partitions, attrs.texts("row_partition_types"), len(values))
    found = [count, *(int(place.max(initial=-1)) + 1 for _, place in levels), *values.shape[1:]]
    wanted = [-1] * len(found) if shape.ndim == 0 else [int(size) for size in shape]
    require(shape.ndim or int(shape) == -1, "the shape must be a vector or -1")
    require(len(wanted) == len(found), f"the shape has {len(wanted)} dimensions, expected {len(found)}")
    sizes = checked_shape(have if want == -1 else want for want, have in zip(wanted, found, strict=True))
    outer, inner = sizes[: len(levels) + 1], sizes[len(levels) + 1 :]
    require(inner == values.shape[1:], f"values of the shape {list(values.shape[1:])} do not fit {list(inner)}")
    index, ok = np.arange(count), np.arange(count) < outer[0]
    for (row, place), size in zip(levels, outer[1:], strict=True):
        index, ok = index[row] * size + place, ok[row] & (place < size)
    result = np.empty([math.prod(outer), *inner], values.dtype)
    result[...] = default
    result[index[ok]] = values[ok]
    return result.reshape(sizes)


@kernel("RaggedTensorToSparse", takes="S:index* any")
def _to_sparse(_attrs: Attributes, *operands: Array) -> list[Array]:
    """Indices, values and shape of a sparse tensor."""
    *nested, values = operands
    require(nested and values.ndim >= 1, "it needs splits, and values of at least 1 dimension")
    splits = _check_nested(tuple(nested), len(values))
    levels = [_places(each) for each in splits]
    columns = [place for _, place in levels]
    for depth in range(len(levels) - 2, -1, -1):  # of each value, the place of the row that holds it
        for k in range(depth + 1):
            columns[k] = columns[k][levels[depth + 1][0]]
    row = levels[-1][0]
    for outer, _ in reversed(levels[:-1]):
        row = outer[row]
    inner = math.prod(values.shape[1:])
    checked_shape([values.size, len(nested) + values.ndim])
    parts = [row, *columns]
    indices = np.stack([part.repeat(inner) for part in parts], 1) if inner else np.zeros([0, len(parts)], np.int64)
    if values.ndim > 1:
        within = np.indices(values.shape[1:]).reshape(values.ndim - 1, -1).T
        indices = np.concatenate([indices, np.tile(within, (len(values), 1))], 1)
    longest = [int(np.diff(each).max(initial=0)) for each in splits]
    dense = [len(splits[0]) - 1, *longest, *values.shape[1:]]
    return [indices.astype(np.int64), values.reshape(-1), np.array(dense, np.int64)]


@kernel("RaggedGather", takes="S:index* any index")
def _gather(_attrs: Attributes, *operands: Array) -> list[Array]:
    """Rows by their numbers."""
    *nested, values, indices = operands
    require(nested and values.ndim >= 1, "it needs splits, and values of at least 1 dimension")
    splits = _check_nested(tuple(nested), len(values))
    require(indices.ndim >= 1, "indices must have at least 1 dimension")
    check_indices(indices, len(splits[0]) - 1)
    regular = [
        np.arange(0, math.prod(indices.shape[: k + 1]) + 1, max(indices.shape[k], 1), dtype=np.int64)
        if indices.shape[k]
        else np.zeros(math.prod(indices.shape[:k]) + 1, np.int64)
        for k in range(1, indices.ndim)
    ]
    rows, results = indices.reshape(-1).astype(np.int64), []
    for each in splits:
        lengths = np.diff(each)[rows]
        ends = np.cumsum(lengths)
        total = int(ends[-1]) if ends.size else 0
        checked_shape([total, *values.shape[1:]])
        results.append(np.concatenate([[0], ends]))
        rows = np.repeat(each[:-1][rows] - (ends - lengths), lengths) + np.arange(total)
    dtype = nested[0].dtype
    return [*(each.astype(dtype) for each in (*regular, *results)), values[rows]]


@kernel("RaggedRange", takes=" ".join(["T:index|bfloat16|float|double"] * 3))
def _range(attrs: Attributes, starts: Array, limits: Array, deltas: Array) -> list[Array]:
    """One range for each row."""
    sizes = {operand.size for operand in (starts, limits, deltas) if operand.ndim}
    require(max(starts.ndim, limits.ndim, deltas.ndim) <= 1 and len(sizes) <= 1, "operands must be vectors of one size")
    rows = max(sizes, default=1)
    first, last, step = (np.broadcast_to(operand, rows) for operand in (starts, limits, deltas))
    require(step.all(), "a delta is zero")
    if starts.dtype.kind == "i":
        lengths = np.maximum(-((first.astype(object) - last) // step), 0).astype(np.int64)
    else:
        require(np.isfinite(first.astype(float) + last.astype(float)).all(), "a range is not finite")
        lengths = np.maximum(np.ceil((last.astype(float) - first) / step), 0).astype(np.int64)
    checked_shape([int(lengths.sum())])
    splits = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
    row, place = _places(splits)
    values = (first[row] + place.astype(starts.dtype) * step[row]).astype(starts.dtype)
    return [splits.astype(attrs.array_dtype("Tsplits", INT64)), values]
