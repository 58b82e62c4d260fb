"""Pictures of any size and number from a few photographs, and PNG files for graphs that decode theirs."""

from __future__ import annotations

import struct
import zlib
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]

_SMALLEST_CROP = 0.4  # of height and width: a face in a portrait comes to fill the picture
CHANNELS, SMALLEST_SIDE = (1, 3, 4), 8
"""What an image has."""

_LUMA = (0.299, 0.587, 0.114)  # ITU-R BT.601
_COLOR_TYPES = {1: 0, 3: 2, 4: 6}  # of PNG, by channels


def resize(image: Array, height: int, width: int) -> npt.NDArray[np.float32]:
    """An image [h, w, channels] in another size: bilinear between pixel centers, averaged where it becomes smaller."""
    down, across = (_weights(before, after) for before, after in zip(image.shape, (height, width), strict=False))
    rows = np.tensordot(down, image.astype(np.float32), axes=(1, 0))
    return np.ascontiguousarray(np.tensordot(across, rows, axes=(1, 1)).transpose(1, 0, 2))


def _weights(before: int, after: int) -> npt.NDArray[np.float32]:
    """What each of `before` pixels gives to each of `after`, [after, before]: triangles as wide as the larger pixel."""
    scale = before / after
    centers = (np.arange(after) + 0.5) * scale - 0.5
    near = np.maximum(0, 1 - np.abs(np.arange(before) - centers.clip(0, before - 1)[:, None]) / max(scale, 1.0))
    return np.asarray(near / near.sum(axis=1, keepdims=True), np.float32)


def variant(image: Array, random: np.random.Generator) -> Array:
    """Part of an image, perhaps mirrored and of another contrast, as uint8 [h, w, 3]."""
    part = cropped(image, _SMALLEST_CROP, random).astype(np.float32)
    mean = part.mean()
    part = np.clip((part - mean) * random.uniform(0.7, 1.2) + mean * random.uniform(0.8, 1.2), 0, 255)
    return np.asarray(perhaps_mirrored(part, random), np.uint8)


def cropped(image: Array, smallest: float, random: np.random.Generator) -> Array:
    """A random part of an image [h, w, channels], of at least so much of its height and of its width."""
    height, width = (max(int(n * random.uniform(smallest, 1)), 1) for n in image.shape[:2])
    top, left = (int(random.integers(0, n - m + 1)) for n, m in zip(image.shape, (height, width), strict=False))
    return image[top : top + height, left : left + width]


def perhaps_mirrored(image: Array, random: np.random.Generator) -> Array:
    """An image [h, w, channels], in half of the cases with left and right exchanged."""
    return image[:, ::-1] if random.random() < 0.5 else image


def fit(image: Array, height: int, width: int, channels: int) -> npt.NDArray[np.float32]:
    """An image [h, w, 3] of 0 to 255 in the size and with the channels that are wanted: 1 (gray), 3, or 4 (opaque)."""
    resized = resize(image, height, width)
    if channels == 1:
        return (resized @ np.array(_LUMA, np.float32))[..., None]
    if channels == 4:
        return np.concatenate([resized, np.full_like(resized[..., :1], 255)], axis=-1)
    return resized


def png(image: npt.NDArray[np.uint8]) -> bytes:
    """An image [h, w, channels] as a PNG file."""
    height, width, channels = image.shape

    def chunk(kind: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    header = struct.pack(">IIBBBBB", width, height, 8, _COLOR_TYPES[channels], 0, 0, 0)
    rows = np.concatenate([np.zeros((height, 1), np.uint8), image.reshape(height, -1)], axis=1)  # each row unfiltered
    chunks = [(b"IHDR", header), (b"IDAT", zlib.compress(rows.tobytes())), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunk(*each) for each in chunks)
