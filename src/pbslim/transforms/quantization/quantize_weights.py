"""Store weights as eight-bit codes and turn them back into floats when the graph runs.

Before::  w = Const(float)
After::   w = Dequantize(w_quantized_const: quint8, w_quantized_min, w_quantized_max)
"""

from __future__ import annotations

import numpy as np

from pbslim.analysis.constants import const_value
from pbslim.dtypes import QUINT8
from pbslim.ir import Graph, Node, Tensor
from pbslim.passes.registry import Context, transform
from pbslim.quant.affine import decoded, quantizer, weights_range
from pbslim.quant.levels import few_values
from pbslim.rewrite.replacing import put_before
from pbslim.transforms.quantization.weights import float_weights, set_dequantize

_EQUAL = 1e-6  # of the range: what single precision comes to
_SUFFIXES = ("_quantized_const", "_quantized_min", "_quantized_max")


@transform(effect="lossy", in_functions=True)
def quantize_weights(graph: Graph, context: Context, *, minimum_size: int = 1024, keep_coarse: bool = False) -> None:
    """Quantize every float Const of `minimum_size` or more elements, one range for the whole tensor (MIN_FIRST).

    A fold_constants that follows would undo it.

    Args:
        minimum_size: elements that a tensor must have.
        keep_coarse: leave tensors alone that have no more than 257 different values already (they were rounded before)
            where codes would move them, and those that are stored in fewer bytes than their codes.

    Raises:
        TransformError: a Const cannot be read.
    """
    places: dict[Node, list[Node]] = {}
    for node, low, high in float_weights(graph, context, minimum_size):
        bounds = weights_range(low, high)
        if keep_coarse and (reason := _why_kept(const_value(node), bounds)):
            context.skip(node.name, reason)
            continue
        codes = const_value(node).mapped(quantizer(*bounds), QUINT8)
        places[node] = set_dequantize(graph, node, codes, bounds, b"MIN_FIRST", _SUFFIXES)
    put_before(graph, places)


def _why_kept(tensor: Tensor, bounds: tuple[np.float32, np.float32]) -> str:
    """Why codes would be no gain for a tensor, empty if they are one."""
    if tensor.stored_nbytes <= tensor.size:
        return f"its {tensor.size} elements are stored in {tensor.stored_nbytes} bytes already"
    values = few_values(tensor.value_pieces())
    if values is None:
        return ""
    low, high = bounds
    moved = np.abs(decoded(quantizer(low, high)(values), low, high) - values).max(initial=0)
    if moved <= _EQUAL * (np.float64(high) - low):
        return ""
    return f"it has only {values.size} different values already, which codes would move"
