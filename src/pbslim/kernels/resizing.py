"""Images, and parts of them, made larger or smaller."""

from __future__ import annotations

from typing import Any

import numpy as np

from pbslim.kernels.checks import Array, check_indices, checked_shape, finite, require, vector
from pbslim.kernels.quantization import round_half_away
from pbslim.kernels.registry import Attributes, kernel

_F = np.float32
_HALF = _F(0.5)


class _Resize:
    """The attributes of a resize op, and the sizes it goes from and to."""

    def __init__(self, attrs: Attributes, images: Array, size: Array) -> None:
        self.align_corners, self.half_pixel = attrs.flag("align_corners"), attrs.flag("half_pixel_centers")
        require(not (self.align_corners and self.half_pixel), "align_corners and half_pixel_centers do not go together")
        require(images.ndim == 4, "images must have 4 dimensions")
        require(size.shape == (2,), "size must have 2 elements")
        self.before, self.after = images.shape[1:3], vector(size, "size")
        require(min(*self.before, *self.after) > 0, "an image of no height or width")
        checked_shape([images.shape[0], *self.after, images.shape[3]])

    def scaled(self, axis: int) -> Array:
        """For each place in the result its place in the image, in single precision as TensorFlow has it."""
        before, after = self.before[axis], self.after[axis]
        aligned = self.align_corners and after > 1
        scale = _F(before - 1) / _F(after - 1) if aligned else _F(before) / _F(after)
        places = np.arange(after).astype(_F)
        return (places + _HALF if self.half_pixel else places) * scale


@kernel("ResizeNearestNeighbor", takes="real int32")
def _nearest(attrs: Attributes, images: Array, size: Array) -> Any:
    resize = _Resize(attrs, images, size)
    rounded = round_half_away if resize.align_corners else np.floor
    down, across = (
        np.minimum(rounded(resize.scaled(axis)).astype(np.int64), resize.before[axis] - 1) for axis in (0, 1)
    )
    return images[:, down[:, None], across]


@kernel("ResizeBilinear", takes="real int32")
def _bilinear(attrs: Attributes, images: Array, size: Array) -> Any:
    """Between columns first, then between rows."""
    resize = _Resize(attrs, images, size)
    checked_shape([*images.shape[:2], resize.after[1], images.shape[3]], "an image between the two steps")
    images = images.astype(_F)
    for axis in (1, 0):
        place = resize.scaled(axis) - _HALF if resize.half_pixel else resize.scaled(axis)
        floor = np.floor(place)
        lower = images.take(np.maximum(floor, 0).astype(np.int64), axis + 1)
        upper = images.take(np.minimum(np.ceil(place).astype(np.int64), resize.before[axis] - 1), axis + 1)
        weight = (place - floor).reshape(-1, *[1] * (2 - axis))
        images = lower + (upper - lower) * weight
    return images


def _in_image(first: Array, last: Array, size: int, count: int) -> Array:
    """Where `count` places between two that are fractions of an image lie in it, for each box."""
    if count == 1:
        return (0.5 * (first + last) * (size - 1)).astype(_F)[:, None]
    step = (last - first) * _F(size - 1) / _F(count - 1)
    return np.asarray(first[:, None] * _F(size - 1) + np.arange(count).astype(_F) * step[:, None])


@kernel("CropAndResize", takes="real float int32 int32")
def _crop_and_resize(attrs: Attributes, images: Array, boxes: Array, numbers: Array, crop_size: Array) -> Any:
    """Each box in an image of its own; what is outside of the image gets one value."""
    method = attrs.text("method", "bilinear")
    require(method in ("bilinear", "nearest"), f"method '{method}' is not known")
    require(images.ndim == 4 and min(images.shape[1:3]) > 0, "images must have 4 dimensions, a height and a width")
    require(boxes.shape == (*numbers.shape, 4) and numbers.ndim == 1, "boxes must be rows of 4, each with an image")
    require(finite(boxes), "a box is not finite")
    check_indices(numbers, images.shape[0], "image")
    size = vector(crop_size, "crop_size")
    require(len(size) == 2 and min(size) > 0, "crop_size must be 2 positive numbers")
    checked_shape([numbers.size, *size, images.shape[3]])
    ends = [_in_image(boxes[:, axis], boxes[:, axis + 2], images.shape[axis + 1], size[axis]) for axis in (0, 1)]
    inside = [(place >= 0) & (place <= images.shape[axis + 1] - 1) for axis, place in enumerate(ends)]
    down, across = (np.where(known, place, _F(0)) for known, place in zip(inside, ends, strict=True))

    def pixels(rows: Array, columns: Array) -> Array:
        place = numbers[:, None, None], rows.astype(np.int64)[:, :, None], columns.astype(np.int64)[:, None]
        return np.asarray(images[place]).astype(_F)

    if method == "nearest":
        crops = pixels(round_half_away(down), round_half_away(across))
    else:
        (top, bottom), (left, right) = ((np.floor(place), np.ceil(place)) for place in (down, across))
        along = (across - left)[:, None, :, None]
        upper, lower = (pixels(row, left) + (pixels(row, right) - pixels(row, left)) * along for row in (top, bottom))
        crops = upper + (lower - upper) * (down - top)[:, :, None, None]
    known = (inside[0][:, :, None] & inside[1][:, None])[..., None]
    return np.where(known, crops, attrs.number("extrapolation_value", 0.0))
