"""Images made larger or smaller."""

from __future__ import annotations

from typing import Any

import numpy as np

from pbslim.kernels.checks import Array, checked_shape, require, vector
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
