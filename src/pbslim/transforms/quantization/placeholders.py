"""Inputs that are fed as eight-bit codes.

Before::  x: float ─► Conv2D
After::   x: quint8 ─► Dequantize(input_min, input_max) ─► Conv2D
"""

from __future__ import annotations

from collections.abc import Sequence

from pbslim.dtypes import FLOAT, QUINT8
from pbslim.ir import Graph, Node
from pbslim.passes.registry import Context
from pbslim.rewrite import Match, Skip, op, rewrite
from pbslim.transforms.quantization.nodes import Range, add_scalar, become_dequantize

_PATTERN = op("Placeholder")


def quantize_placeholders(graph: Graph, context: Context, given: Range) -> None:
    """Let every float Placeholder take codes for the `given` range; control edges still come from the Placeholder."""

    def quantize(match: Match) -> Sequence[Node]:
        node = match.root
        if node.dtype_attr("dtype") is not FLOAT:
            raise Skip(f"its type is {node.dtype_attr('dtype')}, only float is quantized")
        if node.name in context.output_nodes:
            raise Skip("it is an output of the graph and keeps its type")
        uses = node.output().uses
        node.set_attr("dtype", QUINT8)
        low = add_scalar(graph, f"{node.name}_eightbit/min", given.low)
        high = add_scalar(graph, f"{node.name}_eightbit/max", given.high)
        real = graph.add(graph.unique_name(f"{node.name}_eightbit/dequantize"), "Dequantize")
        become_dequantize(real, [node.output(), low.output(), high.output()])
        for use in uses:
            use.node.set_input(use.slot, real.output())
        return [node, low, high, real]

    context.merge(rewrite(graph, _PATTERN, quantize))
