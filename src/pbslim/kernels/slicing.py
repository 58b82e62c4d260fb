"""Ops that take a regular part of a tensor, turn it around, or put something around it."""

from __future__ import annotations

from typing import Any

import numpy as np

from pbslim.kernels.checks import Array, axis_of, check_indices, check_work, checked_shape, require, scalar, vector
from pbslim.kernels.registry import Attributes, kernel


@kernel("Slice", takes="any I:index I:index")
def _slice(_attrs: Attributes, x: Array, begin: Array, size: Array) -> Array:
    starts, sizes = vector(begin, "begin"), vector(size, "size")
    require(len(starts) == len(sizes) == x.ndim, f"begin and size must have {x.ndim} elements")
    index: list[Any] = []
    for start, count, dim in zip(starts, sizes, x.shape, strict=True):
        stop = dim if count == -1 else start + count
        require(0 <= start <= stop <= dim, f"{start} to {stop} is out of range for size {dim}")
        index.append(slice(start, stop))
    return x[(*index, ...)]


def _strided_range(begin: int | None, end: int | None, stride: int, dim: int) -> slice:
    """The slice that TensorFlow means; None stands for as far as possible."""
    require(stride, "a stride is zero")
    low, high = (0, dim) if stride > 0 else (-1, dim - 1)

    def bounded(position: int | None, default: int) -> int:
        if position is None:
            return default
        return min(max(position + dim if position < 0 else position, low), high)

    start, stop = bounded(begin, low if stride > 0 else high), bounded(end, high if stride > 0 else low)
    if (stop - start) * stride <= 0:
        return slice(0, 0)
    return slice(start, None if stop < 0 else stop, stride)


class _Masks:
    """The masks of StridedSlice: bit i speaks of place i of begin, end and strides."""

    def __init__(self, attrs: Attributes, places: int) -> None:
        self.begin, self.end, ellipsis, self.new_axis, self.shrink = (
            {i for i in range(places) if attrs.integer(f"{name}_mask", 0) >> i & 1}
            for name in ("begin", "end", "ellipsis", "new_axis", "shrink_axis")
        )
        require(len(ellipsis) <= 1, "there is more than one ellipsis")
        self.ellipsis = min(ellipsis, default=places)
        self.new_axis -= {self.ellipsis}


def _strided_index(
    attrs: Attributes, shape: tuple[int, ...], begin: Array, end: Array, strides: Array
) -> tuple[Any, ...]:
    """What a StridedSlice of a tensor takes, as an index of numpy's."""
    rank = len(shape)
    begins, ends, steps = vector(begin, "begin"), vector(end, "end"), vector(strides, "strides")
    require(len(begins) == len(ends) == len(steps) <= 32, "begin, end and strides differ in length")
    masks = _Masks(attrs, len(begins))
    taken = len(set(range(len(begins))) - masks.new_axis - {masks.ellipsis})
    require(taken <= rank, f"{taken} places for {rank} dimensions")
    index: list[Any] = []
    axis = 0
    for i, (first, last, step) in enumerate(zip(begins, ends, steps, strict=True)):
        if i == masks.ellipsis:
            index.append(Ellipsis)
            axis += rank - taken
        elif i in masks.new_axis:
            index.append(np.newaxis)
        elif i in masks.shrink:
            require(step > 0, "a single element is taken with a stride that is not positive")
            index.append(axis_of(first, shape[axis], "index"))
            axis += 1
        else:
            start, stop = (None if i in masks.begin else first), (None if i in masks.end else last)
            index.append(_strided_range(start, stop, step, shape[axis]))
            axis += 1
    if Ellipsis not in index:
        index.append(Ellipsis)  # also keeps 0-d results arrays
    return tuple(index)


@kernel("StridedSlice", takes="any I:index|int16 I:index|int16 I:index|int16")
def _strided_slice(attrs: Attributes, x: Array, begin: Array, end: Array, strides: Array) -> Array:
    part: Array = x[_strided_index(attrs, x.shape, begin, end, strides)]
    return part


@kernel("StridedSliceGrad", takes="I:index I:index I:index I:index any")
def _strided_slice_gradient(
    attrs: Attributes, shape: Array, begin: Array, end: Array, strides: Array, gradients: Array
) -> Array:
    """The gradients where the slice took its elements, and zeros elsewhere."""
    result = np.full(checked_shape(vector(shape, "shape")), _zero(gradients), gradients.dtype)
    part = result[_strided_index(attrs, result.shape, begin, end, strides)]
    require(part.shape == gradients.shape, f"dy has the shape {[*gradients.shape]}, expected {[*part.shape]}")
    part[...] = gradients
    return result


@kernel("Reverse", takes="any bool")
def _reverse(_attrs: Attributes, x: Array, dims: Array) -> Any:
    require(dims.shape == (x.ndim,), f"dims must have {x.ndim} elements")
    return np.flip(x, tuple(int(i) for i in np.flatnonzero(dims)))


@kernel("ReverseV2", takes="any index")
def _reverse_v2(_attrs: Attributes, x: Array, axis: Array) -> Any:
    axes = [axis_of(a, x.ndim) for a in vector(axis, "axis")]
    require(len(set(axes)) == len(axes), "an axis is named twice")
    return np.flip(x, tuple(axes))


@kernel("ReverseSequence", takes="any index")
def _reverse_sequence(attrs: Attributes, x: Array, lengths: Array) -> Any:
    """Along one dimension only so many elements from the start as another dimension's place says."""
    along, batch = attrs.integer("seq_dim"), attrs.integer("batch_dim", 0)
    require(0 <= along < x.ndim and 0 <= batch < x.ndim, f"dimensions {along} and {batch} are out of range")
    require(along != batch, "seq_dim and batch_dim are the same")
    require(lengths.shape == (x.shape[batch],), f"seq_lengths must be a vector of {x.shape[batch]} elements")
    check_indices(lengths, x.shape[along] + 1, "length")
    places, ends = np.arange(x.shape[along]), lengths[:, None]
    index = np.where(places < ends, ends - 1 - places, places)
    rows = np.moveaxis(x, (batch, along), (0, 1))[np.arange(lengths.size)[:, None], index]
    return np.moveaxis(rows, (0, 1), (batch, along))


@kernel("Roll", takes="any index index")
def _roll(_attrs: Attributes, x: Array, shift: Array, axis: Array) -> Array:
    require(shift.shape == axis.shape and shift.ndim <= 1, "shift and axis differ in shape")
    require(x.ndim >= 1, "it needs at least 1 dimension")
    check_work(shift.size * x.size)
    for count, a in zip(vector(shift.reshape(-1), "shift"), vector(axis.reshape(-1), "axis"), strict=True):
        a = axis_of(a, x.ndim)
        x = np.roll(x, count % max(x.shape[a], 1), a)
    return x


def _pairs(x: Array, paddings: Array) -> list[tuple[int, int]]:
    require(paddings.shape == (x.ndim, 2), f"paddings must have the shape [{x.ndim}, 2]")
    pairs = [(int(before), int(after)) for before, after in paddings]
    require(all(before >= 0 and after >= 0 for before, after in pairs), "a padding is negative")
    return pairs


def _paddings(x: Array, paddings: Array) -> list[tuple[int, int]]:
    pairs = _pairs(x, paddings)
    checked_shape(before + d + after for d, (before, after) in zip(x.shape, pairs, strict=True))
    return pairs


def _padded(x: Array, paddings: Array, value: Any) -> Array:
    pairs = _paddings(x, paddings)
    result = np.full([b + d + a for d, (b, a) in zip(x.shape, pairs, strict=True)], value, x.dtype)
    result[tuple(slice(b, b + d) for d, (b, _) in zip(x.shape, pairs, strict=True))] = x
    return result


def _zero(x: Array) -> Any:
    return b"" if x.dtype == object else 0


@kernel("Pad", takes="any index")
def _pad(_attrs: Attributes, x: Array, paddings: Array) -> Array:
    return _padded(x, paddings, _zero(x))


@kernel("PadV2", takes="T:any index T:any")
def _pad_v2(_attrs: Attributes, x: Array, paddings: Array, value: Array) -> Array:
    return _padded(x, paddings, scalar(value, "the padding value"))


def _skipped(attrs: Attributes) -> bool:
    """Whether the border itself is not repeated."""
    mode = attrs.text("mode")
    require(mode in ("REFLECT", "SYMMETRIC"), f"mode '{mode}' is not known")
    return mode == "REFLECT"


def _check_mirrored(axis: int, dim: int, padding: tuple[int, int], skipped: bool) -> None:
    require(max(padding) <= max(dim - skipped, 0), f"dimension {axis} is too short to be mirrored that far")


@kernel("MirrorPad", takes="any index")
def _mirror_pad(attrs: Attributes, x: Array, paddings: Array) -> Array:
    skipped = _skipped(attrs)
    for axis, (before, after) in enumerate(_paddings(x, paddings)):
        dim = x.shape[axis]
        _check_mirrored(axis, dim, (before, after), skipped)
        left = np.arange(before - 1 + skipped, skipped - 1, -1)
        right = np.arange(dim - 1 - skipped, dim - 1 - skipped - after, -1)
        x = x.take(np.concatenate([left, np.arange(dim), right]), axis)
    return x


@kernel("MirrorPadGrad", takes="number index")
def _mirror_pad_gradient(attrs: Attributes, gradients: Array, paddings: Array) -> Array:
    """The middle, to which what was mirrored is added where it came from, along one axis after the other."""
    skipped = _skipped(attrs)
    for axis, (before, after) in enumerate(_pairs(gradients, paddings)):
        dim = gradients.shape[axis] - before - after
        _check_mirrored(axis, dim, (before, after), skipped)
        if before or after:
            along = np.moveaxis(gradients, axis, 0)
            middle = along[before : before + dim].copy()
            middle[skipped : skipped + before] += along[:before][::-1]
            middle[dim - skipped - after : dim - skipped] += along[before + dim :][::-1]
            gradients = np.moveaxis(middle, 0, axis)
    return gradients


@kernel("Tile", takes="any index")
def _tile(_attrs: Attributes, x: Array, multiples: Array) -> Array:
    counts = vector(multiples, "multiples")
    require(len(counts) == x.ndim, f"multiples must have {x.ndim} elements")
    checked_shape(d * m for d, m in zip(x.shape, counts, strict=True))
    require(all(m >= 0 for m in counts), "a multiple is negative")
    return np.tile(x, counts) if counts else x


@kernel("BroadcastTo", takes="any index")
def _broadcast_to(_attrs: Attributes, x: Array, shape: Array) -> Array:
    return np.broadcast_to(x, checked_shape(vector(shape, "shape")))
