"""Ops that join tensors, and those that take them apart."""

from __future__ import annotations

from typing import Any

import numpy as np

from pbslim.kernels.checks import MAX_OUTPUTS, Array, axis_of, checked_shape, require, scalar, vector
from pbslim.kernels.registry import Attributes, kernel


def joined(parts: tuple[Array, ...], axis: Array) -> Array:
    """`parts` one after the other along the axis that a scalar operand names."""
    require(parts, "it needs something to join")
    rank = parts[0].ndim
    place = axis_of(scalar(axis, "axis"), rank)
    for part in parts:
        same = part.ndim == rank and all(part.shape[i] == parts[0].shape[i] for i in range(rank) if i != place)
        require(same, f"shapes {list(parts[0].shape)} and {list(part.shape)} cannot be joined along axis {place}")
    shape = list(parts[0].shape)
    shape[place] = sum(part.shape[place] for part in parts)
    checked_shape(shape)
    return np.concatenate(parts, place)


@kernel("Concat", takes="int32 T:any*")
def _concat(_attrs: Attributes, axis: Array, *parts: Array) -> Array:
    return joined(parts, axis)


@kernel("ConcatV2", takes="T:any* index")
def _concat_v2(_attrs: Attributes, *operands: Array) -> Array:
    return joined(operands[:-1], operands[-1])


@kernel("Pack", takes="T:any*")
def _pack(attrs: Attributes, *parts: Array) -> Any:
    require(parts, "it needs something to stack")
    for part in parts:
        require(part.shape == parts[0].shape, "operands differ in shape")
    axis = axis_of(attrs.integer("axis", 0), parts[0].ndim + 1)
    checked_shape([len(parts), *parts[0].shape])
    return np.stack(parts, axis)


@kernel("Unpack", takes="any")
def _unpack(attrs: Attributes, x: Array) -> list[Array]:
    axis = axis_of(attrs.integer("axis", 0), x.ndim)
    count = attrs.integer("num", x.shape[axis])
    require(count == x.shape[axis] <= MAX_OUTPUTS, f"{x.shape[axis]} elements are not {count} outputs")
    before: list[Any] = [slice(None)] * axis
    return [x[(*before, i, ...)] for i in range(count)]


def split_at(x: Array, axis: int, sizes: list[int]) -> list[Array]:
    """`x` cut along `axis` into parts of these sizes."""
    ends = np.cumsum(sizes)
    before = (slice(None),) * axis
    return [x[(*before, slice(int(e) - s, int(e)))] for s, e in zip(sizes, ends, strict=True)]


@kernel("Split", takes="int32 any")
def _split(attrs: Attributes, axis: Array, x: Array) -> list[Array]:
    count = attrs.integer("num_split")
    place = axis_of(scalar(axis, "axis"), x.ndim)
    require(0 < count <= MAX_OUTPUTS, f"{count} is not a number of outputs")
    require(x.shape[place] % count == 0, f"{x.shape[place]} elements cannot be split into {count} equal parts")
    return split_at(x, place, [x.shape[place] // count] * count)


@kernel("SplitV", takes="any index|int8 int32")
def _split_v(attrs: Attributes, x: Array, size_splits: Array, axis: Array) -> list[Array]:
    sizes = vector(size_splits, "size_splits")
    place = axis_of(scalar(axis, "axis"), x.ndim)
    require(sizes and attrs.integer("num_split", len(sizes)) == len(sizes), "num_split is not the number of sizes")
    require(all(s >= -1 for s in sizes) and sizes.count(-1) <= 1, f"{sizes} are not sizes")
    if -1 in sizes:
        sizes[sizes.index(-1)] = x.shape[place] - (sum(sizes) + 1)
    require(min(sizes) >= 0 and sum(sizes) == x.shape[place], f"{x.shape[place]} elements do not split into {sizes}")
    return split_at(x, place, sizes)
