"""Ops that move elements between space, depth and batch."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from pbslim.kernels.checks import Array, checked_shape, require, vector
from pbslim.kernels.layouts import channels_last, data_format_of, from_channels_last
from pbslim.kernels.registry import Attributes, kernel


def _block(attrs: Attributes) -> int:
    size = attrs.integer("block_size")
    require(size >= 2, f"{size} is not a block size")
    return size


@kernel("DepthToSpace", takes="any")
def _depth_to_space(attrs: Attributes, x: Array) -> Array:
    size, data_format = _block(attrs), data_format_of(attrs)
    x = channels_last(x, data_format)
    batch, height, width, depth = x.shape
    require(depth % size**2 == 0, f"{depth} channels are not blocks of {size} x {size}")
    blocks = x.reshape(batch, height, width, size, size, depth // size**2).transpose(0, 1, 3, 2, 4, 5)
    return from_channels_last(blocks.reshape(batch, height * size, width * size, depth // size**2), data_format)


@kernel("SpaceToDepth", takes="any")
def _space_to_depth(attrs: Attributes, x: Array) -> Array:
    size, data_format = _block(attrs), data_format_of(attrs)
    x = channels_last(x, data_format)
    batch, height, width, depth = x.shape
    require(height % size == 0 and width % size == 0, f"{height} x {width} is not made of blocks of {size} x {size}")
    blocks = x.reshape(batch, height // size, size, width // size, size, depth).transpose(0, 1, 3, 2, 4, 5)
    return from_channels_last(blocks.reshape(batch, height // size, width // size, depth * size**2), data_format)


def _check_blocks(x: Array, blocks: list[int], pairs: Array) -> None:
    require(pairs.shape == (len(blocks), 2), f"paddings and crops must have the shape [{len(blocks)}, 2]")
    require(all(b >= 1 for b in blocks), f"{blocks} are not block sizes")
    require(x.ndim > len(blocks), f"{len(blocks)} block dimensions for {x.ndim} dimensions")
    require(not pairs.size or pairs.min() >= 0, "a padding or crop is negative")


def _space_to_batch(x: Array, blocks: list[int], paddings: Array) -> Array:
    _check_blocks(x, blocks, paddings)
    count = len(blocks)
    pads = [(int(a), int(b)) for a, b in paddings]
    padded = [d + a + b for d, (a, b) in zip(x.shape[1 : count + 1], pads, strict=True)]
    rest = x.shape[count + 1 :]
    checked_shape([x.shape[0], *padded, *rest])
    for dim, block in zip(padded, blocks, strict=True):
        require(dim % block == 0, f"a padded size of {dim} is not made of blocks of {block}")
    x = np.pad(x, [(0, 0), *pads, *[(0, 0)] * len(rest)])
    split = [n for dim, block in zip(padded, blocks, strict=True) for n in (dim // block, block)]
    outer, inner = range(1, 2 * count, 2), range(2, 2 * count + 1, 2)
    blocked = x.reshape(x.shape[0], *split, *rest).transpose(*inner, 0, *outer, *range(2 * count + 1, x.ndim + count))
    return blocked.reshape(math.prod(blocks) * x.shape[0], *split[::2], *rest)


def _batch_to_space(x: Array, blocks: list[int], crops: Array) -> Array:
    _check_blocks(x, blocks, crops)
    count, whole = len(blocks), math.prod(blocks)
    require(x.shape[0] % whole == 0, f"a batch of {x.shape[0]} does not fill blocks of {whole}")
    batch, space, rest = x.shape[0] // whole, x.shape[1 : count + 1], x.shape[count + 1 :]
    order = [n for i in range(count) for n in (count + 1 + i, i)]
    tiles = x.reshape(*blocks, batch, *space, *rest).transpose(count, *order, *range(2 * count + 1, count + x.ndim))
    joined = [d * b for d, b in zip(space, blocks, strict=True)]
    index = [slice(None)]
    for dim, (start, end) in zip(joined, crops, strict=True):
        require(int(start) + int(end) <= dim, f"the crops are larger than the size of {dim}")
        index.append(slice(int(start), dim - int(end)))
    return tiles.reshape(batch, *joined, *rest)[tuple(index)]


_NUMERIC = "real"


@kernel("SpaceToBatchND", takes=f"{_NUMERIC} index index")
def _space_to_batch_nd(_attrs: Attributes, x: Array, block_shape: Array, paddings: Array) -> Any:
    return _space_to_batch(x, vector(block_shape, "block_shape"), paddings)


@kernel("BatchToSpaceND", takes=f"{_NUMERIC} index index")
def _batch_to_space_nd(_attrs: Attributes, x: Array, block_shape: Array, crops: Array) -> Any:
    return _batch_to_space(x, vector(block_shape, "block_shape"), crops)


@kernel("SpaceToBatch", takes=f"{_NUMERIC} index")
def _space_to_batch_2d(attrs: Attributes, x: Array, paddings: Array) -> Any:
    require(x.ndim == 4, "it needs 4 dimensions")
    return _space_to_batch(x, [_block(attrs)] * 2, paddings)


@kernel("BatchToSpace", takes=f"{_NUMERIC} index")
def _batch_to_space_2d(attrs: Attributes, x: Array, crops: Array) -> Any:
    require(x.ndim == 4, "it needs 4 dimensions")
    return _batch_to_space(x, [_block(attrs)] * 2, crops)
