"""Identities, and ops that look at or change only the shape."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from pbslim.dtypes import INT32, Shape
from pbslim.kernels.checks import (
    Array,
    axis_of,
    broadcast_shape,
    check_indices,
    checked_shape,
    finite,
    require,
    vector,
)
from pbslim.kernels.gathering import flat_index
from pbslim.kernels.registry import Attributes, kernel


@kernel("Identity", "Snapshot", "StopGradient", "PreventGradient", "PlaceholderWithDefault", takes="any")
def _identity(_attrs: Attributes, x: Array) -> Array:
    return x


@kernel("IdentityN", takes="any*")
def _identity_n(_attrs: Attributes, *inputs: Array) -> list[Array]:
    return [*inputs]


@kernel("NoOp")
def _no_op(_attrs: Attributes) -> list[Array]:
    return []


@kernel("Const")
def _const(attrs: Attributes) -> Array:
    return attrs.tensor("value")


@kernel("CheckNumerics", takes="floating")
def _check_numerics(_attrs: Attributes, x: Array) -> Array:
    require(finite(x), "there are infinities or NaN")
    return x


@kernel("EnsureShape", takes="any")
def _ensure_shape(attrs: Attributes, x: Array) -> Array:
    shape = attrs.shape("shape")
    require(_fits(x.shape, shape), f"the shape is {list(x.shape)}, not {shape}")
    return x


def _fits(dims: tuple[int, ...], shape: Shape) -> bool:
    if shape.dims is None:
        return True
    return len(dims) == len(shape.dims) and all(want in (-1, d) for d, want in zip(dims, shape.dims, strict=True))


def _counts(values: Any, attrs: Attributes) -> Array:
    dtype = attrs.array_dtype("out_type", INT32)
    require(dtype.kind == "i", f"sizes are not of type {dtype}")
    return np.array(values, dtype)


@kernel("Shape", takes="any")
def _shape(attrs: Attributes, x: Array) -> Array:
    return _counts(x.shape, attrs)


@kernel("ShapeN", takes="T:any*")
def _shape_n(attrs: Attributes, *inputs: Array) -> list[Array]:
    return [_counts(x.shape, attrs) for x in inputs]


@kernel("Size", takes="any")
def _size(attrs: Attributes, x: Array) -> Array:
    return _counts(x.size, attrs)


@kernel("Rank", takes="any")
def _rank(_attrs: Attributes, x: Array) -> Array:
    return np.array(x.ndim, np.int32)


def reshaped(x: Array, dims: list[int]) -> Array:
    """`x` in another shape, of whose dimensions one may be -1."""
    require(all(d >= -1 for d in dims) and dims.count(-1) <= 1, f"{dims} is not a shape")
    known = math.prod(d for d in dims if d != -1)
    if -1 in dims:
        require(known and x.size % known == 0, f"{x.size} elements do not fit the shape {dims}")
        dims = [x.size // known if d == -1 else d for d in dims]
    require(math.prod(dims) == x.size, f"{x.size} elements do not fit the shape {dims}")
    return x.reshape(dims)


@kernel("Reshape", takes="any index")
def _reshape(_attrs: Attributes, x: Array, shape: Array) -> Array:
    return reshaped(x, vector(shape, "shape"))


@kernel("QuantizedReshape", takes="quantized index float float")
def _quantized_reshape(_attrs: Attributes, x: Array, shape: Array, low: Array, high: Array) -> list[Array]:
    require(low.size == high.size == 1, "the range must be two scalars")
    return [reshaped(x, vector(shape, "shape")), low.reshape(()), high.reshape(())]


@kernel("Squeeze", takes="any")
def _squeeze(attrs: Attributes, x: Array) -> Array:
    axes = {axis_of(a, x.ndim) for a in attrs.integers("squeeze_dims", ())}
    for axis in axes:
        require(x.shape[axis] == 1, f"dimension {axis} has {x.shape[axis]} elements, not 1")
    axes = axes or {i for i, d in enumerate(x.shape) if d == 1}
    return x.reshape([d for i, d in enumerate(x.shape) if i not in axes])


@kernel("ExpandDims", takes="any index")
def _expand_dims(_attrs: Attributes, x: Array, dim: Array) -> Array:
    require(dim.size == 1, "axis must be one number")
    axis = axis_of(int(dim.reshape(())), x.ndim + 1)
    return x.reshape(*x.shape[:axis], 1, *x.shape[axis:])


def _permuted(x: Array, perm: Array) -> Array:
    order = vector(perm, "perm")
    order = [axis_of(i, x.ndim) for i in order]
    require(sorted(order) == [*range(x.ndim)], f"{order} is not a permutation of {x.ndim} dimensions")
    return x.transpose(order)


@kernel("Transpose", takes="any index")
def _transpose(_attrs: Attributes, x: Array, perm: Array) -> Array:
    return _permuted(x, perm)


@kernel("ConjugateTranspose", takes="any index")
def _conjugate_transpose(_attrs: Attributes, x: Array, perm: Array) -> Array:
    return np.asarray(_permuted(x, perm).conj()) if x.dtype.kind == "c" else _permuted(x, perm)


@kernel("BroadcastArgs", takes="T:index T:index")
def _broadcast_args(_attrs: Attributes, x: Array, y: Array) -> Array:
    return np.array(broadcast_shape(tuple(vector(x, "shape")), tuple(vector(y, "shape"))), x.dtype)


@kernel("BroadcastGradientArgs", takes="T:index T:index")
def _broadcast_gradient_args(_attrs: Attributes, x: Array, y: Array) -> list[Array]:
    """The axes over which the gradient of each operand of a broadcasting op is summed."""
    a, b = vector(x, "shape"), vector(y, "shape")
    rank = max(len(a), len(b))
    broadcast_shape(tuple(a), tuple(b))
    if a == b:
        return [np.zeros(0, x.dtype), np.zeros(0, x.dtype)]
    a, b = [1] * (rank - len(a)) + a, [1] * (rank - len(b)) + b
    return [np.array([i for i in range(rank) if dims[i] == 1], x.dtype) for dims in (a, b)]


@kernel("ConcatOffset", takes="int32 T:index*")
def _concat_offset(_attrs: Attributes, dim: Array, *shapes: Array) -> list[Array]:
    """Where each part begins in what they are joined to."""
    require(shapes, "it needs shapes")
    first = vector(shapes[0], "shape")
    require(dim.ndim == 0, "axis must be a scalar")
    axis = axis_of(int(dim), len(first))
    offset, offsets = 0, []
    for shape in shapes:
        dims = vector(shape, "shape")
        same = len(dims) == len(first) and all(dims[i] == d for i, d in enumerate(first) if i != axis)
        require(same, f"shapes {first} and {dims} cannot be joined along axis {axis}")
        start = np.zeros(len(dims), shape.dtype)
        start[axis] = offset
        offsets.append(start)
        offset += dims[axis]
        require(offset <= np.iinfo(shape.dtype).max, "the joined dimension is too long")
    return offsets


@kernel("UnravelIndex", takes="T:index T:index")
def _unravel_index(_attrs: Attributes, indices: Array, dims: Array) -> Array:
    shape = vector(dims, "dims")
    require(all(d > 0 for d in shape), f"{shape} has no elements")
    require(indices.ndim <= 1, "indices must be a scalar or a vector")
    check_indices(indices, math.prod(shape))
    checked_shape([len(shape), *indices.shape])
    return np.array(np.unravel_index(indices, shape), indices.dtype)


@kernel("SparseReshape", takes="int64 int64 int64")
def _sparse_reshape(_attrs: Attributes, indices: Array, shape: Array, new_shape: Array) -> list[Array]:
    """Where elements with these indices go when a tensor is given another shape."""
    before, after = vector(shape, "input_shape"), vector(new_shape, "new_shape")
    require(indices.ndim == 2 and indices.shape[1] == len(before), "indices do not fit the shape")
    require(min(before, default=0) >= 0, f"{before} is not a shape")
    size, known = math.prod(before), math.prod(d for d in after if d != -1)
    require(0 < size < 2**63 and known > 0, "one of the shapes has no elements or too many")
    require(min(after, default=0) >= -1 and after.count(-1) <= 1, f"{after} is not a shape")
    after = [size // known if d == -1 else d for d in after]
    require(math.prod(after) == size, f"{size} elements do not fit the shape {after}")
    for axis, dim in enumerate(before):
        check_indices(indices[:, axis], dim)
    places = np.zeros(checked_shape([len(indices), len(after)]), np.int64)
    rest = flat_index(indices, tuple(before))
    for axis in range(len(after) - 1, -1, -1):
        places[:, axis], rest = rest % after[axis], rest // after[axis]
    return [places, np.array(after, np.int64)]
