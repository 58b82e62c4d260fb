"""Store weights as eight-bit codes and turn them back into floats when the graph runs.

Before::  w = Const(float)
After::   w = Dequantize(w_quantized_const: quint8, w_quantized_min, w_quantized_max)
"""

from __future__ import annotations

import numpy as np

from pbslim.dtypes import FLOAT, QUINT8
from pbslim.ir import ArrayTensor, AttrValue, Graph, Node
from pbslim.passes.registry import Context, transform
from pbslim.quant.affine import quantizer, weights_range
from pbslim.transforms.shared.weights import anchors, const_value, float_weights


@transform(effect="lossy")
def quantize_weights(graph: Graph, context: Context, *, minimum_size: int = 1024) -> None:
    """Quantize every float Const of `minimum_size` or more elements, one range for the whole tensor (MIN_FIRST).

    A fold_constants that follows would undo it.

    Raises:
        TransformError: a Const cannot be read.
    """
    places: dict[Node, list[Node]] = {}
    for node, low, high in float_weights(graph, context, minimum_size):
        low, high = weights_range(low, high)
        controls = anchors(graph, node)
        codes = const_value(node).mapped(quantizer(low, high), QUINT8)
        parts = []
        for suffix, tensor in (
            ("const", codes),
            ("min", ArrayTensor(np.array(low, np.float32), FLOAT)),
            ("max", ArrayTensor(np.array(high, np.float32), FLOAT)),
        ):
            name = graph.unique_name(f"{node.name}_quantized_{suffix}")
            attrs: dict[str, AttrValue] = {"dtype": tensor.dtype, "value": tensor}
            parts.append(graph.add(name, "Const", attrs=attrs, controls=controls))
        node.become("Dequantize", [part.output() for part in parts], {"T": QUINT8, "mode": b"MIN_FIRST"})
        places[node] = parts
    made = {part for parts in places.values() for part in parts}
    order: list[Node] = []
    for node in graph:
        if node not in made:
            order += [*places.get(node, ()), node]
    graph.reorder(order)
