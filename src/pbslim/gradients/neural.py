"""Rules of convolutions, pooling, normalization and resizing."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from pbslim.dtypes import FLOAT, INT32
from pbslim.gradients.registry import rule, simple
from pbslim.gradients.tape import Tape, attrs_of
from pbslim.ir import Node, Value

_CONVOLUTION = ("strides", "padding", "data_format", "dilations", "explicit_paddings", "use_cudnn_on_gpu")
_POOLING = ("ksize", "strides", "padding", "data_format")
_RESIZING = ("align_corners", "half_pixel_centers")


@simple("Conv2D", "DepthwiseConv2dNative")
def _convolution(tape: Tape, node: Node, gradient: Value) -> Value:
    x, filters = node.inputs[:2]
    return tape.op(f"{node.op}BackpropInput", tape.shape(x), filters, gradient, **attrs_of(node, _CONVOLUTION))


@rule("Conv2DBackpropInput")
def _transposed(tape: Tape, node: Node, gradient: Value, wanted: Collection[int]) -> Mapping[int, Value]:
    filters = node.inputs[1]
    return {2: tape.op("Conv2D", gradient, filters, **attrs_of(node, _CONVOLUTION))} if 2 in wanted else {}


@simple("AvgPool")
def _average_pool(tape: Tape, node: Node, gradient: Value) -> Value:
    return tape.op("AvgPoolGrad", tape.shape(node.inputs[0]), gradient, **attrs_of(node, _POOLING))


@simple("MaxPool")
def _max_pool(tape: Tape, node: Node, gradient: Value) -> Value:
    return tape.op("MaxPoolGrad", node.inputs[0], node.output(), gradient, **attrs_of(node, _POOLING))


@simple("ResizeBilinear")
def _bilinear(tape: Tape, node: Node, gradient: Value) -> Value:
    return tape.op("ResizeBilinearGrad", gradient, node.inputs[0], **attrs_of(node, _RESIZING))


@simple("ResizeNearestNeighbor")
def _nearest(tape: Tape, node: Node, gradient: Value) -> Value:
    size = tape.op("Slice", tape.shape(node.inputs[0]), tape.const([1]), tape.const([2]), T=INT32, Index=INT32)
    return tape.op("ResizeNearestNeighborGrad", gradient, size, **attrs_of(node, _RESIZING))


@rule("FusedBatchNorm", "FusedBatchNormV2", "FusedBatchNormV3")
def _batch_norm(tape: Tape, node: Node, gradient: Value, wanted: Collection[int]) -> Mapping[int, Value]:
    """That of the images, in inference, channels last."""
    is_plain = node.attrs.get("is_training") is False and node.attrs.get("data_format", b"NHWC") == b"NHWC"
    if not is_plain or 0 not in wanted:
        return {}
    _, scale, _, _, variance = node.inputs
    epsilon = node.attrs.get("epsilon", 1e-4)
    inverse = tape.op("Rsqrt", tape.op("Add", variance, tape.const(epsilon, FLOAT)))
    return {0: tape.op("Mul", gradient, tape.op("Mul", scale, inverse))}
