"""Store weights as eight-bit codes with one step per output channel.

Before::  w = Const(float)
After::   w = Mul(Cast(z/1: int8), z/3: one step per channel)
"""

from __future__ import annotations

from pbslim.ir import Graph
from pbslim.passes.registry import Context, transform
from pbslim.transforms.compressed.decoders import Decoders
from pbslim.transforms.compressed.forms import write_channels
from pbslim.transforms.compressed.plain import plainly_rounded
from pbslim.transforms.compressed.selection import weight_sites


@transform(effect="lossy")
def quantize_weights_per_channel(
    graph: Graph,
    context: Context,
    *,
    coarseness: float = 0.0,
    minimum_size: int = 256,
    keep: tuple[str, ...] = (),
) -> None:
    """Quantize float weights of two or more dimensions to int8, symmetrically, with one float16 step per channel.

    All TensorFlow releases, OpenVINO and the TFLite converter read the result. A fold_constants that follows would
    undo it.

    Args:
        coarseness: the least step of a channel as a part of the root mean square of its weights; with 0 as fine as
            codes of a byte allow. Above, a zip is smaller.
        minimum_size: elements that a constant must have.
        keep: names of constants to leave alone, in which ``*`` stands for anything.
    """
    decoders = Decoders(graph)
    for site in weight_sites(graph, context, minimum_size, keep):
        write_channels(decoders, graph[site.name], plainly_rounded(graph, site, coarseness))
    decoders.place()
