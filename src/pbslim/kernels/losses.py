"""What a classifier's scores cost, and the labels that a sequence of them spells."""

from __future__ import annotations

from typing import Any

import numpy as np

from pbslim.kernels.checks import Array, broadcast_shape, check_indices, has_nan, require, vector, widened
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


@kernel("CTCGreedyDecoder", takes="float|double int32")
def _greedy_labels(attrs: Attributes, scores: Array, lengths: Array) -> list[Any]:
    """The best label at each time, blanks left out, as a sparse tensor; and minus the sum of their scores."""
    require(scores.ndim == 3 and scores.shape[2] > 0, "scores must have times, sequences and labels")
    times, batch, labels = scores.shape
    counts = vector(lengths, "sequence_length")
    require(len(counts) == batch, f"{len(counts)} lengths for {batch} sequences")
    require(all(0 <= count <= times for count in counts), f"a length is not between 0 and {times}")
    blank = attrs.integer("blank_index", -1)
    blank += labels * (blank < 0)
    require(0 <= blank < labels, f"blank_index is out of range for {labels} labels")
    require(not has_nan(scores), "the order of NaN is not defined")
    best = scores.argmax(axis=2)
    there = np.arange(times)[:, None] < np.asarray(counts, np.int64)
    kept = there & (best != blank)
    if attrs.flag("merge_repeated"):
        kept[1:] &= best[1:] != best[:-1]
    total = np.where(there, scores.max(axis=2), scores.dtype.type(0)).sum(axis=0)
    sequence, time = np.nonzero(kept.T)
    place = (np.cumsum(kept, axis=0) - 1)[time, sequence]
    longest = int(kept.sum(axis=0).max(initial=0))
    indices = np.stack([sequence, place], 1).astype(np.int64)
    return [indices, best[time, sequence].astype(np.int64), np.array([batch, longest]), -total[:, None]]
