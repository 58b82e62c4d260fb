"""Round weights to few levels per channel, so that the file compresses well while its type and ops stay.

Before::  w = Const [0.113, 0.127, -0.482, …]       any float32 value
After::   w = Const [0.1171875, 0.125, -0.484375, …]   multiples of a power of two per channel
"""

from __future__ import annotations

import numpy as np

from pbslim.analysis.constants import const_value
from pbslim.dtypes import FLOAT
from pbslim.ir import ArrayTensor, Graph
from pbslim.passes.registry import Context, transform
from pbslim.quant.channels import nearest, power_of_two_steps
from pbslim.transforms.compressed.selection import weight_sites


@transform(effect="lossy")
def round_weights_per_channel(
    graph: Graph,
    context: Context,
    *,
    coarseness: float = 0.08,
    minimum_size: int = 256,
    keep: tuple[str, ...] = (),
) -> None:
    """Round float weights of two or more dimensions to at most 255 levels per channel, symmetrically.

    The step of a channel is a power of two: a level then has no more than seven significant bits, so that the lower
    half of each number is zero and a zip shortens it. All that reads floats reads the result.

    Args:
        coarseness: the least step of a channel as a part of the root mean square of its weights.
        minimum_size: elements that a constant must have.
        keep: names of constants to leave alone, in which ``*`` stands for anything.
    """
    for site in weight_sites(graph, context, minimum_size, keep):
        node = graph[site.name]
        weights = site.matrix(np.asarray(const_value(node).numpy(), np.float32))
        steps = power_of_two_steps(weights, coarseness).astype(np.float32)
        rounded = site.from_matrix(nearest(weights / steps) * steps)
        node.set_attr("value", ArrayTensor(np.ascontiguousarray(rounded, np.float32), FLOAT))
