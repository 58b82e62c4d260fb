"""Colours of images, in the last dimension."""

from __future__ import annotations

from typing import Any

import numpy as np

from pbslim.kernels.checks import Array, require
from pbslim.kernels.registry import Attributes, kernel


def _components(images: Array) -> list[Array]:
    require(images.ndim and images.shape[-1] == 3, "the last dimension must have 3 elements")
    return [images[..., i] for i in range(3)]


@kernel("RGBToHSV", takes="float|double")
def _to_hsv(_attrs: Attributes, images: Array) -> Any:
    red, green, blue = _components(images)
    sixth = images.dtype.type(1) / images.dtype.type(6)
    value = images.max(axis=-1)
    spread = value - images.min(axis=-1)
    saturation = np.where(value > 0, spread / value, 0)
    unit = sixth / spread
    hue = np.where(
        red == value,
        unit * (green - blue),
        np.where(green == value, unit * (blue - red) + 2 * sixth, unit * (red - green) + 4 * sixth),
    )
    hue = np.where(spread > 0, hue, 0)
    return np.stack([np.where(hue < 0, hue + 1, hue), saturation, value], -1).astype(images.dtype)


@kernel("HSVToRGB", takes="float|double")
def _to_rgb(_attrs: Attributes, images: Array) -> Any:
    hue, saturation, value = _components(images)
    sixths = hue * 6
    pure = np.stack([np.abs(sixths - 3) - 1, 2 - np.abs(sixths - 2), 2 - np.abs(sixths - 4)], -1).clip(0, 1)
    return ((1 - saturation)[..., None] + saturation[..., None] * pure) * value[..., None]
