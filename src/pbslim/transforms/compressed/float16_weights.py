"""Store weights as float16 and turn them back into float32 when the graph runs.

Before::  w = Const(float)
After::   w = Cast(z/1: half)
"""

from __future__ import annotations

from pbslim.ir import Graph
from pbslim.passes.registry import Context, transform
from pbslim.transforms.compressed.decoders import Decoders
from pbslim.transforms.compressed.forms import write_half
from pbslim.transforms.compressed.selection import half_constants
from pbslim.transforms.compressed.stored import Stored


@transform(effect="lossy")
def float16_weights(graph: Graph, context: Context, *, minimum_size: int = 64, keep: tuple[str, ...] = ()) -> None:
    """Store float constants of `minimum_size` or more elements as float16, where that is as good as exact.

    All TensorFlow releases read the result. A fold_constants that follows would undo it.

    Args:
        minimum_size: elements that a constant must have; the Cast takes as many bytes as about 40 elements save.
        keep: names of constants to leave alone, in which ``*`` stands for anything.
    """
    decoders = Decoders(graph)
    for name, half in half_constants(graph, context.protected, keep, minimum_size).items():
        write_half(decoders, graph[name], Stored(name, half))
    decoders.place()
