"""Shapes of ops that work on codes: quantizing and the ops in eight bits."""

from __future__ import annotations

from pbslim.dtypes import Shape
from pbslim.ops.shape_inference.call import (
    Call,
    Dims,
    Result,
    ShapeError,
    broadcast,
    merge_dim,
    rule,
)
from pbslim.ops.shape_inference.rules_array import reshape
from pbslim.ops.shape_inference.rules_neural import axis_numbers, bias_add_v1, convolved, pooled


@rule("FakeQuantWithMinMaxVarsPerChannel")
def fake_quant_per_channel(call: Call) -> Result:
    """The input; the last axis has as many elements as the ranges."""
    dims = call.at_least(0, 1)
    last = merge_dim(call.ranked(1, 1)[0], call.ranked(2, 1)[0], "min and max have different lengths")
    if dims is not None:
        merge_dim(dims[-1], last, f"the last axis of {Shape(dims)} and the ranges differ")
    return dims


@rule("QuantizeV2")
def quantize(call: Call) -> Result:
    """The input, and its range: two scalars, or one number for each slice along an axis."""
    dims, axis = call.dims(0), call.attr("axis", int)
    if axis < -1:
        raise ShapeError(f"axis {axis} does not exist")
    if axis == -1:
        call.scalars(1, 2)
        return [dims, (), ()]
    if dims is not None and axis >= len(dims):
        raise ShapeError(f"axis {axis} does not exist in {Shape(dims)}")
    length = _range_length(call, dims, axis)
    return [dims, (length,), (length,)]


def _range_length(call: Call, dims: Dims | None, axis: int) -> int:
    """How many ranges there are, one for each slice along an axis."""
    length = -1 if dims is None else dims[axis]
    for index in (1, 2):
        length = merge_dim(length, call.ranked(index, 1)[0], f"{call.describe(index)} does not fit axis {axis}")
    return length


@rule("Dequantize QuantizeAndDequantizeV2 QuantizeAndDequantizeV3 QuantizeAndDequantizeV4")
def dequantize(call: Call) -> Result:
    """The input; its range is two scalars, or one number for each slice along an axis."""
    dims, axis = call.dims(0), call.attr("axis", int)
    if axis < -1 or (dims is not None and axis >= len(dims)):
        raise ShapeError(f"axis {axis} does not exist in {Shape(dims)}")
    if axis == -1:
        call.scalars(1, 2)
    else:
        _range_length(call, dims, axis)
    return dims


_SCALARS: list[Dims | None] = [(), ()]


@rule("QuantizedRelu QuantizedRelu6 QuantizedReluX Requantize QuantizeDownAndShrinkRange")
def quantized_unchanged(call: Call) -> Result:
    """The shape of the first input, and the range."""
    return [call.dims(0), *_SCALARS]


@rule("RequantizationRange")
def requantization_range(call: Call) -> Result:  # noqa: ARG001
    """The range."""
    return _SCALARS


@rule("QuantizedAdd QuantizedMul")
def quantized_elementwise(call: Call) -> Result:
    """Both inputs broadcast together, and the range."""
    return [broadcast(call.dims(0), call.dims(1)), *_SCALARS]


@rule("QuantizedBiasAdd")
def quantized_bias_add(call: Call) -> Result:
    """As BiasAddV1, and the range."""
    result = bias_add_v1(call)
    return [result if isinstance(result, tuple) else None, *_SCALARS]


@rule("QuantizedMatMul")
def quantized_mat_mul(call: Call) -> Result:
    """As MatMul, and the range."""
    a, b = call.ranked(0, 2), call.ranked(1, 2)
    rows, inner_a = reversed(a) if call.attr("transpose_a", bool) else a
    inner_b, columns = reversed(b) if call.attr("transpose_b", bool) else b
    merge_dim(inner_a, inner_b, f"the inner dimensions of {Shape(a)} and {Shape(b)} differ")
    return [(rows, columns), *_SCALARS]


@rule("QuantizedConv2D")
def quantized_convolution(call: Call) -> Result:
    """As Conv2D, and the range."""
    return [convolved(call, call.ranked(0, 4), call.ranked(1, 4), "NHWC", call.ints("dilations")), *_SCALARS]


@rule("QuantizedMaxPool QuantizedAvgPool")
def quantized_pool(call: Call) -> Result:
    """As MaxPool, and the range."""
    windows, strides = axis_numbers(call, "ksize", 4), axis_numbers(call, "strides", 4)
    return [pooled(call, call.ranked(0, 4), "NHWC", windows, strides), *_SCALARS]


@rule("QuantizedReshape")
def quantized_reshape(call: Call) -> Result:
    """The asked shape, and the range."""
    result = reshape(call)
    return [result if isinstance(result, tuple) else None, *_SCALARS]
