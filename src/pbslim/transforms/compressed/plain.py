"""Weights rounded each to the nearest level, without a look at what they are multiplied with."""

from __future__ import annotations

import numpy as np

from pbslim.analysis.constants import const_value
from pbslim.analysis.weight_sites import Site
from pbslim.ir import Graph
from pbslim.quant.channels import LARGEST, best_steps, channel_steps, finest, nearest
from pbslim.transforms.compressed.stored import Stored


def plainly_rounded(graph: Graph, site: Site, coarseness: float | None = None, largest: int = LARGEST) -> Stored:
    """The codes of a site.

    Args:
        coarseness: steps per root mean square of a channel; None for the finest steps that codes of a byte allow.
        largest: the largest code; where it is small, the steps are those of the least squared error.
    """
    weights = site.matrix(np.asarray(const_value(graph[site.name]).numpy(), np.float32))
    if coarseness is not None:
        steps = channel_steps(weights, coarseness)
    else:
        steps = finest(weights) if largest == LARGEST else best_steps(weights, largest)
    codes = nearest(weights / steps.astype(np.float32), largest=largest).astype(np.int8)
    return Stored.of(site, codes, steps)
