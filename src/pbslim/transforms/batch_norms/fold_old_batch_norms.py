"""Fold the batch norms that are a single op into the convolution before them.

Before::  x ─► Conv2D(weights) ─► FusedBatchNorm(gamma, beta, mean, variance) ─► y
After::   x ─► Conv2D(weights · s) ─► BiasAdd(beta − mean · s) ─► y        s = gamma / √(variance + ε)

The batch norm may also stand after a BatchToSpaceND, or after the concatenation of two convolutions.
"""

from __future__ import annotations

import numpy as np

from pbslim.dtypes import FLOAT
from pbslim.errors import TransformError
from pbslim.ir import Graph
from pbslim.passes.registry import Context, transform
from pbslim.rewrite import Skip, near_misses, rewrite_all
from pbslim.transforms.batch_norms.forms import BatchNorm
from pbslim.transforms.batch_norms.old_batch_norms import BATCH_TO_SPACE, CONCAT, DIRECT, Folder, Scale


@transform(effect="reassociates", in_functions=True)
def fold_old_batch_norms(graph: Graph, context: Context, *, keep_coarse: bool = False) -> None:
    """Fold each FusedBatchNorm and BatchNormWithGlobalNormalization with constant statistics.

    Convolution and weights must have no other reader. One that trains, or of which the batch statistics are read,
    stays.

    Args:
        keep_coarse: leave weights alone that have no more than 257 different values: they were rounded before, compress
            well, and would have to be rounded once more.

    Raises:
        TransformError: the statistics of a batch norm have different lengths.
    """
    folder = Folder(graph, context, _scale, keep_coarse=keep_coarse)
    for pattern, rule in (
        (DIRECT, folder.direct),
        (BATCH_TO_SPACE, folder.behind_batch_to_space),
        (CONCAT, folder.behind_concat),
    ):
        context.merge(rewrite_all(graph, pattern, rule))
        context.skipped += near_misses(graph, pattern)


def _scale(name: str, norm: BatchNorm) -> Scale:
    if any(tensor.dtype is not FLOAT for tensor in norm.statistics.values()):
        raise Skip("its statistics are not float")
    count = norm.mean.shape[0] if len(norm.mean.shape) == 1 else -1
    for what, tensor in norm.statistics.items():
        if tensor.shape != (count,):
            shapes = f"{what} has shape {list(tensor.shape)}, the mean {list(norm.mean.shape)}"
            raise TransformError(f"'{name}': {shapes}")
    with np.errstate(all="ignore"):
        scale = np.float32(1) / np.sqrt(norm.variance.numpy() + np.float32(norm.epsilon))
        if norm.gamma is not None:
            scale = scale * norm.gamma.numpy()
        offset = (-norm.mean.numpy() * scale) + norm.beta.numpy()
    return Scale(scale, offset)
