"""Gradients of pooling, resizing, slices and paddings."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product
from typing import Any

import numpy as np

from pbslim.kernels import evaluate
from tests.kernels.operands import (
    C8,
    F2,
    F4,
    F8,
    FLOATS,
    I1,
    I4,
    INF,
    INTS,
    U1,
    Case,
    case,
    i4,
    i8,
    numbers,
    strings,
)


def backward() -> Iterator[Case]:
    yield from _pooling()
    yield from _resizing()
    yield from _slices()
    yield from _paddings()


def _counts(image: tuple[int, ...], size: tuple[int, ...], stride: tuple[int, ...], same: bool) -> list[int]:
    return [-(-(i if same else i - k + 1) // s) for i, k, s in zip(image, size, stride, strict=True)]


def _ties(dtype: Any, *shape: int) -> Any:
    """Few numbers, so that most windows have their largest one several times."""
    return np.random.default_rng(3).integers(0, 3, shape).astype(dtype)


def _pools(dtype: Any, image: tuple[int, ...], size: tuple[int, ...], stride: tuple[int, ...]) -> Iterator[Case]:
    for same in (True, False):
        if not same and min(i - k for i, k in zip(image, size, strict=True)) < 0:
            continue
        attrs: dict[str, Any] = {"ksize": (1, *size, 1), "strides": (1, *stride, 1)}
        attrs["padding"] = b"SAME" if same else b"VALID"
        gradient = numbers(dtype, 2, *_counts(image, size, stride, same), 3)
        if dtype in FLOATS:
            yield case("AvgPoolGrad", i4([2, *image, 3]), gradient, **attrs)
        for x in (numbers(dtype, 2, *image, 3), _ties(dtype, 2, *image, 3)):
            yield case("MaxPoolGrad", x, gradient, gradient, **attrs)


def _pooling() -> Iterator[Case]:
    windows = (
        ((2, 2), (2, 2)),
        ((3, 3), (2, 2)),
        ((3, 3), (1, 1)),
        ((3, 2), (1, 2)),
        ((2, 3), (4, 3)),
        ((5, 5), (1, 1)),
    )
    for image, (size, stride) in product(((5, 6), (7, 7), (8, 5), (1, 9)), windows):
        yield from _pools(F4, image, size, stride)
    for dtype in (*FLOATS, *INTS, np.int16, np.uint16, np.uint32, np.uint64):
        yield from _pools(dtype, (6, 5), (3, 3), (1, 2))
    yield from _pools(F4, (40, 40), (20, 20), (7, 7))
    one = {"ksize": (1, 2, 2, 1), "strides": (1, 1, 1, 1), "padding": b"SAME"}
    for dtype in FLOATS:
        lowest = np.array([-INF, -INF, -INF, 1], dtype).reshape(1, 2, 2, 1)
        yield case("MaxPoolGrad", lowest, lowest, numbers(dtype, 1, 2, 2, 1), **one)
    infinite = np.array([1, INF, -INF, np.nan], F4).reshape(1, 2, 2, 1)
    yield case("MaxPoolGrad", numbers(F4, 1, 2, 2, 1), infinite, infinite, **one)
    yield case("AvgPoolGrad", i4([1, 2, 2, 1]), infinite, **one)
    yield case("MaxPoolGrad", numbers(F4, 0, 2, 2, 1), numbers(F4, 0, 2, 2, 1), numbers(F4, 0, 2, 2, 1), **one)
    yield case("AvgPoolGrad", i4([0, 2, 2, 1]), numbers(F4, 0, 2, 2, 1), **one)
    padded = one | {"padding": b"EXPLICIT", "explicit_paddings": (0, 0, 1, 0, 0, 1, 0, 0)}
    yield case("MaxPoolGrad", _ties(F4, 2, 4, 5, 3), numbers(F4, 2, 4, 5, 3), numbers(F4, 2, 4, 5, 3), **padded)


def _resizing() -> Iterator[Case]:
    modes: tuple[dict[str, Any], ...] = ({}, {"align_corners": True}, {"half_pixel_centers": True})
    old, new = ([5, 7], [4, 5], [1, 1], [2, 13]), ([5, 7], [10, 14], [9, 3], [1, 1], [3, 50])
    for mode, before, after in product(modes, old, new):
        gradient = numbers(F4, 2, *after, 3)
        yield case("ResizeNearestNeighborGrad", gradient, i4(before), **mode)
        yield case("ResizeBilinearGrad", gradient, numbers(F4, 2, *before, 3), **mode)
    for mode, dtype in product(modes, (*FLOATS, I4, U1, I1)):
        yield case("ResizeNearestNeighborGrad", 9 * numbers(dtype, 2, 9, 13, 3), i4([4, 5]), **mode)
        if dtype in FLOATS:
            yield case("ResizeBilinearGrad", numbers(F4, 2, 9, 13, 3), numbers(dtype, 2, 4, 5, 3), **mode)
    yield case("ResizeNearestNeighborGrad", numbers(F4, 0, 4, 4, 3), i4([2, 2]))
    yield case("ResizeBilinearGrad", numbers(F4, 0, 4, 4, 3), numbers(F4, 0, 2, 2, 3))


def _slices() -> Iterator[Case]:
    shape = (4, 5, 6)
    places: tuple[tuple[list[int], list[int], list[int], dict[str, int]], ...] = (
        ([1, 0], [3, 2], [1, 1], {}),
        ([0, -1], [4, -6], [2, -2], {}),
        ([1], [2], [1], {"shrink_axis_mask": 1}),
        ([-1, 3], [0, 0], [1, 1], {"shrink_axis_mask": 3}),
        ([0, 1], [0, 3], [1, 1], {"ellipsis_mask": 1}),
        ([0, 0, 1], [0, 0, 5], [1, 1, 2], {"new_axis_mask": 2, "begin_mask": 1, "end_mask": 1}),
        ([0, 0, 2], [0, 0, 2], [-1, 1, 1], {"begin_mask": 3, "end_mask": 3}),
        ([1, 2, 3], [0, 0, 0], [1, 1, 1], {"shrink_axis_mask": 7}),
        ([2], [2], [1], {}),
    )
    for begin, end, strides, masks in places:
        part = evaluate("StridedSlice", masks, [numbers(F4, *shape), i4(begin), i4(end), i4(strides)])[0]
        for dtype in (F4, F8, F2, I4, C8, bool, object) if not masks else (F4,):
            gradient = numbers(dtype, *part.shape)
            yield case("StridedSliceGrad", i4(shape), i4(begin), i4(end), i4(strides), gradient, **masks)
        yield case("StridedSliceGrad", i8(shape), i8(begin), i8(end), i8(strides), numbers(F4, *part.shape), **masks)
    yield case("StridedSliceGrad", i4([]), i4([]), i4([]), i4([]), numbers(F4))
    yield case("StridedSliceGrad", i4([2]), i4([1]), i4([2]), i4([1]), strings(b"a"), shrink_axis_mask=1)


def _paddings() -> Iterator[Case]:
    for dtype in (*FLOATS, *INTS, C8):
        yield case("MirrorPadGrad", numbers(dtype, 6, 9), i4([[1, 1], [3, 2]]), mode=b"REFLECT")
    for mode, pads in product((b"REFLECT", b"SYMMETRIC"), ([0, 0], [1, 0], [0, 2], [2, 2])):
        yield case("MirrorPadGrad", numbers(F4, 8), i8([pads]), mode=mode)
        yield case("MirrorPadGrad", numbers(F4, 2, 8, 7, 3), i4([[0, 0], pads, [2, 1], [0, 0]]), mode=mode)
        yield case("MirrorPadGrad", numbers(F2, 3, 9, 7), i4([[1, 0], pads, [2, 2]]), mode=mode)
    yield case("MirrorPadGrad", numbers(F4, 9), i4([[3, 3]]), mode=b"SYMMETRIC")
    yield case("MirrorPadGrad", numbers(F4), np.zeros([0, 2], I4), mode=b"SYMMETRIC")
