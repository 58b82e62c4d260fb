"""What sequences of scores for labels and blanks spell (connectionist temporal classification)."""

from __future__ import annotations

import heapq
import math
from itertools import count
from typing import Any

import numpy as np

from pbslim.kernels.checks import STEP, Array, check_work, checked_shape, has_nan, require, require_defined, vector
from pbslim.kernels.registry import Attributes, kernel

_NONE = -math.inf  # the logarithm of no probability
_MAX_PATHS = 2**10


def _lengths(scores: Array, lengths: Array) -> list[int]:
    require(scores.ndim == 3 and scores.shape[2] > 0, "scores must have times, sequences and labels")
    times, batch, _ = scores.shape
    counts = vector(lengths, "sequence_length")
    require(len(counts) == batch, f"{len(counts)} lengths for {batch} sequences")
    require(all(0 <= count <= times for count in counts), f"a length is not between 0 and {times}")
    require_defined(lambda: not has_nan(scores), "the order of NaN is not defined")
    return counts


@kernel("CTCGreedyDecoder", takes="float|double int32")
def _greedy_labels(attrs: Attributes, scores: Array, lengths: Array) -> list[Any]:
    """The best label at each time, blanks left out, as a sparse tensor; and minus the sum of their scores."""
    counts = _lengths(scores, lengths)
    times, batch, labels = scores.shape
    blank = attrs.integer("blank_index", -1)
    blank += labels * (blank < 0)
    require(0 <= blank < labels, f"blank_index is out of range for {labels} labels")
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


class _Prefix:
    """A sequence of labels as a node of a tree, and how likely it is.

    Attributes:
        old, new: logarithms of the probabilities before and at a time: that it ends there with a blank, that it ends
            with its label, and their sum.
    """

    __slots__ = ("children", "label", "new", "old", "parent")

    def __init__(self, parent: _Prefix | None, label: int) -> None:
        self.parent, self.label = parent, label
        self.children: dict[int, _Prefix] = {}
        self.old = self.new = (_NONE, _NONE, _NONE)

    def before(self, other: int) -> float:
        """How likely it is that a label may follow: the same one only after a blank."""
        return self.old[0] if other == self.label else self.old[2]

    def labels(self, *, merge: bool) -> list[int]:
        """The sequence; of equal labels side by side only one if they are to be merged."""
        found: list[int] = []
        node: _Prefix | None = self
        while node is not None and node.parent is not None:
            if not (merge and found and found[-1] == node.label):
                found.append(node.label)
            node = node.parent
        return found[::-1]


def _sum(a: float, b: float) -> float:
    """The logarithm of a sum of which the terms' logarithms are known."""
    high, low = (a, b) if a > b else (b, a)
    return high if low == _NONE else high + math.log1p(math.exp(low - high))


class _Beam:
    """The likeliest prefixes."""

    def __init__(self, width: int) -> None:
        self._width = width
        self._numbers = count()
        root = _Prefix(None, -1)
        root.new = (0.0, _NONE, 0.0)
        self._leaves = [(0.0, 0, root)]

    def _may_enter(self, total: float) -> bool:
        return total > _NONE and (len(self._leaves) < self._width or total > self._leaves[0][0])

    def _enter(self, node: _Prefix) -> None:
        entry = (node.new[2], next(self._numbers), node)
        if len(self._leaves) < self._width:
            heapq.heappush(self._leaves, entry)
        else:
            heapq.heapreplace(self._leaves, entry)[2].new = (_NONE, _NONE, _NONE)

    def best(self) -> list[_Prefix]:
        """The prefixes, the likeliest first."""
        return [node for _, _, node in sorted(self._leaves, key=lambda entry: (-entry[0], entry[1]))]

    def step(self, scores: list[float]) -> None:
        """Go on by one time; `scores` are logarithms of probabilities, the last of them that of a blank."""
        nodes = self.best()
        self._leaves = []
        for node in nodes:
            node.old = node.new
        for node in nodes:
            own = _NONE
            if node.parent is not None:
                own = node.old[1]
                if node.parent.new[2] != _NONE:
                    own = _sum(own, node.parent.before(node.label))
                own += scores[node.label]
            blank = node.old[2] + scores[-1]
            node.new = (blank, own, _sum(blank, own))
            self._enter(node)
        for node in nodes:
            if self._may_enter(node.old[2]):
                self._extend(node, scores)

    def _extend(self, node: _Prefix, scores: list[float]) -> None:
        for label, score in enumerate(scores[:-1]):
            child = node.children.get(label)
            if child is None or child.new[2] == _NONE:
                total = score + node.before(label)
                if self._may_enter(total):
                    child = node.children.setdefault(label, _Prefix(node, label))
                    child.new = (_NONE, total, total)
                    self._enter(child)


@kernel("CTCBeamSearchDecoder", takes="float|double int32")
def _likeliest_labels(attrs: Attributes, scores: Array, lengths: Array) -> list[Any]:
    """Indices, values and shapes of the likeliest sequences as sparse tensors, and the logarithms of how likely."""
    counts = _lengths(scores, lengths)
    width, paths = attrs.integer("beam_width"), attrs.integer("top_paths")
    require(0 < paths <= min(width, _MAX_PATHS), f"{paths} paths of a beam of {width} cannot be found")
    times, batch, labels = scores.shape
    checked_shape([times, width], "the sequences together")
    check_work(STEP * sum(counts) * min(width, labels**times) * labels)
    wide = scores.astype(np.float64)
    largest = wide.max(axis=2, keepdims=True)
    logarithms = wide - largest - np.log(np.exp(wide - largest).sum(axis=2, keepdims=True))
    found: list[list[list[int]]] = []
    likely = np.zeros([batch, paths], scores.dtype)
    for number, length in enumerate(counts):
        beam = _Beam(width)
        for row in logarithms[:length, number].tolist():
            beam.step(row)
        best = beam.best()[:paths]
        require(len(best) == paths, f"there are fewer than {paths} sequences")
        found.append([node.labels(merge=attrs.flag("merge_repeated", True)) for node in best])
        likely[number] = [node.new[2] for node in best]
    sparse = [_sparse([row[path] for row in found]) for path in range(paths)]
    return [each[k] for k in range(3) for each in sparse] + [likely]


def _sparse(rows: list[list[int]]) -> tuple[Array, Array, Array]:
    """Indices, values and shape of rows of different lengths."""
    indices = [(i, k) for i, row in enumerate(rows) for k in range(len(row))]
    longest = max(map(len, rows), default=0)
    values = np.array([label for row in rows for label in row], np.int64)
    return np.array(indices, np.int64).reshape(-1, 2), values, np.array([len(rows), longest])
