"""Shapes of ops that join tensors or take parts of them."""

from __future__ import annotations

from pbslim.dtypes import Shape
from pbslim.ops.ports import MOST_PORTS
from pbslim.ops.shape_inference.call import (
    Call,
    Dims,
    Result,
    ShapeError,
    UndecidableError,
    axis_in,
    merge_all,
    merge_dim,
    merge_dims,
    rule,
    total,
)
from pbslim.ops.shape_inference.strided_slices import strided_slice_dims


@rule("Concat ConcatV2")
def concat(call: Call) -> Result:
    """The inputs one after the other along an axis; the axis comes first in the old op, last in the new one."""
    parts = call.all_dims()
    at = 0 if call.op == "Concat" else len(parts) - 1
    axis = call.scalar(at)
    parts = [dims for i, dims in enumerate(parts) if i != at]
    return _concatenated(parts, axis)


def _concatenated(parts: list[Dims | None], axis: int | None) -> Dims | None:
    ranks = {len(dims) for dims in parts if dims is not None}
    if len(ranks) > 1:
        raise ShapeError(f"cannot concatenate tensors of ranks {' and '.join(map(str, sorted(ranks)))}")
    if not ranks:
        return None
    (rank,) = ranks
    if rank == 0:
        raise ShapeError("cannot concatenate scalars; pack them")
    if axis is None:
        return (-1,) * rank
    axis = axis_in(axis, rank)
    shapes = [(-1,) * rank if dims is None else dims for dims in parts]
    around = merge_all((*dims[:axis], -1, *dims[axis + 1 :]) for dims in shapes) or ()
    return (*around[:axis], total(*(dims[axis] for dims in shapes)), *around[axis + 1 :])


@rule("ConcatOffset")
def concat_offset(call: Call) -> Result:
    """One offset vector for each shape."""
    return call.all_dims()[1:]


@rule("Pack")
def pack(call: Call) -> Result:
    """Tensors of one shape stacked along a new axis."""
    dims = merge_all(call.all_dims())
    axis = call.attr("axis", int)
    if dims is None:
        return None
    axis = axis_in(axis, len(dims) + 1)
    return (*dims[:axis], len(call), *dims[axis:])


@rule("Unpack")
def unpack(call: Call) -> Result:
    """One slice for each index along an axis."""
    dims, number, axis = call.at_least(0, 1), call.attr("num", int), call.attr("axis", int)
    if not 0 <= number <= MOST_PORTS:
        raise UndecidableError("num")
    if dims is None:
        return [None] * number
    axis = axis_in(axis, len(dims))
    merge_dim(dims[axis], number, f"axis {axis} of {Shape(dims)} and the number of outputs differ")
    return [dims[:axis] + dims[axis + 1 :]] * number


@rule("Split")
def split(call: Call) -> Result:
    """Equal parts along an axis."""
    number, axis, dims = call.attr("num_split", int), call.scalar(0), call.dims(1)
    if not 0 < number <= MOST_PORTS:
        raise UndecidableError("num_split")
    if dims is None or axis is None:
        return [None if dims is None else (-1,) * len(dims)] * number
    axis = axis_in(axis, len(dims))
    if dims[axis] >= 0 and dims[axis] % number:
        raise ShapeError(f"cannot split axis {axis} of {Shape(dims)} into {number} equal parts")
    part = dims[axis] // number if dims[axis] >= 0 else -1
    return [(*dims[:axis], part, *dims[axis + 1 :])] * number


@rule("SplitV")
def split_v(call: Call) -> Result:
    """Parts of given sizes along an axis; one size can be -1 for the rest."""
    number, axis, dims = call.attr("num_split", int), call.scalar(2), call.dims(0)
    if not 0 < number <= MOST_PORTS:
        raise UndecidableError("num_split")
    if dims is None:
        return [None] * number
    if axis is None:
        return [(-1,) * len(dims)] * number
    axis = axis_in(axis, len(dims))
    sizes = call.known_vector(1)
    if sizes is None:
        sizes = [-1] * number
    elif len(sizes) != number:
        raise ShapeError(f"{len(sizes)} sizes are given for {number} parts")
    else:
        sizes = _complete_sizes(sizes, dims[axis])
    return [(*dims[:axis], size, *dims[axis + 1 :]) for size in sizes]


def _complete_sizes(sizes: list[int], whole: int) -> list[int]:
    given = sum(s for s in sizes if s >= 0)
    if whole < 0:
        return [max(s, -1) for s in sizes]
    if sizes.count(-1) == 1 and given <= whole:
        return [whole - given if s < 0 else s for s in sizes]
    if given != whole or min(sizes) < 0:
        raise ShapeError(f"parts of sizes {sizes} do not add up to {whole}")
    return sizes


@rule("Slice")
def slice_(call: Call) -> Result:
    """A box of the given sizes; size -1 means up to the end."""
    begins, sizes = call.vector(1), call.vector(2)
    rank = call.length(1)
    rank = call.length(2) if rank is None else rank
    dims = call.dims(0) if rank is None else call.ranked(0, rank)
    if dims is None:
        return None
    begins = [None] * len(dims) if begins is None else begins
    sizes = [None] * len(dims) if sizes is None else sizes
    if not len(begins) == len(sizes) == len(dims):
        raise ShapeError(f"{len(begins)} begins and {len(sizes)} sizes are given for {Shape(dims)}")
    return tuple(_sliced(*axis) for axis in zip(dims, begins, sizes, strict=True))


def _sliced(whole: int, begin: int | None, size: int | None) -> int:
    begin = None if begin == -1 else begin  # as TensorFlow reads it
    first, count = begin or 0, 0 if size is None else size
    if first < 0 or count < -1 or (size == -1 and first > whole >= 0):
        raise ShapeError(f"cannot slice {count} elements from {first} on out of {'?' if whole < 0 else whole}")
    if size == -1:
        return -1 if begin is None or whole < 0 else whole - begin
    return -1 if size is None else size


@rule("StridedSlice")
def strided_slice(call: Call) -> Result:
    """Python's slicing."""
    strides = call.known_vector(3)
    masks = {name: call.attr(f"{name}_mask", int) for name in ("begin", "end", "ellipsis", "new_axis", "shrink_axis")}
    dims = call.dims(0)
    if dims is None or strides is None:
        return None
    return strided_slice_dims(dims, call.vector(1), call.vector(2), strides, masks)


@rule("StridedSliceGrad")
def strided_slice_gradient(call: Call) -> Result:
    """The asked shape, that of what was sliced."""
    return call.operand(0)


@rule("Gather ResourceGather GatherV2")
def gather(call: Call) -> Result:
    """An axis of the parameters is replaced by the dimensions of the indices."""
    indices = call.dims(1)
    if call.op == "ResourceGather":
        return None
    params = call.at_least(0, 1)
    axis = 0 if call.op == "Gather" else call.scalar(2)
    if params is not None and axis is not None:
        axis = axis_in(axis, len(params))
    if params is None or indices is None:
        return None
    batch = 0 if call.op == "Gather" else call.attr("batch_dims", int)
    if axis is None:
        return (-1,) * (len(params) + len(indices) - 1 - batch) if 0 <= batch <= len(indices) else None
    batch = batch + len(indices) if batch < 0 else batch
    if not 0 <= batch <= len(indices) or batch >= len(params):
        raise ShapeError(f"batch_dims {batch} does not fit {Shape(params)} and indices of shape {Shape(indices)}")
    return params[:axis] + indices[batch:] + params[axis + 1 :]


@rule("GatherNd")
def gather_nd(call: Call) -> Result:
    """The last axis of the indices points into the first axes of the parameters."""
    params, indices = call.dims(0), call.at_least(1, 1)
    if params is None or indices is None or indices[-1] < 0:
        return None
    if indices[-1] > len(params):
        raise ShapeError(f"indices of {indices[-1]} axes point into a tensor of rank {len(params)}")
    return indices[:-1] + params[indices[-1] :]


@rule("DynamicStitch ParallelDynamicStitch")
def dynamic_stitch(call: Call) -> Result:
    """Rows whose number the largest index gives."""
    half = len(call) // 2
    rest: Dims | None = None
    largest = 0
    for index in range(half):
        at, data = call.dims(index), call.dims(half + index)
        value = call.value(index)
        if value is None or value.dtype.kind not in "iu":
            largest = -1
        elif largest >= 0 and value.size:
            largest = max(largest, int(value.max()) + 1)
        if at is None or data is None:
            continue
        if len(data) < len(at):
            raise ShapeError(f"indices of shape {Shape(at)} do not fit data of shape {Shape(data)}")
        merge_dims(data[: len(at)], at)
        rest = merge_dims(rest, data[len(at) :])
    return None if rest is None else (largest, *rest)
