"""Images in the form of files, decoded by Pillow."""

from __future__ import annotations

import io
import warnings
from importlib.util import find_spec
from typing import Any

import numpy as np

from pbslim.dtypes import UINT8
from pbslim.engines.builtin.actions import action
from pbslim.engines.builtin.scope import Action, CannotRun, Scope
from pbslim.ir import Node
from pbslim.kernels.checks import Array, checked_shape, require, scalar

_MODES = {1: "L", 3: "RGB", 4: "RGBA"}
_ANIMATED = ("GIF",)
_ONE = 1 << 15
_RED, _GREEN = 29900 * _ONE // 100000, 58700 * _ONE // 100000


@action("DecodeJpeg", "DecodePng", "DecodeBmp", "DecodeGif", "DecodeImage")
def _decode(node: Node, scope: Scope) -> Action:
    """Any of the formats, as TensorFlow's ops do."""
    if find_spec("PIL") is None:
        raise CannotRun(node, "it needs Pillow; run: pip install 'pbslim[images]'")
    attrs = scope.attributes(node)
    channels, ratio = attrs.integer("channels", 0), attrs.integer("ratio", 1)
    dtype = attrs.array_dtype("dtype", UINT8) if node.op in ("DecodePng", "DecodeImage") else np.dtype(np.uint8)
    if dtype != np.uint8:
        raise CannotRun(node, f"images are decoded to uint8 only, not {dtype}")
    if channels not in (0, *_MODES):
        raise CannotRun(node, f"there are no images of {channels} channels")
    frames = node.op == "DecodeGif" or (node.op == "DecodeImage" and attrs.flag("expand_animations", True))

    def run(values: list[Any]) -> list[Any]:
        data = scalar(values[0], "contents")
        require(isinstance(data, bytes), "contents must be a string")
        return [_pixels(data, channels, ratio, frames)]

    return run


def _pixels(data: bytes, channels: int, ratio: int, frames: bool) -> Array:
    from PIL import Image, ImageSequence, UnidentifiedImageError

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of large images; the size is looked at here
            image = Image.open(io.BytesIO(data))
            checked_shape([image.height, image.width, 4], "the image")
            if ratio > 1 or channels == 1:  # a JPEG is decoded smaller or without colors; other formats are as they are
                image.draft(_MODES.get(channels), (image.width // ratio, image.height // ratio))
            animated = frames and image.format in _ANIMATED
            pages = ImageSequence.Iterator(image) if animated else [image]
            arrays = [np.asarray(_in_mode(page, channels)) for page in pages]
    except (UnidentifiedImageError, OSError, SyntaxError, Image.DecompressionBombError) as error:
        raise ValueError(f"the image cannot be decoded: {error}") from None
    arrays = [array[..., None] if array.ndim == 2 else array for array in arrays]
    return np.stack(arrays) if animated else arrays[0]


def _gray(image: Any) -> Array:
    """As libpng makes it, in fixed point."""
    red, green, blue = np.asarray(image.convert("RGB"), np.int32).transpose(2, 0, 1)
    mixed = (red * _RED + green * _GREEN + blue * (_ONE - _RED - _GREEN)) // _ONE
    return np.asarray(np.where((red == green) & (red == blue), red, mixed), np.uint8)


def _own_mode(image: Any) -> str:
    """The mode of as many channels as the file has."""
    gray = image.mode in ("1", "L", "LA")
    if image.mode in ("LA", "RGBA") or "transparency" in image.info:
        return "LA" if gray else "RGBA"
    return "L" if gray else "RGB"


def _in_mode(image: Any, channels: int) -> Any:
    if image.mode.startswith("I"):  # 16 bits, of which the upper ones count
        from PIL import Image

        image = Image.fromarray((np.asarray(image) >> 8).astype(np.uint8))
    mode = _MODES.get(channels) or _own_mode(image)
    if mode == "L" and image.mode in ("RGB", "RGBA", "P"):
        return _gray(image)
    return image if image.mode == mode else image.convert(mode)
