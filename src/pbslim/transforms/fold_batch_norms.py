"""Multiply the per-channel scale that follows a convolution or matrix product into its weights.

Before::  x ─► Conv2D(weights) ─► Mul(scale) ─► y
After::   x ─► Conv2D(weights · scale) ─► y
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from pbslim.dtypes import FLOAT
from pbslim.ir import ElementwiseTensor, Graph, Node, SplatTensor, Tensor
from pbslim.ir.tensors import Array
from pbslim.passes.registry import Context, transform
from pbslim.rewrite import Match, Skip, anything, const, op, rewrite
from pbslim.rewrite.engine import read_elsewhere
from pbslim.transforms.shared.weights import const_value, set_const

_MAX_EXPANDED = 1 << 24
_CONV = op("Conv2D|MatMul|DepthwiseConv2dNative", anything("x"), const("weights"), name="conv")
_PATTERN = op("Mul", _CONV, const("scale"), name="mul")
# The dimensions of the weights that make up the output channels.
_CHANNEL_AXES = {"Conv2D": (3,), "DepthwiseConv2dNative": (2, 3), "MatMul": (1,)}


@transform(effect="reassociates")
def fold_batch_norms(graph: Graph, context: Context) -> None:
    """Fold each ``Mul(Conv2D | MatMul | DepthwiseConv2dNative, Const)`` whose constant has one value a channel.

    Run fold_constants before: a batch norm computes its scale, and reads its weights through an Identity.
    Weights, convolution and scale must have no other reader.
    """

    def fold(match: Match) -> Sequence[Node]:
        mul, conv, weights, scale = (match[name] for name in ("mul", "conv", "weights", "scale"))
        order = list(dict.fromkeys([mul, conv, match["x"], weights, scale]))
        try:
            read_elsewhere(match, [conv, weights, scale], context.output_nodes)
            factors = _factors(conv, const_value(weights), const_value(scale))
        except Skip as skip:
            raise Skip(str(skip), order) from None
        set_const(weights, scaled(const_value(weights), factors))
        inputs, attrs, controls, device = conv.inputs, conv.attrs, conv.controls, conv.device
        mul.become(conv.op, inputs, attrs, controls=controls, device=device)
        return [weights, match["x"], mul]

    context.merge(rewrite(graph, _PATTERN, fold))


def _factors(conv: Node, weights: Tensor, scale: Tensor) -> Array:
    if weights.dtype is not FLOAT or scale.dtype is not FLOAT:
        raise Skip(f"weights are {weights.dtype}, scale is {scale.dtype}, both must be float")
    columns = channels(conv, weights)
    if conv.op == "MatMul" and conv.attrs.get("transpose_b"):
        raise Skip("its weights are transposed")
    if isinstance(weights, SplatTensor) and weights.size > _MAX_EXPANDED:
        raise Skip(f"its weights are one value {weights.size} times")
    if scale.shape != (columns,):
        raise Skip(f"the scale has shape {list(scale.shape)}, expected [{columns}]")
    if conv.attrs.get("data_format") == b"NCHW":
        raise Skip("the scale runs along the width of an NCHW tensor, not along its channels")
    return scale.numpy()


def channels(conv: Node, weights: Tensor) -> int:
    """How many output channels the weights of `conv` make; raises `Skip` when they have an impossible rank."""
    axes = _CHANNEL_AXES[conv.op]
    if len(weights.shape) <= axes[-1]:
        raise Skip(f"its weights have shape {list(weights.shape)}")
    return int(np.prod([weights.shape[axis] for axis in axes]))


def scaled(weights: Tensor, factors: Array) -> Tensor:
    """`weights` with their last dimensions times `factors` (one per output channel), computed when they are read."""

    def multiply(values: Array) -> Array:
        with np.errstate(over="ignore", invalid="ignore"):
            result: Array = values.reshape(-1, factors.size) * factors
        return result.reshape(-1)

    if weights.size == 0:
        return weights
    return ElementwiseTensor(weights, multiply, multiple_of=factors.size)
