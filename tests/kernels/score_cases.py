"""Losses, labels, and colors that change."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from tests.kernels.operands import F4, F8, FLOATS, Case, case, i4, i8, numbers


def losses() -> Iterator[Case]:
    for dtype in FLOATS:
        labels = np.abs(numbers(dtype, 3, 7, seed=3))
        yield case("SoftmaxCrossEntropyWithLogits", numbers(dtype, 3, 7), labels)
        yield case("SparseSoftmaxCrossEntropyWithLogits", numbers(dtype, 3, 7), i8([0, 6, 3]))
    yield case("SoftmaxCrossEntropyWithLogits", numbers(F4, 1, 7), np.abs(numbers(F4, 3, 1)))
    yield case("SoftmaxCrossEntropyWithLogits", np.array([[1000, 0], [-1000, 3]], F4), np.eye(2, dtype=F4))
    yield case("SparseSoftmaxCrossEntropyWithLogits", numbers(F8, 2, 3), i4([1, 2]))
    yield case("SparseSoftmaxCrossEntropyWithLogits", numbers(F4, 0, 3), i4([]))


def labels() -> Iterator[Case]:
    for merge in (False, True):
        for dtype in (F4, F8):
            yield case("CTCGreedyDecoder", numbers(dtype, 9, 3, 3), i4([9, 0, 5]), merge_repeated=merge)
        yield case("CTCGreedyDecoder", numbers(F4, 9, 2, 4), i4([9, 9]), merge_repeated=merge, blank_index=1)
        yield case("CTCGreedyDecoder", np.zeros([4, 2, 3], F4), i4([4, 3]), merge_repeated=merge)
    yield case("CTCGreedyDecoder", numbers(F4, 4, 1, 1), i4([4]))
    for merge in (False, True):
        for width, paths in ((1, 1), (3, 2), (20, 5)):
            more = {"beam_width": width, "top_paths": paths, "merge_repeated": merge}
            yield case("CTCBeamSearchDecoder", numbers(F4, 9, 2, 4), i4([9, 5]), **more)
        yield case("CTCBeamSearchDecoder", numbers(F4, 12, 1, 6), i4([12]), beam_width=100, top_paths=1)


def adjusted() -> Iterator[Case]:
    images = np.abs(numbers(F4, 2, 3, 4, 3)) / F4(8)
    for amount in (-0.3, 0.0, 0.45):
        yield case("AdjustHue", images, F4(amount))
    for amount in (0.0, 0.5, 3.0):
        yield case("AdjustSaturation", images, F4(amount))
        yield case("AdjustContrastv2", images, F4(amount))
    yield case("AdjustContrastv2", numbers(F4, 5, 6, 2), F4(2))
