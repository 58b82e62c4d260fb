"""Store weights as eight-bit codes and turn them back into floats when the graph runs.

Before::  w = Const(float)
After::   w = Dequantize(w_quantized_const: quint8, w_quantized_min, w_quantized_max)
"""

from __future__ import annotations

from pbslim.analysis.constants import const_value
from pbslim.dtypes import QUINT8
from pbslim.ir import Graph, Node
from pbslim.passes.registry import Context, transform
from pbslim.quant.affine import quantizer, weights_range
from pbslim.rewrite.replacing import put_before
from pbslim.transforms.quantization.weights import float_weights, set_dequantize

_SUFFIXES = ("_quantized_const", "_quantized_min", "_quantized_max")


@transform(effect="lossy", in_functions=True)
def quantize_weights(graph: Graph, context: Context, *, minimum_size: int = 1024) -> None:
    """Quantize every float Const of `minimum_size` or more elements, one range for the whole tensor (MIN_FIRST).

    A fold_constants that follows would undo it.

    Raises:
        TransformError: a Const cannot be read.
    """
    places: dict[Node, list[Node]] = {}
    for node, low, high in float_weights(graph, context, minimum_size):
        bounds = weights_range(low, high)
        codes = const_value(node).mapped(quantizer(*bounds), QUINT8)
        places[node] = set_dequantize(graph, node, codes, bounds, b"MIN_FIRST", _SUFFIXES)
    put_before(graph, places)
