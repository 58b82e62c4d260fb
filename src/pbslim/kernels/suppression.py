"""Non-maximum suppression: of boxes that overlap, the one with the highest score is kept."""

from __future__ import annotations

import heapq
from collections.abc import Callable
from typing import Any, TypeAlias

import numpy as np

from pbslim.kernels.checks import Array, checked_shape, lowest, require, scalar
from pbslim.kernels.registry import Attributes, kernel

Similarity: TypeAlias = Callable[[int, Array], Array]
"""How much a box is like each of some others."""

_TYPES = "T:half|float"


class _Boxes:
    """Boxes by two corners in any order; the similarity of two is their intersection over their union."""

    def __init__(self, boxes: Array) -> None:
        low, high = np.minimum(boxes[:, :2], boxes[:, 2:]), np.maximum(boxes[:, :2], boxes[:, 2:])
        self._top, self._left = np.ascontiguousarray(low.T)
        self._bottom, self._right = np.ascontiguousarray(high.T)
        self._areas = (self._bottom - self._top) * (self._right - self._left)

    def __call__(self, i: int, others: Array) -> Array:
        """Rounded to the type at each step, as TensorFlow does."""
        zero = self._areas.dtype.type(0)
        height = np.minimum(self._bottom[i], self._bottom[others]) - np.maximum(self._top[i], self._top[others])
        width = np.minimum(self._right[i], self._right[others]) - np.maximum(self._left[i], self._left[others])
        common = np.maximum(height, zero) * np.maximum(width, zero)
        areas = self._areas[others]
        found = common / (self._areas[i] + areas - common)
        return np.asarray(np.where((self._areas[i] <= 0) | (areas <= 0), zero, found))


def kept_boxes(similarity: Similarity, scores: Array, count: int, threshold: Any, least: Any) -> Array:
    """Indices of the boxes to keep, best first: none is more alike a better one than `threshold`.

    Of equal scores the first counts as the better.

    Args:
        count: keep no more than so many.
        least: a score must be above it.
    """
    order = np.argsort(-scores, kind="stable")
    left = order[scores[order] > least]
    kept: list[int] = []
    while left.size and len(kept) < count:
        best = int(left[0])
        kept.append(best)
        left = left[1:]
        left = left[~(similarity(best, left) > threshold)]
    return np.array(kept, np.int32)


def _softly_kept(similarity: Similarity, scores: Array, count: int, least: Any, sigma: Any) -> tuple[Array, Array]:
    """Boxes alike a better one lose score, and are kept if enough is left; gives indices and scores.

    N. Bodla et al., Soft-NMS: improving object detection with one line of code (ICCV 2017).
    """
    kind = scores.dtype.type
    scale = kind(-0.5) / sigma
    queue = [(-score, i, 0) for i, score in enumerate(scores) if score > least]
    heapq.heapify(queue)
    kept: list[int] = []
    found: list[Any] = []
    while queue and len(kept) < count:
        negative, i, compared = heapq.heappop(queue)
        score = -negative
        alike = similarity(i, np.array(kept[compared:][::-1], np.int64))
        for weight in np.exp(scale * alike * alike):
            score = kind(score * weight)
            if score <= least:
                break
        if score == -negative:
            kept.append(i)
            found.append(score)
        elif score > least:
            heapq.heappush(queue, (-score, i, len(kept)))
    return np.array(kept, np.int32), np.array(found, scores.dtype)


def _checked(boxes: Array, scores: Array, size: Array) -> int:
    require(boxes.ndim == 2 and boxes.shape[1] == 4, "boxes must be rows of 4")
    require(scores.shape == boxes.shape[:1], f"{len(boxes)} boxes and {scores.size} scores")
    count = int(scalar(size, "max_output_size"))
    require(count >= 0, "max_output_size is negative")
    return count


def _fraction(array: Array, what: str) -> Any:
    value = scalar(array, what)
    require(0 <= value <= 1, f"{what} must be between 0 and 1")
    return value


def _padded(kept: Array, count: int, pad: bool) -> Array:
    if not pad:
        return kept
    result = np.zeros(checked_shape([count]), kept.dtype)
    result[: len(kept)] = kept
    return result


@kernel("NonMaxSuppression", takes="float float int32")
def _suppression(attrs: Attributes, boxes: Array, scores: Array, size: Array) -> Array:
    count, threshold = _checked(boxes, scores, size), attrs.number("iou_threshold", 0.5)
    require(0 <= threshold <= 1, "iou_threshold must be between 0 and 1")
    return kept_boxes(_Boxes(boxes), scores, count, threshold, lowest(scores.dtype))


@kernel("NonMaxSuppressionV2", takes=f"{_TYPES} {_TYPES} int32 half|float")
def _suppression_v2(_attrs: Attributes, boxes: Array, scores: Array, size: Array, iou: Array) -> Array:
    count, threshold = _checked(boxes, scores, size), _fraction(iou, "iou_threshold")
    return kept_boxes(_Boxes(boxes), scores, count, threshold, lowest(scores.dtype))


@kernel("NonMaxSuppressionV3", takes=f"{_TYPES} {_TYPES} int32 half|float half|float")
def _suppression_v3(_attrs: Attributes, boxes: Array, scores: Array, size: Array, iou: Array, least: Array) -> Array:
    count, threshold = _checked(boxes, scores, size), _fraction(iou, "iou_threshold")
    return kept_boxes(_Boxes(boxes), scores, count, threshold, scalar(least, "score_threshold"))


@kernel("NonMaxSuppressionV4", takes=f"{_TYPES} {_TYPES} int32 half|float half|float")
def _suppression_v4(attrs: Attributes, boxes: Array, scores: Array, size: Array, *limits: Array) -> list[Any]:
    count, threshold = _checked(boxes, scores, size), _fraction(limits[0], "iou_threshold")
    kept = kept_boxes(_Boxes(boxes), scores, count, threshold, scalar(limits[1], "score_threshold"))
    return [_padded(kept, count, attrs.flag("pad_to_max_output_size")), np.int32(len(kept))]


@kernel("NonMaxSuppressionV5", takes=f"{_TYPES} {_TYPES} int32 T:half|float T:half|float T:half|float")
def _suppression_v5(
    attrs: Attributes, boxes: Array, scores: Array, size: Array, iou: Array, least: Array, sigma: Array
) -> list[Any]:
    """The scores are those that are left."""
    count, threshold = _checked(boxes, scores, size), _fraction(iou, "iou_threshold")
    floor, width = scalar(least, "score_threshold"), scalar(sigma, "soft_nms_sigma")
    require(width >= 0, "soft_nms_sigma is negative")
    if width > 0:
        kept, left = _softly_kept(_Boxes(boxes), scores, count, floor, width)
    else:
        kept = kept_boxes(_Boxes(boxes), scores, count, threshold, floor)
        left = scores[kept]
    pad = attrs.flag("pad_to_max_output_size")
    return [_padded(kept, count, pad), _padded(left, count, pad), np.int32(len(kept))]


@kernel("NonMaxSuppressionWithOverlaps", takes="float float int32 float float")
def _suppression_with_overlaps(
    _attrs: Attributes, overlaps: Array, scores: Array, size: Array, threshold: Array, least: Array
) -> Array:
    """A table says how much two boxes are alike."""
    require(overlaps.ndim == 2 and overlaps.shape[0] == overlaps.shape[1], "overlaps must be a square")
    require(scores.shape == overlaps.shape[:1], f"{len(overlaps)} boxes and {scores.size} scores")
    count = int(scalar(size, "max_output_size"))
    limits = scalar(threshold, "overlap_threshold"), scalar(least, "score_threshold")
    return kept_boxes(lambda i, others: overlaps[others, i], scores, count, *limits)


@kernel("CombinedNonMaxSuppression", takes="float float int32 int32 float float")
def _combined(
    attrs: Attributes, boxes: Array, scores: Array, per_class: Array, in_all: Array, iou: Array, least: Array
) -> list[Any]:
    """Each class of each image alone, then the best of all classes of an image.

    `boxes` have the shape [batch, boxes, 1 or classes, 4], `scores` [batch, boxes, classes]. The result is boxes,
    scores and classes, filled up with zeros, and how many of each image are real.
    """
    require(boxes.ndim == 4 and boxes.shape[3] == 4 and scores.ndim == 3, "boxes or scores have the wrong shape")
    batch, number, classes = scores.shape
    require(boxes.shape[:2] == (batch, number) and boxes.shape[2] in (1, classes), "boxes and scores do not fit")
    most, total = int(scalar(per_class, "max_output_size_per_class")), int(scalar(in_all, "max_total_size"))
    require(most > 0 and total > 0, "the sizes must be positive")
    limits = _fraction(iou, "iou_threshold"), scalar(least, "score_threshold")
    size = min(total, most * classes) if attrs.flag("pad_per_class") else total
    found = np.zeros(checked_shape([batch, size, 4]), np.float32)
    left, names = np.zeros((batch, size), np.float32), np.zeros((batch, size), np.float32)
    counts = np.zeros(batch, np.int32)
    for image in range(batch):
        picks: list[tuple[Any, int, int]] = []
        for each in range(classes):
            own = boxes[image, :, each if boxes.shape[2] > 1 else 0]
            kept = kept_boxes(_Boxes(own), scores[image, :, each], min(most, number), *limits)
            picks += [(scores[image, k, each], each, int(k)) for k in kept]
        picks.sort(key=lambda pick: -pick[0])
        counts[image] = len(picks[:size])
        for place, (score, each, k) in enumerate(picks[:size]):
            found[image, place] = boxes[image, k, each if boxes.shape[2] > 1 else 0]
            left[image, place], names[image, place] = score, each
    if attrs.flag("clip_boxes", True):
        found = found.clip(0, 1)
    return [found, left, names, counts]
