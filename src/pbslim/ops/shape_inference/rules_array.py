"""Shapes of ops that make, cut, join and rearrange tensors."""

from __future__ import annotations

from collections.abc import Sequence

from pbslim.dtypes import Shape
from pbslim.ops.ports import MOST_PORTS
from pbslim.ops.shape_inference.call import (
    MOST_DIMS,
    Call,
    Dims,
    Result,
    ShapeError,
    UndecidableError,
    axis_in,
    merge_all,
    merge_dim,
    merge_dims,
    normal,
    product,
    rule,
    total,
)
from pbslim.ops.shape_inference.strided_slices import strided_slice_dims


@rule("Const HostConst")
def const(call: Call) -> Result:
    """The shape of the tensor."""
    shape = getattr(call.attr("value", object), "shape", None)
    if isinstance(shape, Shape):
        return normal(shape.dims)
    if not isinstance(shape, tuple) or not all(isinstance(d, int) for d in shape):
        raise UndecidableError("value")
    return normal(shape)


@rule("Placeholder PlaceholderV2 VariableV2 ImmutableConst")
def declared(call: Call) -> Result:
    """The shape that the attribute says."""
    return call.shape_attr("shape")


@rule("Variable TemporaryVariable")
def old_variable(call: Call) -> Result:
    """As `declared`, but rank 0 means unknown in the first version of variables."""
    return call.shape_attr("shape") or None if call.op == "Variable" else call.shape_attr("shape")


@rule("PlaceholderWithDefault")
def placeholder_with_default(call: Call) -> Result:
    """The shape that the attribute says; the default must fit it."""
    dims = call.shape_attr("shape")
    merge_dims(dims, call.dims(0))
    return dims


@rule("EnsureShape")
def ensure_shape(call: Call) -> Result:
    """The shape that the attribute and the input agree on."""
    return merge_dims(call.shape_attr("shape"), call.dims(0))


@rule("Shape")
def shape_of(call: Call) -> Result:
    """One element for each dimension."""
    return _rank_vector(call.dims(0))


@rule("ShapeN")
def shapes_of(call: Call) -> Result:
    """One vector for each input."""
    return [_rank_vector(dims) for dims in call.all_dims()]


def _rank_vector(dims: Dims | None) -> Dims:
    return (-1 if dims is None else len(dims),)


@rule("Reshape")
def reshape(call: Call) -> Result:
    """The asked shape; one -1 is worked out from the number of elements."""
    dims, asked = call.dims(0), call.operand(1)
    if dims is None or asked is None:
        return asked
    if product(*dims) < 0:
        _check_divides(dims, asked, dims, asked)
        return asked
    if -1 in asked:
        _check_divides(asked, dims, dims, asked)
        return _filled(asked, product(*dims))
    if product(*dims) != product(*asked):
        sizes = f"{product(*dims)} elements are not {product(*asked)}"
        raise ShapeError(f"cannot reshape {Shape(dims)} to {Shape(asked)}: {sizes}")
    return asked


def _check_divides(partial: Dims, whole: Dims, dims: Dims, asked: Dims) -> None:
    """What is known of one shape must divide the number of elements of the other."""
    known = _known_product(partial)
    if -1 not in whole and partial.count(-1) == 1 and (product(*whole) % known if known else product(*whole)):
        reason = f"{product(*whole)} is no multiple of {known}"
        raise ShapeError(f"cannot reshape {Shape(dims)} to {Shape(asked)}: {reason}")


def _filled(asked: Dims, size: int) -> Dims:
    """`asked` with its only unknown dimension worked out from the number of elements."""
    known = _known_product(asked)
    if asked.count(-1) != 1 or (size == 0 and not known):
        return asked
    return tuple(size // known if d < 0 else d for d in asked)


def _known_product(dims: Dims) -> int:
    return product(*(d for d in dims if d >= 0))


@rule("Squeeze")
def squeeze(call: Call) -> Result:
    """Axes of size 1 vanish: the given ones, or all."""
    dims, axes = call.dims(0), call.ints("squeeze_dims")
    if dims is None:
        return None
    if not axes:
        return None if -1 in dims else tuple(d for d in dims if d != 1)
    removed = {axis_in(axis, len(dims)) for axis in axes}
    for axis in removed:
        if dims[axis] not in (1, -1):
            raise ShapeError(f"cannot squeeze axis {axis} of {Shape(dims)}: its size is not 1")
    return tuple(d for i, d in enumerate(dims) if i not in removed)


@rule("ExpandDims")
def expand_dims(call: Call) -> Result:
    """A new axis of size 1."""
    dims, axis = call.dims(0), call.scalar(1)
    if dims is None or axis is None:
        return None
    axis = axis_in(axis, len(dims) + 1)
    return (*dims[:axis], 1, *dims[axis:])


@rule("Transpose ConjugateTranspose")
def transpose(call: Call) -> Result:
    """The axes in the order of the permutation."""
    dims, order = call.dims(0), call.known_vector(1)
    if order is None:
        rank = call.length(1)
        dims = dims if rank is None else call.ranked(0, rank)
        return None if dims is None else (-1,) * len(dims)
    if len(order) > MOST_DIMS:
        raise UndecidableError("rank")
    dims = call.ranked(0, len(order))
    return tuple(dims[axis_in(axis, len(order))] for axis in order)


@rule("InvertPermutation")
def invert_permutation(call: Call) -> Result:
    """A vector of the same length."""
    return call.ranked(0, 1)


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


@rule("Tile")
def tile(call: Call) -> Result:
    """Each axis is repeated."""
    dims, multiples = call.dims(0), call.operand(1)
    if multiples is None:
        return None if dims is None else tuple(0 if d == 0 else -1 for d in dims)
    dims = call.ranked(0, len(multiples))
    return tuple(product(*axis) for axis in zip(dims, multiples, strict=True))


@rule("ReverseSequence")
def reverse_sequence(call: Call) -> Result:
    """The input; there is one length for each element of the batch."""
    dims, (lengths,) = call.dims(0), call.ranked(1, 1)
    if dims is None:
        return None
    axis, along = call.attr("batch_dim", int), call.attr("seq_dim", int)
    if not (0 <= axis < len(dims) and 0 <= along < len(dims)):
        raise ShapeError(f"batch_dim {axis} or seq_dim {along} does not exist in {Shape(dims)}")
    batch = merge_dim(dims[axis], lengths, f"axis {axis} of {Shape(dims)} and the number of lengths differ")
    return (*dims[:axis], batch, *dims[axis + 1 :])


@rule("BroadcastTo")
def broadcast_to(call: Call) -> Result:
    """The asked shape, with which the input must go."""
    dims, asked = call.dims(0), call.operand(1)
    if asked is None or dims is None:
        return asked
    wide = (1,) * (len(asked) - len(dims)) + dims
    if len(dims) > len(asked) or any(d > 1 and a not in (d, -1) for d, a in zip(wide, asked, strict=True)):
        raise ShapeError(f"cannot broadcast {Shape(dims)} to {Shape(asked)}")
    return tuple(d if d > 1 else a for d, a in zip(wide, asked, strict=True))


@rule("BroadcastArgs")
def broadcast_args(call: Call) -> Result:
    """The length of the longer shape."""
    a, b = call.ranked(0, 1), call.ranked(1, 1)
    return (-1,) if -1 in a + b else max(a, b)


@rule("BroadcastGradientArgs")
def two_vectors(call: Call) -> Result:  # noqa: ARG001
    """Two vectors of unknown length."""
    return [(-1,), (-1,)]


@rule("Pad PadV2 MirrorPad")
def pad(call: Call) -> Result:
    """Each axis grows at both ends."""
    return padded(call, call.dims(0), 1)


def padded(call: Call, dims: Dims | None, operand: int) -> Dims | None:
    """`dims` grown by the paddings ``[rank, 2]`` that an input holds."""
    rank, two = call.ranked(operand, 2)
    merge_dim(two, 2, "an axis is padded at its two ends, but the paddings have a different number of columns")
    ends = _added(call, operand)
    if dims is None:
        return (-1,) * rank if 0 <= rank <= MOST_DIMS else None
    merge_dim(rank, len(dims), f"the rows of the paddings do not fit the rank of {Shape(dims)}")
    if ends is None or len(ends) != len(dims):
        return (-1,) * len(dims)
    return tuple(map(total, dims, ends))


def _added(call: Call, index: int) -> list[int] | None:
    """How many elements the paddings (or crops) ``[n, 2]`` of an input are for each axis, both ends together."""
    value = call.value(index)
    if value is None or value.ndim != 2 or value.shape[1] != 2 or value.dtype.kind not in "iu":
        return None
    if (value < 0).any():
        raise ShapeError(f"{call.describe(index)} must not be negative: {value.tolist()}")
    return [before + after for before, after in value.tolist()]


@rule("Fill")
def fill(call: Call) -> Result:
    """The asked shape, in which a -1 is wrong."""
    asked = call.vector(0) or []
    if any(d is not None and d < 0 for d in asked):
        raise ShapeError(f"cannot fill a tensor of shape {asked}")
    return call.operand(0)


@rule("Empty RandomUniform RandomUniformInt RandomStandardNormal TruncatedNormal ParameterizedTruncatedNormal")
@rule("StatelessRandomUniform StatelessRandomNormal StatelessTruncatedNormal StatelessRandomUniformInt")
def random(call: Call) -> Result:
    """The asked shape."""
    return call.operand(0)


@rule("Multinomial StatelessMultinomial")
def multinomial(call: Call) -> Result:
    """As many samples as asked for from each row."""
    number = call.scalar(1)
    if number is not None and number < 0:
        raise ShapeError(f"the number of samples must not be negative, it is {number}")
    return (call.ranked(0, 2)[0], -1 if number is None else number)


@rule("OneHot")
def one_hot(call: Call) -> Result:
    """A new axis of the given depth."""
    dims, depth, axis = call.dims(0), call.scalar(1), call.attr("axis", int)
    if depth is not None and depth < 0:
        raise ShapeError(f"the depth {depth} is negative")
    if dims is None:
        return None
    axis = axis_in(axis, len(dims) + 1)
    return (*dims[:axis], -1 if depth is None else depth, *dims[axis:])


@rule("Where")
def where(call: Call) -> Result:
    """One row of coordinates for each true element."""
    dims = call.dims(0)
    return (-1, -1 if dims is None else len(dims))


@rule("Unique UniqueWithCounts")
def unique(call: Call) -> Result:
    """The distinct elements, and where each element is among them."""
    if call.op == "Unique":
        call.ranked(0, 1)
    return [(-1,), call.dims(0), (-1,)]


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


@rule("SpaceToBatchND BatchToSpaceND")
def space_to_batch(call: Call) -> Result:
    """Blocks of the axes after the first move into the batch, or back."""
    count = call.ranked(1, 1)[0]
    rows, two = call.ranked(2, 2)
    if count < 0:
        raise ShapeError("the number of blocked axes must be known")
    merge_dim(rows, count, "paddings and blocks are given for different numbers of axes")
    merge_dim(two, 2, "an axis has two ends, but the paddings have a different number of columns")
    dims, blocks, added = call.at_least(0, count + 1), call.known_vector(1), _added(call, 2)
    if blocks and min(blocks) < 1:
        raise ShapeError(f"the block shape {blocks} must be positive")
    if dims is None:
        return None
    if blocks is None or len(blocks) != count:
        return (-1,) * (count + 1) + dims[count + 1 :]
    ends: Sequence[int | None] = added if added is not None and len(added) == count else [None] * count
    forward = call.op == "SpaceToBatchND"
    batch = product(dims[0], *blocks) if forward else _divided(dims[0], product(*blocks))
    axes = zip(dims[1:], blocks, ends, strict=False)
    return (batch, *(_blocked(*axis, forward) for axis in axes), *dims[count + 1 :])


def _blocked(size: int, block: int, ends: int | None, forward: bool) -> int:
    if size < 0 or ends is None:
        return -1
    if forward:
        return _divided(size + ends, block)
    if size * block < ends:
        raise ShapeError(f"cannot crop {ends} from an axis of {size * block} elements")
    return size * block - ends


def _divided(size: int, by: int) -> int:
    if size >= 0 and size % by:
        raise ShapeError(f"an axis of {size} elements does not divide into blocks of {by}")
    return size // by if size >= 0 else -1


@rule("SpaceToDepth DepthToSpace")
def space_to_depth(call: Call) -> Result:
    """Blocks of the image move into the channels, or back."""
    layout, block = call.text("data_format"), call.attr("block_size", int)
    if layout not in ("NHWC", "NCHW") or block < 1:
        raise UndecidableError("data_format")
    dims = list(call.ranked(0, 4))
    channel, height, width = layout.index("C"), layout.index("H"), layout.index("W")
    if call.op == "SpaceToDepth":
        dims[channel] = product(dims[channel], block, block)
        dims[height], dims[width] = _divided(dims[height], block), _divided(dims[width], block)
    else:
        dims[channel] = _divided(dims[channel], block * block)
        dims[height], dims[width] = product(dims[height], block), product(dims[width], block)
    return tuple(dims)


@rule("MatrixBandPart MatrixSetDiag")
def matrices(call: Call) -> Result:
    """Matrices of the same shape."""
    return call.at_least(0, 2)


@rule("Diag")
def diag(call: Call) -> Result:
    """The axes twice."""
    dims = call.at_least(0, 1)
    return None if dims is None else dims + dims


@rule("ListDiff")
def list_diff(call: Call) -> Result:
    """A part of the first list, and where it was."""
    call.ranked(0, 1)
    return [(-1,), (-1,)]
