"""The rows that a linear op multiplies with its weights, a sample of them."""

from __future__ import annotations

import numpy as np

from pbslim.ir import Node
from pbslim.ir.tensors import Array


def sample_rows(node: Node, inputs: Array, taps: tuple[int, ...], count: int, random: np.random.Generator) -> Array:
    """`count` random rows that a convolution multiplies with its filter.

    Args:
        node: a Conv2D, DepthwiseConv2dNative or a fused form of them.
        inputs: what it reads, [batch, height, width, channels], or by its ``data_format`` with channels second.
        taps: height and width of its filter.

    Returns:
        [rows, height of the filter, width of the filter, channels]; all of them where there are fewer than `count`.
    """
    planar = node.attrs.get("data_format") == b"NCHW"
    images = inputs.transpose(0, 2, 3, 1) if planar else inputs
    pick = slice(2, 4) if planar else slice(1, 3)
    strides, dilations = (_pair(node, key, pick) for key in ("strides", "dilations"))
    spans = [(tap - 1) * dilation + 1 for tap, dilation in zip(taps, dilations, strict=True)]
    pads = [_padding(node, pick, i, images.shape[i + 1], spans[i], strides[i]) for i in range(2)]
    sizes = [(images.shape[i + 1] + sum(pads[i]) - spans[i]) // strides[i] + 1 for i in range(2)]
    total = len(images) * max(sizes[0], 0) * max(sizes[1], 0)
    chosen = np.arange(total) if total <= count else random.choice(total, count, replace=False)
    image, y, x = np.unravel_index(chosen, (len(images), *sizes)) if total else (np.zeros(0, np.intp),) * 3
    rows = y[:, None] * strides[0] - pads[0][0] + np.arange(taps[0]) * dilations[0]
    columns = x[:, None] * strides[1] - pads[1][0] + np.arange(taps[1]) * dilations[1]
    inside = _inside(rows, images.shape[1])[:, :, None] & _inside(columns, images.shape[2])[:, None, :]
    found = images[
        image[:, None, None],
        np.clip(rows, 0, images.shape[1] - 1)[:, :, None],
        np.clip(columns, 0, images.shape[2] - 1)[:, None, :],
    ]
    return np.where(inside[..., None], found, 0).astype(np.float32, copy=False)


def _inside(places: Array, size: int) -> Array:
    return (places >= 0) & (places < size)


def _pair(node: Node, key: str, pick: slice) -> tuple[int, int]:
    value = node.attrs.get(key)
    numbers = value[pick] if isinstance(value, tuple) and len(value) == 4 else (1, 1)
    return int(numbers[0]), int(numbers[1])


def _padding(node: Node, pick: slice, i: int, size: int, span: int, stride: int) -> tuple[int, int]:
    padding = node.attrs.get("padding")
    if padding == b"EXPLICIT":
        pads = node.attrs.get("explicit_paddings")
        at = 2 * (pick.start + i)
        return (int(pads[at]), int(pads[at + 1])) if isinstance(pads, tuple) else (0, 0)
    if padding != b"SAME":
        return 0, 0
    missing = max((-(-size // stride) - 1) * stride + span - size, 0)
    return missing // 2, missing - missing // 2
