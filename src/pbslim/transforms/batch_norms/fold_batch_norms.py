"""Multiply the per-channel scale that follows a convolution or matrix product into its weights.

Before::  x ─► Conv2D(weights) ─► Mul(scale) ─► y
After::   x ─► Conv2D(weights · scale) ─► y
"""

from __future__ import annotations

from collections.abc import Sequence

from pbslim.analysis.constants import const_value
from pbslim.dtypes import FLOAT
from pbslim.ir import Graph, Node, Tensor
from pbslim.ir.tensors import Array
from pbslim.passes.registry import Context, transform
from pbslim.rewrite import Match, Skip, anything, const, near_misses, op, rewrite
from pbslim.rewrite.engine import read_elsewhere
from pbslim.rewrite.replacing import set_const
from pbslim.transforms.batch_norms.fold_all_batch_norms import fold_all_batch_norms
from pbslim.transforms.batch_norms.linear_ops import channel_axes, scalable_channels, scaled
from pbslim.transforms.quantization.weights import check_not_coarse

_CONV = op("Conv2D|MatMul|DepthwiseConv2dNative", anything("x"), const("weights"), name="conv")
_PATTERN = op("Mul", _CONV, const("scale"), name="mul")


@transform(effect="reassociates", in_functions=True)
def fold_batch_norms(graph: Graph, context: Context, *, algebraic: bool = False, keep_coarse: bool = False) -> None:
    """Fold each ``Mul(Conv2D | MatMul | DepthwiseConv2dNative, Const)`` whose constant has one value per channel.

    Run fold_constants before: a batch norm computes its scale, and reads its weights through an Identity.
    Weights, convolution and scale must have no other reader.

    Args:
        algebraic: run fold_all_batch_norms instead; the form used before that was a transform of its own.
        keep_coarse: leave weights alone that have no more than 257 different values: they were rounded before, compress
            well, and would have to be rounded once more.
    """
    if algebraic:
        fold_all_batch_norms.function(graph, context, keep_coarse=keep_coarse)
        return

    def fold(match: Match) -> Sequence[Node]:
        mul, conv, weights, scale = (match[name] for name in ("mul", "conv", "weights", "scale"))
        order = list(dict.fromkeys([mul, conv, match["x"], weights, scale]))
        try:
            read_elsewhere(match, [conv, weights, scale], context.output_nodes)
            if keep_coarse:
                check_not_coarse(const_value(weights))
            factors = _factors(conv, const_value(weights), const_value(scale))
        except Skip as skip:
            raise Skip(str(skip), order) from None
        set_const(weights, scaled(const_value(weights), channel_axes(conv), factors))
        inputs, attrs, controls, device = conv.inputs, conv.attrs, conv.controls, conv.device
        mul.become(conv.op, inputs, attrs, controls=controls, device=device)
        return [weights, match["x"], mul]

    context.merge(rewrite(graph, _PATTERN, fold))
    context.skipped += near_misses(graph, _PATTERN)


def _factors(conv: Node, weights: Tensor, scale: Tensor) -> Array:
    if weights.dtype is not FLOAT or scale.dtype is not FLOAT:
        raise Skip(f"weights are {weights.dtype}, scale is {scale.dtype}, both must be float")
    columns = scalable_channels(conv, weights)
    if conv.op == "MatMul" and conv.attr("transpose_b", bool):
        raise Skip("its weights are transposed")
    if scale.shape != (columns,):
        raise Skip(f"the scale has shape {list(scale.shape)}, expected [{columns}]")
    if conv.attr("data_format", bytes) == b"NCHW":
        raise Skip("the scale runs along the width of an NCHW tensor, not along its channels")
    return scale.numpy()
