"""Images made larger or smaller with any filter, which is what ``tf.image.resize`` with ``antialias=True`` comes to."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from pbslim.kernels.checks import Array, KernelError, check_products, checked_shape, finite, require, vector
from pbslim.kernels.registry import Attributes, kernel

_F = np.float32
_SMALLEST = 1000 * np.finfo(_F).tiny  # weights with a smaller sum are not scaled to 1


def _lanczos(radius: float) -> tuple[float, Callable[[Array], Array]]:
    def weight(x: Array) -> Array:
        angle = np.pi * np.maximum(x, 1e-3)
        inside = radius * np.sin(angle) * np.sin(angle / radius) / (angle * angle)
        return np.asarray(np.where(x > radius, 0, np.where(x <= 1e-3, 1, inside)))

    return radius, weight


def _gaussian(x: Array) -> Array:
    return np.asarray(np.where(x >= 1.5, 0, np.exp(-2 * x * x)))


def _box(x: Array) -> Array:
    return np.asarray(np.where(x < 0.5, 1, np.where(x == 0.5, 0.5, 0)))


def _triangle(x: Array) -> Array:
    return np.asarray(np.maximum(1 - x, 0))


def _keys(x: Array) -> Array:
    far, near = ((-0.5 * x + 2.5) * x - 4) * x + 2, (1.5 * x - 2.5) * x * x + 1
    return np.asarray(np.where(x >= 2, 0, np.where(x >= 1, far, near)))


def _mitchell(x: Array) -> Array:
    far, near = ((-7 / 18 * x + 2) * x - 10 / 3) * x + 16 / 9, (7 / 6 * x - 2) * x * x + 8 / 9
    return np.asarray(np.where(x >= 2, 0, np.where(x >= 1, far, near)))


_FILTERS = {  # how far they reach, and the weight of a pixel by its distance
    "lanczos1": _lanczos(1),
    "lanczos3": _lanczos(3),
    "lanczos5": _lanczos(5),
    "gaussian": (1.5, _gaussian),
    "box": (1.0, _box),
    "triangle": (1.0, _triangle),
    "keyscubic": (2.0, _keys),
    "mitchellcubic": (2.0, _mitchell),
}


def _weights(attrs: Attributes, before: int, after: int, scale: np.float32, translation: np.float32) -> Array:
    """How much of each of `before` pixels goes into each of `after`; nothing where those lie outside of the image."""
    name = attrs.text("kernel_type", "lanczos3")
    if name not in _FILTERS:
        raise KernelError(f"kernel_type '{name}' is not known")
    reach, weight = _FILTERS[name]
    checked_shape([after, 8 * before], "a table of weights")
    step = _F(1) / scale
    stretch = max(step, _F(1)) if attrs.flag("antialias", True) else _F(1)
    places = (np.arange(after).astype(_F) + _F(0.5)) * step - step * translation
    pixels = np.arange(before)
    radius = _F(reach) * stretch
    first = np.ceil(places - radius - _F(0.5)).clip(0, before - 1)
    last = np.floor(places + radius - _F(0.5)).clip(0, before - 1)
    distance = np.abs((pixels.astype(_F) + _F(0.5) - places[:, None]) / stretch)
    table = weight(distance.astype(np.float64))
    table[(pixels < first[:, None]) | (pixels > last[:, None])] = 0
    total = table.sum(axis=1, keepdims=True)
    np.divide(table, total, out=table, where=np.abs(total) >= _SMALLEST)
    table[(places < 0) | (places > before)] = 0
    return table.astype(_F)


@kernel("ScaleAndTranslate", takes="real int32 float float")
def _scale_and_translate(attrs: Attributes, images: Array, size: Array, scale: Array, translation: Array) -> Any:
    """The image is scaled, then moved, and seen through a window of `size`."""
    require(images.ndim == 4 and min(images.shape[1:3]) > 0, "images must have 4 dimensions, a height and a width")
    require(size.shape == scale.shape == translation.shape == (2,), "size, scale and translation must be pairs")
    require(finite(scale) and finite(translation) and scale.min() > 0, "scale must be positive, translation finite")
    height, width = vector(size, "size")
    require(min(height, width) > 0, "size must be positive")
    shape = checked_shape([images.shape[0], height, width, images.shape[3]])
    between = checked_shape([images.shape[0], height, images.shape[2], images.shape[3]], "an image between")
    down, across = (_weights(attrs, images.shape[a + 1], shape[a + 1], scale[a], translation[a]) for a in (0, 1))
    check_products(images.size * height + np.prod(between).item() * width, down.dtype)
    rows = down @ images.astype(_F).reshape(images.shape[0], images.shape[1], -1)
    return np.matmul(across, rows.reshape(-1, *between[2:])).reshape(shape)
