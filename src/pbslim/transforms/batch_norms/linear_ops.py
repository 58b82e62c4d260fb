"""Ops that are linear in constant weights: where their output channels lie, and weights times a factor per channel."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from pbslim.ir import ElementwiseTensor, Node, Tensor
from pbslim.ir.tensors import Array
from pbslim.rewrite import Skip

MAX_CHANNELS = 1 << 20
"""More are refused: constants of so many elements can stand in a file of a few bytes."""

_MAX_EXPANDED = 1 << 16  # bytes

LINEAR_OPS = {
    "Conv2D": (2, 3),
    "DepthwiseConv2dNative": (2, 2, 3),
    "Conv3D": (3, 4),
    "Conv2DBackpropInput": (2, 2),
    "DepthwiseConv2dNativeBackpropInput": (2, 2),
    "Conv3DBackpropInputV2": (3, 3),
    "MatMul": (0, 1),
}
"""Each op → how many spatial dimensions it has, and the dimensions of its weights that make up the output channels.

The weights are always input 1. A transposed convolution is the gradient of a convolution: its output channels are the
input channels of that one.
"""


class Layout(NamedTuple):
    """What is known of a tensor: it has `rank` dimensions, and along `axis` its channels."""

    axis: int
    rank: int
    channels: int

    def per_channel(self, constant: Tensor) -> Array:
        """The values with which `constant` meets each channel when it is broadcast to such a tensor.

        Returns:
            Doubles of shape ``[channels]``.

        Raises:
            Skip: it differs within a channel, or makes the tensor larger.
        """
        shape = (1,) * (self.rank - len(constant.shape)) + constant.shape
        wanted = [self.channels if i == self.axis else 1 for i in range(self.rank)]
        if len(shape) > self.rank or any(n not in (1, fits) for n, fits in zip(shape, wanted, strict=True)):
            raise Skip(
                f"a constant of shape {list(constant.shape)} has not one value for each of {self.channels} channels"
            )
        return np.broadcast_to(constant.numpy().astype(np.float64).reshape(-1), (self.channels,))


def channel_axes(node: Node) -> Sequence[int]:
    """The dimensions of the weights of a linear op that make up its output channels; they are next to each other."""
    transposed = node.op == "MatMul" and node.attr("transpose_b", bool)
    return (0,) if transposed else LINEAR_OPS[node.op][1:]


def channel_count(node: Node, weights: Tensor) -> int:
    """How many output channels `weights` make.

    Raises:
        Skip: they have an impossible rank.
    """
    if len(weights.shape) != LINEAR_OPS[node.op][0] + 2:
        raise Skip(f"its weights have shape {list(weights.shape)}")
    return math.prod(weights.shape[axis] for axis in channel_axes(node))


def scalable_channels(node: Node, weights: Tensor) -> int:
    """As `channel_count`, for weights that may be multiplied by a factor per channel.

    Raises:
        Skip: they have an impossible rank, far too many channels, or are a few values for a large shape, which would
            all have to be written.
    """
    count = channel_count(node, weights)
    if count > MAX_CHANNELS:
        raise Skip(f"'{node.name}' has {count} channels")
    if weights.nbytes - weights.stored_nbytes > _MAX_EXPANDED:
        raise Skip(f"its weights are a few values repeated, the file would grow to {weights.nbytes} bytes")
    return count


def output_layout(node: Node, weights: Tensor) -> Layout:
    """The layout of what a linear op computes.

    Raises:
        Skip: the weights have an impossible rank, or the data format is unknown.
    """
    count, rank = channel_count(node, weights), len(weights.shape)
    if count > MAX_CHANNELS:
        raise Skip(f"'{node.name}' has {count} channels")
    return Layout(channel_axis(node, rank), rank, count)


def channel_axis(node: Node, rank: int) -> int:
    """The dimension along which the channels of a tensor of `rank` dimensions run, by the ``data_format`` of `node`.

    Raises:
        Skip: the data format is unknown.
    """
    layout = node.attr("data_format", bytes, b"NHWC")
    if layout in (b"NHWC", b"NDHWC"):
        return rank - 1
    if layout in (b"NCHW", b"NCDHW"):
        return 1
    raise Skip(f"the data format of '{node.name}' is {layout!r}")


def scaled(weights: Tensor, axes: Sequence[int], factors: Array) -> Tensor:
    """`weights` times one factor for each position along `axes`, computed when they are read."""
    inner = math.prod(weights.shape[axes[-1] + 1 :])

    def multiply(values: Array) -> Array:
        with np.errstate(over="ignore", invalid="ignore"):
            result: Array = values.reshape(-1, factors.size, inner) * factors[:, np.newaxis]
            return result.reshape(-1).astype(values.dtype, copy=False)

    if weights.size == 0:
        return weights
    return ElementwiseTensor(weights, multiply, multiple_of=factors.size * inner)
