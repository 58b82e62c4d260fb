"""Compute with eight-bit codes instead of floats, wherever an op has an eight-bit form.

Before::  x ─► Conv2D(w) ─► Relu ─► Softmax ─► y
After::   x ─► QuantizeV2 ─► QuantizedConv2D(w) ─► Requantize ─► QuantizedRelu ─► Dequantize ─► Softmax ─► y
"""

from __future__ import annotations

from pbslim.errors import TransformError
from pbslim.ir import Graph
from pbslim.passes.registry import Context, transform
from pbslim.transforms.constants.merge_duplicate_nodes import merge_duplicate_nodes
from pbslim.transforms.quantization.conversion import convert_ops
from pbslim.transforms.quantization.eight_bit_ops import EIGHT_BIT_OPS
from pbslim.transforms.quantization.fake_quants import convert_fake_quants, hoist_fake_quants
from pbslim.transforms.quantization.nodes import given_range
from pbslim.transforms.quantization.placeholders import quantize_placeholders
from pbslim.transforms.quantization.redundancy import merge_adjacent_requantizes, remove_redundant_quantizations


@transform(effect="lossy")
def quantize_nodes(
    graph: Graph,
    context: Context,
    *,
    ignore_op: tuple[str, ...] = (),
    input_min: float | None = None,
    input_max: float | None = None,
    fallback_min: float | None = None,
    fallback_max: float | None = None,
) -> None:
    """Convert Add, AvgPool, BiasAdd, Concat, Conv2D, MatMul, MaxPool, Mul, Relu, Relu6, Reshape and ResizeBilinear.

    The range of each tensor is found when the graph runs, unless a fake quantization, the fallback range or
    freeze_requantization_ranges gives it. Run fold_constants, fold_batch_norms and quantize_weights before, and
    strip_unused_nodes after, for many nodes are left without a reader.

    Judge the result by its accuracy: one range for a whole tensor is too coarse for many models. TensorFlow's kernels
    round otherwise when oneDNN is on, as it is by default; TF_ENABLE_ONEDNN_OPTS=0 gives the original results.

    Args:
        ignore_op: op types that stay as they are.
        input_min, input_max: let every float Placeholder take codes 0 to 255 for this range.
        fallback_min, fallback_max: the range of all 32-bit results; values beyond are clipped.

    Raises:
        TransformError: of two bounds only one is given, or they are not a range.
    """
    given = given_range("input", input_min, input_max)
    fallback = given_range("fallback", fallback_min, fallback_max)
    if fallback and fallback.low > 0:
        raise TransformError(f"fallback_min={fallback.low:g} must not be above 0, Requantize refuses such a range")
    for op in ignore_op:
        if op not in EIGHT_BIT_OPS:
            context.note(f"ignore_op={op}: quantize_nodes converts no such op anyway")
    if given:
        quantize_placeholders(graph, context, given)
    hoist_fake_quants(graph, context)
    convert_fake_quants(graph, context)
    convert_ops(graph, context, ignore_op, fallback)
    merge_adjacent_requantizes(graph, context)
    merge_duplicate_nodes.function(graph, context)
    remove_redundant_quantizations(graph, context)
