"""Store weights as a few levels per channel, several of them in a byte.

Before::  w = Const(float)
After::   w = Mul(Reshape(GatherV2(Cast(z/3: int8), Cast(z/1: uint8))), z/9: one step per channel)
"""

from __future__ import annotations

from pbslim.errors import TransformError
from pbslim.ir import Graph
from pbslim.passes.registry import Context, transform
from pbslim.quant.packing import PER_BYTE
from pbslim.transforms.compressed.decoders import Decoders
from pbslim.transforms.compressed.forms import write_packed
from pbslim.transforms.compressed.plain import plainly_rounded
from pbslim.transforms.compressed.selection import weight_sites

_LEVELS = sorted(levels for levels in PER_BYTE if levels % 2)


@transform(effect="lossy")
def pack_weights(
    graph: Graph, context: Context, *, levels: int = 15, minimum_size: int = 1024, keep: tuple[str, ...] = ()
) -> None:
    """Quantize float weights of two or more dimensions to `levels` levels per channel and pack them into bytes.

    The step of each channel is the one with the least squared error. Results move a lot: 15 levels are few for most
    networks. All TensorFlow releases read the result. A fold_constants that follows would undo it.

    Args:
        levels: 15 (two weights in a byte), 5 (three) or 3 (five).
        minimum_size: elements that a constant must have; the ops that unpack it take about 500 bytes.
        keep: names of constants to leave alone, in which ``*`` stands for anything.

    Raises:
        TransformError: there is no packing of so many levels.
    """
    if levels not in _LEVELS:
        raise TransformError(f"levels must be one of {', '.join(map(str, _LEVELS))}, not {levels}")
    decoders = Decoders(graph)
    for site in weight_sites(graph, context, minimum_size, keep):
        write_packed(decoders, graph[site.name], plainly_rounded(graph, site, largest=levels // 2), levels)
    decoders.place()
