"""Store weights that take few different values as codes of a byte, and give back every one as it was.

Before::  w = Const(float) of the values -0.30, -0.28, …, 0.21
After::   w = Add(Mul(Add(Cast(z/1: int8), z/3: offset), z/5: step), z/7: low)    where they are evenly spaced
          w = GatherV2(z/9: the values, Cast(z/1: int8))                          where they are not
          w = Mul(Add(Cast(z/1: int8), z/3: offset), z/5: one step per channel)   with a batch norm folded into them
"""

from __future__ import annotations

import numpy as np

from pbslim.analysis.constants import const_value
from pbslim.analysis.weight_sites import Site
from pbslim.ir import Graph
from pbslim.passes.registry import Context, transform
from pbslim.quant.palettes import palettized
from pbslim.transforms.compressed.decoders import Decoders
from pbslim.transforms.compressed.forms import write_channels
from pbslim.transforms.compressed.groups import write_groups
from pbslim.transforms.compressed.selection import weight_sites
from pbslim.transforms.compressed.stored import Stored


@transform(effect="reassociates")
def palettize_weights(
    graph: Graph, context: Context, *, coded: bool = False, minimum_size: int = 256, keep: tuple[str, ...] = ()
) -> None:
    """Store float weights of two or more dimensions as codes, where no more than 256 values occur in a tensor.

    Models that were rounded or quantized before have such weights. Each comes back to the last bit. Few values times
    one factor per channel, as a batch norm leaves them behind that was folded into rounded weights, come back to
    within an 8192nd of a step. Others stay, as do those that codes do not make smaller. A fold_constants that follows
    would undo it.

    Args:
        coded: store the codes in entropy-coded streams, for TensorFlow 1.6 and later; 257 values fit as well. Without
            it all TensorFlow releases from 1.4 on read the result.
        minimum_size: elements that a constant must have.
        keep: names of constants to leave alone, in which ``*`` stands for anything.
    """
    found = [_stored(graph, site, coded) for site in weight_sites(graph, context, minimum_size, keep)]
    stored = [each for each in found if each]
    if coded:
        write_groups(graph, stored, {})
        return
    decoders = Decoders(graph)
    for each in stored:
        write_channels(decoders, graph[each.name], each)
    decoders.place()


def _stored(graph: Graph, site: Site, coded: bool) -> Stored | None:
    matrix = site.matrix(np.asarray(const_value(graph[site.name]).numpy(), np.float32))
    found = palettized(matrix, in_bytes=not coded)
    if found is None or (found.coded_bits if coded else found.plain_bits) >= 8 * matrix.nbytes:
        return None
    return Stored.of(site, found.codes, found.steps, found.palette)
