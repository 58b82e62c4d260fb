"""Windows that slide over images: where they lie, and what they hold."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from pbslim.kernels.checks import STEP, Array, check_work, checked_shape, require
from pbslim.kernels.registry import Attributes


def spatial_pair(values: Sequence[int], data_format: str, what: str) -> list[int]:
    """What a list for all four dimensions says of height and width; it must say 1 of the others."""
    require(len(values) == 4, f"{what} must have 4 elements")
    height, width = data_format.index("H"), data_format.index("W")
    require(values[0] == values[data_format.index("C")] == 1, f"{what} go along height and width only")
    require(values[height] >= 1 and values[width] >= 1, f"{what} must be positive")
    return [values[height], values[width]]


@dataclass(frozen=True)
class _Axis:
    """The windows along one axis."""

    size: int
    stride: int
    dilation: int
    before: int
    after: int
    count: int

    def positions(self, k: int) -> slice:
        """Where, in the padded axis, the `k`-th elements of all windows are."""
        first = k * self.dilation
        return slice(first, first + (self.count - 1) * self.stride + 1, self.stride) if self.count else slice(0)


@dataclass(frozen=True)
class Windows:
    """How windows lie in height and width."""

    height: _Axis
    width: _Axis

    @classmethod
    def of(
        cls,
        attrs: Attributes,
        image: tuple[int, ...],
        sizes: Sequence[int],
        *,
        strides: Sequence[int],
        dilations: Sequence[int] = (1, 1),
        data_format: str = "NHWC",
    ) -> Windows:
        """Windows of `sizes` in images of the shape [batch, height, width, channels], padded as the node says."""
        padding = attrs.text("padding")
        require(padding in ("SAME", "VALID", "EXPLICIT"), f"padding '{padding}' is not known")
        pads = attrs.integers("explicit_paddings", ()) if padding == "EXPLICIT" else [0] * 8
        require(len(pads) == 8 and min(pads) >= 0, "explicit_paddings must be 8 numbers, none of them negative")
        pairs = [(pads[2 * a], pads[2 * a + 1]) for a in map(data_format.index, "HW")]
        require(sum(pads) == sum(map(sum, pairs)), "explicit_paddings go along height and width only")
        axes = [_axis(image[1 + a], sizes[a], strides[a], dilations[a], padding=padding, pads=pairs[a]) for a in (0, 1)]
        # more than this is slow as well as large
        checked_shape([*sizes, image[0], axes[0].count, axes[1].count, image[3]], "the windows together")
        return cls(*axes)

    def contents(self, images: Array, padding: Any) -> Iterator[tuple[int, int, Array]]:
        """For each place in a window, row by row: the place, and all windows' elements there.

        These are of the shape [batch, windows down, windows across, channels], outside the images `padding`.
        """
        height, width = self.height, self.width
        batch, rows, columns, channels = images.shape
        bottom, right = height.before + rows, width.before + columns
        shape = checked_shape([batch, bottom + height.after, right + width.after, channels], "a padded image")
        padded = np.full(shape, padding, images.dtype)
        padded[:, height.before : bottom, width.before : right] = images
        check_work(STEP * height.size * width.size)
        for i in range(height.size):
            for j in range(width.size):
                yield i, j, padded[:, height.positions(i), width.positions(j)]


def _axis(image: int, size: int, stride: int, dilation: int, *, padding: str, pads: tuple[int, int]) -> _Axis:
    require(size >= 1, "a window is empty")
    reach = (size - 1) * dilation + 1
    if padding == "SAME":
        count = -(-image // stride)
        total = max((count - 1) * stride + reach - image, 0)
        pads = total // 2, total - total // 2
    else:
        require(reach <= image + sum(pads), f"a window of {reach} does not fit into {image + sum(pads)}")
        count = (image + sum(pads) - reach) // stride + 1
    return _Axis(size, stride, dilation, *pads, count)
