"""Gradients of resizing: what the pixels of the new image hand back to those of the old one."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from pbslim.kernels.checks import STEP, Array, check_work, checked_shape, require, vector, widened
from pbslim.kernels.registry import Attributes, kernel
from pbslim.kernels.resizing import Resize

_ONE = np.float32(1)


def _turns(targets: Array) -> Iterator[tuple[Array, Array]]:
    """Places, and the targets they are for, so that each target is named once in a turn; `targets` are in order."""
    first = np.searchsorted(targets, targets)
    ranks = np.arange(targets.size) - first
    for rank in range(ranks.max(initial=-1) + 1):
        places = np.flatnonzero(ranks == rank)
        yield places, targets[places]


@kernel("ResizeNearestNeighborGrad", takes="floating|int8|uint8|int32 int32")
def _nearest_gradient(attrs: Attributes, gradients: Array, size: Array) -> Any:
    """Each pixel of the old image gets its gradients in the order of rows and columns."""
    require(gradients.ndim == 4, "the gradients must have 4 dimensions")
    batch, *after, channels = gradients.shape
    result = np.zeros(checked_shape([batch, *vector(size, "size"), channels]), gradients.dtype)
    resize = Resize(attrs, result.shape, after)
    down, across = ([*_turns(resize.nearest(axis))] for axis in (0, 1))
    check_work(len(down) * len(across) * STEP)
    for rows, to_rows in down:
        for columns, to_columns in across:
            result[:, to_rows[:, None], to_columns] += gradients[:, rows[:, None], columns]
    return result


@kernel("ResizeBilinearGrad", takes="float floating")
def _bilinear_gradient(attrs: Attributes, gradients: Array, original: Array) -> Any:
    """Between rows first, then between columns; weighted in single precision, and added up in that of `original`."""
    require(gradients.ndim == 4 and original.ndim == 4, "the gradients and the image must have 4 dimensions")
    require(gradients.shape[::3] == original.shape[::3], "the gradients and the image differ in batch or channels")
    resize = Resize(attrs, original.shape, gradients.shape[1:3])
    check_work(sum(resize.after) * STEP)
    wide = widened(original).dtype
    (top, bottom, down), (left, right, across) = (resize.neighbors(axis) for axis in (0, 1))
    shares = [part[:, None] for part in (_ONE - across, across)]
    batch, height, _, channels = original.shape
    sums = [np.zeros([batch, height, resize.after[1], channels], wide) for _ in shares]
    for row, part in enumerate(down):  # so what is computed with stays in the processor's cache
        for target, weight in ((top[row], _ONE - part), (bottom[row], part)):
            weighted = gradients[:, row] * weight
            for total, share in zip(sums, shares, strict=True):
                total[:, target] += weighted * share
    result = np.zeros(original.shape, wide)
    for total, targets in zip(sums, (left, right), strict=True):
        for columns, to_columns in _turns(targets):
            result[:, :, to_columns] += total[:, :, columns]
    return result.astype(original.dtype, copy=False)
