"""The shape that StridedSlice gives."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from pbslim.dtypes import Shape
from pbslim.ops.shape_inference.call import Dims, ShapeError


@dataclass
class _Axis:
    """What happens to one axis of the input."""

    begin: int | None = None
    end: int | None = None
    stride: int = 1
    from_start: bool = True
    to_end: bool = True
    shrink: bool = False


def strided_slice_dims(
    dims: Dims,
    begins: list[int | None] | None,
    ends: list[int | None] | None,
    strides: list[int],
    masks: Mapping[str, int],
) -> Dims:
    """The shape of a slice.

    Args:
        dims: the shape of what is sliced.
        begins: where each item of the slice begins; None where that is unknown.
        ends: where each item ends.
        strides: the step of each item.
        masks: bit sets over the items: ``begin``, ``end``, ``ellipsis``, ``new_axis``, ``shrink_axis``.

    Raises:
        ShapeError: the slice does not fit the shape.
    """
    count = len(strides)
    begins = [None] * count if begins is None else begins
    ends = [None] * count if ends is None else ends
    if not len(begins) == len(ends) == count:
        raise ShapeError(f"{len(begins)} begins, {len(ends)} ends and {count} strides are given")
    result: list[int] = []
    axes = iter(dims)
    for item in _items(len(dims), begins, ends, strides, masks):
        if item is None:
            result.append(1)
            continue
        size = next(axes, None)
        if size is None:
            raise ShapeError(f"a slice of more axes than {Shape(dims)} has")
        length = _length(size, item)
        if not item.shrink:
            result.append(length)
    return tuple(result)


def _items(
    rank: int, begins: list[int | None], ends: list[int | None], strides: list[int], masks: Mapping[str, int]
) -> list[_Axis | None]:
    """One item for each axis of the input, None for each new axis of the output."""

    def has(mask: str, index: int) -> bool:
        return bool(masks[mask] >> index & 1)

    ellipses = [i for i in range(len(strides)) if has("ellipsis", i)]
    if len(ellipses) > 1:
        raise ShapeError("a slice can have only one ellipsis")
    at = ellipses[0] if ellipses else len(strides)
    named = sum(not has("new_axis", i) for i in range(len(strides)) if i != at)
    items: list[_Axis | None] = []
    for i, stride in enumerate(strides):
        if i == at:
            items += [_Axis() for _ in range(rank - named)]
        elif has("new_axis", i):
            items.append(None)
        else:
            shrink = has("shrink_axis", i)
            items.append(_Axis(begins[i], ends[i], stride, has("begin", i), has("end", i), shrink))
    if not ellipses:
        items += [_Axis() for _ in range(rank - named)]
    return items


def _length(size: int, axis: _Axis) -> int:
    """How many elements of an axis are taken."""
    stride = axis.stride
    if stride == 0:
        raise ShapeError("the stride of a slice is 0")
    if size < 0:
        return -1
    if axis.shrink:
        if stride < 0:
            raise ShapeError("an index takes one element, its stride must be positive")
        if axis.begin is not None and axis.end is not None and not -size <= axis.begin < size:
            raise ShapeError(f"index {axis.begin} is outside an axis of {size} elements")
        return 1
    if (axis.begin is None or axis.end is None) and not (axis.from_start and axis.to_end):
        return -1  # half a range says nothing to TensorFlow
    begin = (size - 1 if stride < 0 else 0) if axis.from_start else _clamped(axis.begin, size, stride)
    end = (-1 if stride < 0 else size) if axis.to_end else _clamped(axis.end, size, stride)
    if begin is None or end is None:
        return -1
    return max(-((begin - end) // stride), 0)


def _clamped(index: int | None, size: int, stride: int) -> int | None:
    """An index counted from the front, moved inside the axis (or just before it when walking backwards)."""
    if index is None:
        return None
    index = index + size if index < 0 else index
    return min(max(index, -1), size - 1) if stride < 0 else min(max(index, 0), size)
