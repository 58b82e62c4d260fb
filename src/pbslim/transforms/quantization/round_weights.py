"""Round weights to few levels, so that the file compresses well while its type and ops stay.

Before::  w = Const [0.113, 0.127, -0.482, …]    any float32 value
After::   w = Const [0.120, 0.120, -0.484, …]    num_steps levels per tensor
"""

from __future__ import annotations

from pbslim.analysis.constants import const_value
from pbslim.analysis.frames import frame_controls
from pbslim.errors import TransformError
from pbslim.ir import Graph
from pbslim.passes.registry import Context, transform
from pbslim.quant.levels import few_values
from pbslim.quant.rounding import rounder
from pbslim.rewrite.replacing import set_const
from pbslim.transforms.quantization.weights import float_weights

_MIN_ELEMENTS = 16


@transform(effect="lossy", in_functions=True)
def round_weights(graph: Graph, context: Context, *, num_steps: int = 256, keep_coarse: bool = False) -> None:
    """Round every float Const of 16 or more elements to `num_steps` levels, evenly spread over its range.

    The arithmetic is transform_graph's, in single precision.

    Args:
        num_steps: levels per tensor. The highest value is one more.
        keep_coarse: leave tensors alone that have no more different values than that already: they would not compress
            better, and weights that were rounded before would move once more.

    Raises:
        TransformError: `num_steps` is not positive, or a Const cannot be read.
    """
    if num_steps < 1:
        raise TransformError(f"num_steps must be at least 1, not {num_steps}")
    for node, low, high in float_weights(graph, context, _MIN_ELEMENTS):
        tensor = const_value(node)
        if keep_coarse and (values := few_values(tensor.value_pieces(), num_steps + 1)) is not None:
            context.skip(node.name, f"it has only {values.size} different values already")
            continue
        rounded = tensor.mapped(rounder(low, high, num_steps))
        set_const(node, rounded, frame_controls(node))
