"""What a classifier's scores cost."""

from __future__ import annotations

import numpy as np

from pbslim.kernels.checks import Array, broadcast_shape, check_indices, require, widened
from pbslim.kernels.registry import Attributes, kernel

_FLOATING = "T:half|bfloat16|float|double"


def _shifted(scores: Array) -> tuple[Array, Array]:
    """Scores less the largest of each row, and the sums of their exponentials."""
    require(scores.ndim == 2 and scores.shape[1] > 0, "scores must be rows, one element for each class")
    shifted = widened(scores)
    shifted = np.asarray(shifted - shifted.max(axis=1, keepdims=True, initial=-np.inf))
    return shifted, np.exp(shifted).sum(axis=1, keepdims=True)


@kernel("SoftmaxCrossEntropyWithLogits", takes=f"{_FLOATING} {_FLOATING}")
def _cross_entropy(_attrs: Attributes, scores: Array, labels: Array) -> list[Array]:
    """The loss of each row and its gradient."""
    require(scores.ndim == labels.ndim == 2, "scores and labels must be rows")
    shape = broadcast_shape(scores.shape, labels.shape)
    shifted, total = _shifted(np.broadcast_to(scores, shape))
    wide = widened(labels)
    with_label = np.where(np.broadcast_to(wide, shape) == 0, shifted.dtype.type(0), wide * (np.log(total) - shifted))
    loss, gradient = with_label.sum(axis=1), np.exp(shifted) / total - wide
    return [loss.astype(scores.dtype, copy=False), gradient.astype(scores.dtype, copy=False)]


@kernel("SparseSoftmaxCrossEntropyWithLogits", takes=f"{_FLOATING} index")
def _cross_entropy_of_classes(_attrs: Attributes, scores: Array, labels: Array) -> list[Array]:
    """As above; `labels` are the numbers of the right classes."""
    require(labels.shape == scores.shape[:1], "a label is needed for each row")
    shifted, total = _shifted(scores)
    check_indices(labels, scores.shape[1], "label")
    rows = np.arange(len(scores))
    loss, gradient = np.log(total[:, 0]) - shifted[rows, labels], np.exp(shifted) / total
    gradient[rows, labels] -= 1
    return [loss.astype(scores.dtype, copy=False), gradient.astype(scores.dtype, copy=False)]
