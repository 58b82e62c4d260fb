"""Sparse tensors: rows of indices, values, and a shape."""

from __future__ import annotations

from typing import Any

import numpy as np

from pbslim.kernels.checks import Array, axis_of, check_indices, checked_shape, require, same_dtype, vector, widened
from pbslim.kernels.registry import Attributes, kernel

_PRODUCTS = "T:half|float|double|int32|complex"


def _checked(indices: Array, values: Array, shape: Array) -> list[int]:
    """The dimensions, after a look at whether the three fit."""
    dims = vector(shape, "dense_shape")
    require(indices.ndim == 2 and indices.shape[1] == len(dims), "indices do not fit the shape")
    require(values.shape == indices.shape[:1], f"{values.size} values and {len(indices)} indices")
    require(min(dims, default=0) >= 0, f"{dims} is not a shape")
    for axis, dim in enumerate(dims):
        check_indices(indices[:, axis], dim)
    return dims


@kernel("SparseFillEmptyRows", takes="int64 T:any int64 T:any")
def _fill_empty_rows(_attrs: Attributes, indices: Array, values: Array, shape: Array, default: Array) -> list[Any]:
    """Each row without a value gets the default in its first place; also which those are, and where values went."""
    rows = _checked(indices, values, shape)[0]
    checked_shape([rows, indices.shape[1]])
    other = default.reshape(-1)
    require(default.ndim == 0, "default_value must be a scalar")
    counts = np.bincount(indices[:, 0], minlength=rows)
    empty = counts == 0
    starts = np.concatenate([[0], np.cumsum(np.maximum(counts, 1))[:-1]]) if rows else np.zeros(0, np.int64)
    order = np.argsort(indices[:, 0], kind="stable")
    before = np.concatenate([[0], np.cumsum(counts)[:-1]]) if rows else np.zeros(0, np.int64)
    places = np.empty(len(indices), np.int64)
    sorted_rows = indices[order, 0]
    places[order] = starts[sorted_rows] + np.arange(len(indices)) - before[sorted_rows]
    total = int(np.maximum(counts, 1).sum())
    filled = np.zeros(checked_shape([total, indices.shape[1]]), np.int64)
    filled[starts[empty], 0] = np.flatnonzero(empty)
    filled[places] = indices
    result = np.empty(total, values.dtype)
    result[starts[empty]] = other[0]
    result[places] = values
    return [filled, result, empty, places]


@kernel("SparseReorder", takes="int64 any int64")
def _reorder(_attrs: Attributes, indices: Array, values: Array, shape: Array) -> list[Array]:
    """In row-major order."""
    _checked(indices, values, shape)
    order = np.lexsort(indices.T[::-1])
    return [indices[order], values[order]]


@kernel("SparseTensorDenseMatMul", takes=f"index {_PRODUCTS} int64 {_PRODUCTS}")
def _dense_product(attrs: Attributes, indices: Array, values: Array, shape: Array, b: Array) -> Array:
    dims = _checked(indices, values, shape)
    require(len(dims) == 2 and b.ndim == 2, "it needs two matrices")
    rows, columns = indices.T
    if attrs.flag("adjoint_a"):
        rows, columns, dims, values = columns, rows, dims[::-1], values.conj()
    dense = b.conj().T if attrs.flag("adjoint_b") else b
    require(dims[1] == dense.shape[0], f"matrices of shapes {dims} and {list(dense.shape)} have no product")
    checked_shape([len(indices), dense.shape[1]])
    result = np.zeros(checked_shape([dims[0], dense.shape[1]]), widened(b[:0]).dtype)
    np.add.at(result, rows, widened(values)[:, None] * widened(dense)[columns])
    return result.astype(b.dtype, copy=False)


@kernel("SparseSlice", takes="int64 any int64 int64 int64")
def _slice(_attrs: Attributes, indices: Array, values: Array, shape: Array, start: Array, size: Array) -> list[Array]:
    dims, first, count = _checked(indices, values, shape), vector(start, "start"), vector(size, "size")
    require(len(first) == len(count) == len(dims) and min(first, default=0) >= 0, "start and size do not fit")
    stop = [min(f + c, d) for f, c, d in zip(first, count, dims, strict=True)]
    kept = ((indices >= first) & (indices < stop)).all(axis=1)
    left = [max(s - f, 0) for f, s in zip(first, stop, strict=True)]
    return [indices[kept] - np.array(first, np.int64), values[kept], np.array(left, np.int64)]


@kernel("SparseConcat", takes="any*")
def _concat(attrs: Attributes, *operands: Array) -> list[Array]:
    """Indices, values and shapes of as many tensors, joined along one axis."""
    count = attrs.integer("N")
    require(count > 0 and len(operands) == 3 * count, "there are not as many indices as values and shapes")
    indices, values, shapes = (operands[k * count : (k + 1) * count] for k in range(3))
    require(all(each.dtype == np.int64 for each in (*indices, *shapes)), "indices and shapes must be int64")
    same_dtype(values)
    dims = [_checked(*each) for each in zip(indices, values, shapes, strict=True)]
    axis = attrs.integer("concat_dim")
    require(-len(dims[0]) <= axis < len(dims[0]), f"axis {axis} is out of range")
    axis %= len(dims[0])
    whole = list(dims[0])
    whole[axis] = sum(each[axis] for each in dims)
    moved, at = [], 0
    for each, own in zip(indices, dims, strict=True):
        require(own[:axis] + own[axis + 1 :] == dims[0][:axis] + dims[0][axis + 1 :], "shapes differ")
        step = np.zeros(len(own), np.int64)
        step[axis] = at
        moved.append(each + step)
        at += own[axis]
    checked_shape([sum(map(len, moved)), len(whole)])
    joined, all_values = np.concatenate(moved), np.concatenate(values)
    order = np.lexsort(joined.T[::-1])
    return [joined[order], all_values[order], np.array(whole, np.int64)]


@kernel("SparseReduceSum", takes="int64 number int64 int32")
def _reduce_sum(attrs: Attributes, indices: Array, values: Array, shape: Array, axes: Array) -> Array:
    """A dense result."""
    dims = _checked(indices, values, shape)
    rank = len(dims)
    named = {axis_of(axis, rank) for axis in axes.reshape(-1).tolist()}
    kept = [axis for axis in range(rank) if axis not in named]
    result = np.zeros(checked_shape(dims[axis] for axis in kept), values.dtype)
    if kept:
        np.add.at(result, tuple(indices[:, axis] for axis in kept), values)
    else:
        result += values.sum(dtype=values.dtype)
    if attrs.flag("keep_dims"):
        return result.reshape([1 if axis in named else dim for axis, dim in enumerate(dims)])
    return result
