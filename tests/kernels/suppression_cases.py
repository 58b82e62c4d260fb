"""Non-maximum suppression."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from pbslim.kernels.checks import Array
from tests.kernels.operands import F2, F4, Case, case, i4

OPS = ("NonMaxSuppression", "NonMaxSuppressionV2", "NonMaxSuppressionV3", "NonMaxSuppressionV4")


def _boxes(count: int, seed: int = 0) -> tuple[Array, Array]:
    """Boxes many of which overlap, some of no area and some upside down, and scores some of which are equal."""
    rng = np.random.default_rng(seed)
    corners = rng.uniform(0, 1, (count, 2))
    boxes = np.concatenate([corners, corners + rng.uniform(-0.1, 0.5, (count, 2))], 1)
    boxes[3] = boxes[0]
    boxes[4, 2:] = boxes[4, :2]
    return boxes.astype(F4), (rng.integers(0, 12, count) / 10).astype(F4)


def suppression() -> Iterator[Case]:
    boxes, scores = _boxes(30)
    for size in (0, 5, 40):
        yield case("NonMaxSuppression", boxes, scores, i4(size))
        yield case("NonMaxSuppression", boxes, scores, i4(size), iou_threshold=0.1)
        for iou in (0.0, 0.4, 1.0):
            yield case("NonMaxSuppressionV2", boxes, scores, i4(size), F4(iou))
            yield case("NonMaxSuppressionV3", boxes, scores, i4(size), F4(iou), F4(0.35))
            for pad in (False, True):
                yield case(
                    "NonMaxSuppressionV4", boxes, scores, i4(size), F4(iou), F4(0.35), pad_to_max_output_size=pad
                )
                for sigma in (0.0, 0.5):
                    operands = (boxes, scores, i4(size), F4(iou), F4(0.15), F4(sigma))
                    yield case("NonMaxSuppressionV5", *operands, pad_to_max_output_size=pad)
    for op in ("NonMaxSuppressionV2", "NonMaxSuppressionV3"):
        least = () if op.endswith("2") else (F2(0.2),)
        yield case(op, boxes.astype(F2), scores.astype(F2), i4(9), F2(0.5), *least)
    yield case("NonMaxSuppressionV3", boxes[:0], scores[:0], i4(9), F4(0.5), F4(0))
    overlaps = np.random.default_rng(1).uniform(0, 1, (30, 30)).astype(F4)
    yield case("NonMaxSuppressionWithOverlaps", overlaps, scores, i4(9), F4(0.6), F4(0.1))


def combined_suppression() -> Iterator[Case]:
    batches = [_boxes(20, seed) for seed in (1, 2)]
    boxes = np.stack([b for b, _ in batches])
    scores = np.random.default_rng(3).permutation(120).reshape(2, 20, 3).astype(F4) / F4(120)
    shared, own = boxes[:, :, None], np.stack([boxes, boxes[:, ::-1], boxes + F4(0.2)], 2)
    for regions in (shared, own):
        for attrs in ({}, {"pad_per_class": True}, {"clip_boxes": False}):
            yield case("CombinedNonMaxSuppression", regions, scores, i4(4), i4(9), F4(0.4), F4(0.3), **attrs)
    yield case("CombinedNonMaxSuppression", shared, scores, i4(30), i4(80), F4(0.4), F4(0.0), pad_per_class=True)
