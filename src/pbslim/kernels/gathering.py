"""Ops that read elements by index."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from pbslim.kernels.checks import Array, axis_of, check_indices, checked_shape, require, scalar
from pbslim.kernels.registry import Attributes, kernel


@kernel("Gather", takes="any index")
def _gather(_attrs: Attributes, params: Array, indices: Array) -> Any:
    require(params.ndim >= 1, "params must have at least 1 dimension")
    check_indices(indices, params.shape[0])
    checked_shape([*indices.shape, *params.shape[1:]])
    return params.take(indices, 0)


@kernel("GatherV2", takes="any index|int16 index")
def _gather_v2(attrs: Attributes, params: Array, indices: Array, axis: Array) -> Any:
    require(params.ndim >= 1, "params must have at least 1 dimension")
    place = axis_of(scalar(axis, "axis"), params.ndim)
    batch = attrs.integer("batch_dims", 0)
    if batch:
        require(-indices.ndim <= batch <= indices.ndim, f"batch_dims {batch} is out of range")
        batch %= indices.ndim + (batch > 0)
        require(batch <= place, f"batch_dims {batch} is beyond axis {place}")
    require(params.shape[:batch] == indices.shape[:batch], "params and indices differ in their batch dimensions")
    check_indices(indices, params.shape[place])
    checked_shape([*params.shape[:place], *indices.shape[batch:], *params.shape[place + 1 :]])
    if not batch:
        return params.take(indices, place)
    # give each batch dimension an index of its own and let numpy broadcast them
    outer = params.shape[batch:place]
    grids = np.ogrid[tuple(slice(0, d) for d in params.shape[:place])]
    spread = [1] * (indices.ndim - batch)
    index = [grid.reshape(*grid.shape, *spread) for grid in grids]
    index.append(indices.reshape(*indices.shape[:batch], *[1] * len(outer), *indices.shape[batch:]))
    return params[tuple(index)]


@kernel("GatherNd", takes="any index|int16")
def _gather_nd(_attrs: Attributes, params: Array, indices: Array) -> Any:
    require(indices.ndim >= 1, "indices must have at least 1 dimension")
    require(params.ndim >= 1, "params must have at least 1 dimension")
    depth = indices.shape[-1]
    require(depth <= params.ndim, f"indices of {depth} numbers for {params.ndim} dimensions")
    shape = checked_shape([*indices.shape[:-1], *params.shape[depth:]])
    for i in range(depth):
        check_indices(indices[..., i], params.shape[i])
    if not depth:
        return np.broadcast_to(params, shape)
    rows = params.reshape(math.prod(params.shape[:depth]), *params.shape[depth:])
    return rows[flat_index(indices, params.shape[:depth])].reshape(shape)


def flat_index(indices: Array, shape: tuple[int, ...]) -> Array:
    """Index vectors (the last dimension) as positions in the flattened `shape`."""
    result = np.zeros(indices.shape[:-1], np.int64)
    for i, dim in enumerate(shape):
        result = result * dim + indices[..., i]
    return result


@kernel("DynamicPartition", takes="any int32")
def _dynamic_partition(attrs: Attributes, data: Array, partitions: Array) -> list[Array]:
    count = attrs.integer("num_partitions")
    require(0 < count <= 2**16, f"{count} is not a number of partitions")
    require(data.shape[: partitions.ndim] == partitions.shape, "data and partitions differ in their first dimensions")
    check_indices(partitions, count, "partition")
    rows = data.reshape(partitions.size, *data.shape[partitions.ndim :])
    flat = partitions.reshape(-1)
    order = np.argsort(flat, kind="stable")
    ends = np.cumsum(np.bincount(flat, minlength=count))
    return np.split(rows[order], ends[:-1])
