"""Images, and parts of them, made larger or smaller."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from pbslim.kernels.checks import Array, check_indices, checked_shape, finite, require, vector
from pbslim.kernels.quantization import round_half_away
from pbslim.kernels.registry import Attributes, kernel

_F = np.float32
_HALF = _F(0.5)


class Resize:
    """The attributes of a resize op, and the sizes it goes from and to."""

    def __init__(self, attrs: Attributes, images: tuple[int, ...], after: Sequence[int]) -> None:
        self.align_corners, self.half_pixel = attrs.flag("align_corners"), attrs.flag("half_pixel_centers")
        require(not (self.align_corners and self.half_pixel), "align_corners and half_pixel_centers do not go together")
        require(len(images) == 4, "images must have 4 dimensions")
        require(len(after) == 2, "size must have 2 elements")
        self.before, self.after = images[1:3], after
        require(min(*self.before, *self.after) > 0, "an image of no height or width")
        checked_shape([images[0], *self.after, images[3]])
        for between in ((self.before[0], self.after[1]), (self.after[0], self.before[1])):
            checked_shape([images[0], *between, images[3]], "an image between the two steps")

    def scale(self, axis: int) -> np.float32:
        """What lies between two places of the result, measured in the image."""
        before, after = self.before[axis], self.after[axis]
        return _F(before - 1) / _F(after - 1) if self.align_corners and after > 1 else _F(before) / _F(after)

    def scaled(self, axis: int) -> Array:
        """For each place in the result its place in the image, in single precision as TensorFlow has it."""
        places = np.arange(self.after[axis]).astype(_F)
        return (places + _HALF if self.half_pixel else places) * self.scale(axis)

    def centered(self, axis: int) -> Array:
        """As `scaled`, from the middle of one pixel to the middle of another where the node says so."""
        return self.scaled(axis) - _HALF if self.half_pixel else self.scaled(axis)

    def nearest(self, axis: int) -> Array:
        """For each place in the result which row or column of the image is nearest."""
        rounded = round_half_away if self.align_corners else np.floor
        return np.minimum(rounded(self.scaled(axis)).astype(np.int64), self.before[axis] - 1)

    def neighbors(self, axis: int) -> tuple[Array, Array, Array]:
        """For each place in the result the rows or columns before and after it, and how far it is past the first."""
        place = self.centered(axis)
        floor = np.floor(place)
        lower = np.maximum(floor, 0).astype(np.int64)
        return lower, np.minimum(np.ceil(place).astype(np.int64), self.before[axis] - 1), place - floor


@kernel("ResizeNearestNeighbor", takes="real int32")
def _nearest(attrs: Attributes, images: Array, size: Array) -> Any:
    resize = Resize(attrs, images.shape, vector(size, "size"))
    return images[:, resize.nearest(0)[:, None], resize.nearest(1)]


def along(weights: Array, axis: int) -> Array:
    """Numbers for the places along height (0) or width (1), in a shape that goes with images."""
    return weights.reshape(-1, *[1] * (2 - axis))


@kernel("ResizeBilinear", takes="real int32")
def _bilinear(attrs: Attributes, images: Array, size: Array) -> Any:
    """Between columns first, then between rows."""
    resize = Resize(attrs, images.shape, vector(size, "size"))
    images = images.astype(_F, copy=False)
    for axis in (1, 0):
        first, second, past = resize.neighbors(axis)
        lower, upper = images.take(first, axis + 1), images.take(second, axis + 1)
        upper -= lower
        upper *= along(past, axis)
        lower += upper
        images = lower
    return images


_CUBIC_STEPS = 1024  # TensorFlow knows the cubic at so many places between two pixels


def _cubic(a: float, steps: Array) -> tuple[Array, Array]:
    """Weights of the pixels less than one and less than two away, `steps` past the nearer of the two places."""
    near = steps.astype(np.float64) / _CUBIC_STEPS
    far = near + 1
    first = ((a + 2) * near - (a + 3)) * near * near + 1
    return first.astype(_F), (((a * far - 5 * a) * far + 8 * a) * far - 4 * a).astype(_F)


@kernel("ResizeBicubic", takes="real int32")
def _bicubic(attrs: Attributes, images: Array, size: Array) -> Any:
    """Between rows first, then between columns; with half-pixel centers, what is outside has no weight."""
    resize = Resize(attrs, images.shape, vector(size, "size"))
    images = images.astype(_F)
    for axis in (0, 1):
        place = resize.centered(axis)
        floor = np.floor(place)
        steps = np.rint((place - floor) * _F(_CUBIC_STEPS))
        (second, first), (third, fourth) = (
            _cubic(-0.5 if resize.half_pixel else -0.75, s) for s in (steps, _CUBIC_STEPS - steps)
        )
        wanted = floor.astype(np.int64) + np.arange(-1, 3)[:, None]
        found = wanted.clip(0, resize.before[axis] - 1)
        weights = np.stack([first, second, third, fourth])
        if resize.half_pixel:
            weights = np.where(wanted == found, weights, _F(0))
            weights = weights * (_F(1) / weights.sum(axis=0))
        images = sum(images.take(f, axis + 1) * along(w, axis) for f, w in zip(found, weights, strict=True))
    return images


@kernel("ResizeArea", takes="real int32")
def _area(attrs: Attributes, images: Array, size: Array) -> Any:
    """Each pixel is the mean of the part of the image that it covers."""
    resize = Resize(attrs, images.shape, vector(size, "size"))
    down, across = (_coverage(resize, axis) for axis in (0, 1))
    rows = np.einsum("nhwc,xw->nhxc", images.astype(_F), across, optimize=True)
    return np.einsum("nhxc,yh->nyxc", rows, down, optimize=True)


def _coverage(resize: Resize, axis: int) -> Array:
    """How much of each pixel of the result each pixel of the image fills; beyond the image its last one goes on."""
    before, after = resize.before[axis], resize.after[axis]
    checked_shape([after, 2 * before], "a table of weights")
    scale = resize.scale(axis)
    require(scale > 0, "the corners of a single row or column cannot be aligned")
    ends = np.arange(after + 1).astype(_F) * scale
    first, last = ends[:-1, None], ends[1:, None]
    pixels = np.arange(max(before, int(np.ceil(ends[-1])))).astype(_F)
    weights = np.maximum(np.minimum(last, pixels + 1) - np.maximum(first, pixels), 0)
    weights = np.where((pixels < first) & (pixels + 1 > last), scale, weights)
    weights[:, before - 1] = weights[:, before - 1 :].sum(axis=1)
    return np.asarray(weights[:, :before] / scale)


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
