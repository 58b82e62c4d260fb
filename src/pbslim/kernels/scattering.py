"""Ops that write elements by index."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from pbslim.kernels.checks import (
    SORT,
    Array,
    check_indices,
    check_work,
    checked_shape,
    require,
    require_defined,
    same_dtype,
    scalar,
    vector,
)
from pbslim.kernels.gathering import flat_index
from pbslim.kernels.registry import Attributes, kernel

_NUMERIC = "number|bool"


def _scatter(result: Array, indices: Array, updates: Array, write: Callable[..., None]) -> Array:
    """Write `updates` into rows of `result`; the last dimension of `indices` names the row."""
    require(indices.ndim >= 1, "indices must have at least 1 dimension")
    depth = indices.shape[-1]
    require(depth <= result.ndim, f"indices of {depth} numbers for {result.ndim} dimensions")
    wanted = (*indices.shape[:-1], *result.shape[depth:])
    require(updates.shape == wanted, f"updates must have the shape {list(wanted)}")
    for i in range(depth):
        check_indices(indices[..., i], result.shape[i])
    rows = result.reshape(math.prod(result.shape[:depth]), *result.shape[depth:])
    count = math.prod(indices.shape[:-1])
    write(rows, flat_index(indices, result.shape[:depth]).reshape(-1), updates.reshape(count, *rows.shape[1:]))
    return result


def _assign(rows: Array, places: Array, updates: Array) -> None:
    """The last update of a row wins."""
    if places.size:
        check_work(SORT * places.size)
        last = places.size - 1 - np.unique(places[::-1], return_index=True)[1]
        rows[places[last]] = updates[last]


@kernel("ScatterNd", takes=f"I:index|int16 T:{_NUMERIC}|string I:index|int16")
def _scatter_nd(_attrs: Attributes, indices: Array, updates: Array, shape: Array) -> Array:
    require(updates.dtype != object, "strings cannot be added up")
    return _scatter(np.zeros(checked_shape(vector(shape, "shape")), updates.dtype), indices, updates, np.add.at)


_WRITERS: dict[str, Callable[..., None]] = {
    "ScatterNdNonAliasingAdd": np.add.at,
    "TensorScatterAdd": np.add.at,
    "TensorScatterSub": np.subtract.at,
    "TensorScatterMax": np.maximum.at,
    "TensorScatterMin": np.minimum.at,
    "TensorScatterUpdate": _assign,
}


def _tensor_scatter(write: Callable[..., None]) -> Callable[..., Array]:
    def run(_attrs: Attributes, tensor: Array, indices: Array, updates: Array) -> Array:
        return _scatter(tensor.copy(), indices, updates, write)

    return run


for _op, _write in _WRITERS.items():
    _types = "any" if _write is _assign else "real" if _op in ("TensorScatterMax", "TensorScatterMin") else "number"
    kernel(_op, takes=f"T:{_types} index|int16 T:{_types}")(_tensor_scatter(_write))


@kernel("DynamicStitch", "ParallelDynamicStitch", takes="any*")
def _dynamic_stitch(_attrs: Attributes, *operands: Array) -> Array:
    """Half of the operands are indices, the others the rows that go there; the last write of a row wins."""
    half = len(operands) // 2
    indices, data = operands[:half], operands[half:]
    require(half and len(data) == half, "indices and data differ in number")
    require(all(i.dtype == np.int32 for i in indices), "indices must be int32")
    same_dtype(data)
    row = data[0].shape[indices[0].ndim :]
    for i, d in zip(indices, data, strict=True):
        require(d.shape == i.shape + row, f"data of shape {list(d.shape)} for indices of shape {list(i.shape)}")
    places = np.concatenate([i.reshape(-1) for i in indices])
    size = int(places.max(initial=-1)) + 1
    check_indices(places, size)
    require_defined(lambda: np.unique(places).size == size, "some rows are never written")
    result = np.zeros(checked_shape([size, *row]), data[0].dtype)
    _assign(result, places, np.concatenate([d.reshape(i.size, *row) for i, d in zip(indices, data, strict=True)]))
    return result


@kernel("SparseToDense", takes="I:index I:index T:any T:any")
def _sparse_to_dense(attrs: Attributes, indices: Array, shape: Array, values: Array, default: Array) -> Any:
    dims = checked_shape(vector(shape, "output_shape"))
    places = indices.reshape(-1, 1) if indices.ndim < 2 else indices
    require(places.ndim == 2 and places.shape[1] == len(dims), "indices do not fit the output shape")
    require(values.shape in ((), (places.shape[0],)), "indices and values differ in number")
    for i, dim in enumerate(dims):
        check_indices(places[:, i], dim)
    flat = flat_index(places, dims)
    if attrs.flag("validate_indices", True):
        require(bool((np.diff(flat) > 0).all()), "indices are not sorted or not unique")
    result = np.full(dims, scalar(default, "the default value"), values.dtype)
    _assign(result.reshape(-1), flat, np.broadcast_to(values, flat.shape))
    return result


@kernel("Bincount", takes="int32 int32 T:float|double|index")
def _bincount(_attrs: Attributes, arr: Array, size: Array, weights: Array) -> Array:
    """How often each value below `size` occurs, or the sum of its weights; others do not count."""
    require(not arr.size or arr.min() >= 0, "a value is negative")
    require(weights.size == 0 or weights.shape == arr.shape, "values and weights differ in shape")
    result = np.zeros(checked_shape([int(scalar(size, "size"))]), weights.dtype)
    counted = arr < result.size
    np.add.at(result, arr[counted], weights[counted] if weights.size else weights.dtype.type(1))
    return result


@kernel("DenseBincount", takes="I:index I:index T:float|double|index")
def _dense_bincount(attrs: Attributes, x: Array, size: Array, weights: Array) -> Array:
    """As Bincount, of each row by itself; with ``binary_output`` 1 where a value occurs at all."""
    require(x.ndim in (1, 2), "it needs a vector or rows")
    require(not x.size or x.min() >= 0, "a value is negative")
    require(weights.size == 0 or weights.shape == x.shape, "values and weights differ in shape")
    bins = int(scalar(size, "size"))
    require(bins >= 0, "size is negative")
    result = np.zeros(checked_shape([*x.shape[:-1], bins]), weights.dtype)
    counted = x < bins
    place = (*np.nonzero(counted)[:-1], x[counted])
    if attrs.flag("binary_output"):
        result[place] = 1
    else:
        np.add.at(result, place, weights[counted] if weights.size else weights.dtype.type(1))
    return result
