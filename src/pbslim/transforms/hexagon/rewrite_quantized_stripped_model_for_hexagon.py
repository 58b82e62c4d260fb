"""Not supported: pack a whole quantized model into one node that a Hexagon processor runs.

Before::  x ─► QuantizeV2 ─► QuantizedConv2D ─► Dequantize ─► y
After::   x ─► RemoteFusedGraphExecute{QuantizeV2, QuantizedConv2D, Dequantize}
"""

from __future__ import annotations

from typing import NoReturn

from pbslim.errors import TransformError
from pbslim.ir import Graph
from pbslim.passes.registry import Context, transform


@transform(effect="annotates")
def rewrite_quantized_stripped_model_for_hexagon(
    graph: Graph,  # noqa: ARG001
    context: Context,  # noqa: ARG001
    /,
    **parameters: str,  # noqa: ARG001
) -> NoReturn:
    """Refuse, whatever the parameters.

    Raises:
        TransformError: always.
    """
    raise TransformError(
        "not supported, because its result runs only in TensorFlow builds with Qualcomm's library for the processor, "
        "and none is released any more; leave it out, a quantized graph runs on the CPU as it is"
    )
