"""Colours of images, in the last dimension."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from pbslim.kernels.checks import Array, require, scalar
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


def _adjusted(function: Callable[[Array, Array, Any], tuple[Any, Any]]) -> Callable[..., Any]:
    """A kernel function that changes hue and saturation."""

    def run(attrs: Attributes, images: Array, amount: Array) -> Any:
        require(images.ndim >= 3, "images must have at least 3 dimensions")
        colors = np.asarray(_to_hsv(attrs, images))
        colors[..., 0], colors[..., 1] = function(colors[..., 0], colors[..., 1], scalar(amount, "the amount"))
        return _to_rgb(attrs, colors)

    return run


kernel("AdjustHue", takes="float float")(_adjusted(lambda hue, saturation, delta: ((hue + delta) % 1, saturation)))
kernel("AdjustSaturation", takes="float float")(
    _adjusted(lambda hue, saturation, scale: (hue, (saturation * scale).clip(0, 1)))
)


@kernel("AdjustContrastv2", takes="float float")
def _adjust_contrast(_attrs: Attributes, images: Array, factor: Array) -> Any:
    """Away from the mean of each channel in each image."""
    require(images.ndim >= 3, "images must have at least 3 dimensions")
    if not images.size:
        return images
    mean = images.mean(axis=(-3, -2), keepdims=True, dtype=np.float64).astype(images.dtype)
    return (images - mean) * scalar(factor, "contrast_factor") + mean
