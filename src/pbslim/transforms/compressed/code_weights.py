"""Store all weights as entropy-coded streams: the file is then as small as its zip.

Before::  w = Const(float)
          v = Const(float)
After::   z = SplitV(Cast(DecodeRaw(DecodeCompressed(codes of all weights))))
          w = Mul(Reshape(z:0), one step per channel)
          v = Mul(Reshape(z:1), one step per channel)
"""

from __future__ import annotations

from pbslim.ir import Graph
from pbslim.passes.registry import Context, transform
from pbslim.transforms.compressed.groups import write_groups
from pbslim.transforms.compressed.plain import plainly_rounded
from pbslim.transforms.compressed.selection import half_constants, weight_sites


@transform(effect="lossy")
def code_weights(
    graph: Graph,
    context: Context,
    *,
    coarseness: float = 0.05,
    minimum_size: int = 256,
    keep: tuple[str, ...] = (),
) -> None:
    """Quantize float weights to steps per channel and store the codes in few zlib streams, vectors as float16.

    TensorFlow 1.6 and later read the result; its op DecodeCompressed is not among those of mobile builds. A
    fold_constants that follows would undo it.

    Args:
        coarseness: the step of a channel as a part of the root mean square of its weights; the larger, the smaller
            the file. 0 is as fine as codes of a byte allow.
        minimum_size: elements that a constant of two or more dimensions must have.
        keep: names of constants to leave alone, in which ``*`` stands for anything.
    """
    sites = weight_sites(graph, context, minimum_size, keep)
    stored = [plainly_rounded(graph, site, coarseness) for site in sites]
    vectors = half_constants(graph, context.protected | {site.name for site in sites}, keep)
    write_groups(graph, stored, vectors)
