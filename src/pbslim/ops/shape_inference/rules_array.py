"""Shapes of ops that arrange the elements of a tensor anew."""

from __future__ import annotations

from collections.abc import Sequence

from pbslim.dtypes import Shape
from pbslim.ops.shape_inference.call import (
    MOST_DIMS,
    Call,
    Dims,
    Result,
    ShapeError,
    UndecidableError,
    axis_in,
    merge_dim,
    product,
    rule,
)


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
        reason = f"{product(*whole)} is not a multiple of {known}"
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


@rule("Pad PadV2 MirrorPad")
def pad(call: Call) -> Result:
    """Each axis grows at both ends."""
    return padded(call, call.dims(0), 1)


@rule("MirrorPadGrad")
def mirror_pad_gradient(call: Call) -> Result:
    """Each axis shrinks at both ends."""
    return padded(call, call.dims(0), 1, -1)


def padded(call: Call, dims: Dims | None, operand: int, sign: int = 1) -> Dims | None:
    """`dims` grown, or with a sign of -1 shrunk, by the paddings ``[rank, 2]`` that an input holds."""
    rank, two = call.ranked(operand, 2)
    merge_dim(two, 2, "an axis is padded at its two ends, but the paddings have a different number of columns")
    ends = _added(call, operand)
    if dims is None:
        return (-1,) * rank if 0 <= rank <= MOST_DIMS else None
    merge_dim(rank, len(dims), f"the rows of the paddings do not fit the rank of {Shape(dims)}")
    if ends is None or len(ends) != len(dims):
        return (-1,) * len(dims)
    if sign < 0 and any(0 <= dim < end for dim, end in zip(dims, ends, strict=True)):
        raise ShapeError(f"{Shape(dims)} has less than the paddings")
    return tuple(-1 if dim < 0 else dim + sign * end for dim, end in zip(dims, ends, strict=True))


def _added(call: Call, index: int) -> list[int] | None:
    """How many elements the paddings (or crops) ``[n, 2]`` of an input are for each axis, both ends together."""
    value = call.value(index)
    if value is None or value.ndim != 2 or value.shape[1] != 2 or value.dtype.kind not in "iu":
        return None
    if (value < 0).any():
        raise ShapeError(f"{call.describe(index)} must not be negative: {value.tolist()}")
    return [before + after for before, after in value.tolist()]


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
