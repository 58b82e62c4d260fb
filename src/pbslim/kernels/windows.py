"""Windows that slide over images: where they lie, and what they hold."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

import numpy as np
from numpy.lib.stride_tricks import as_strided

from pbslim.kernels.checks import STEP, Array, check_work, checked_shape, require
from pbslim.kernels.registry import Attributes

Box: TypeAlias = "tuple[slice, ...]"

_MAX_WORK = 2**33  # elements in all windows together; more takes minutes


def spatial_of(values: Sequence[int], data_format: str, what: str) -> list[int]:
    """What a list for all dimensions says of the spatial ones; it must say 1 of batch and channels."""
    require(len(values) == len(data_format), f"{what} must have {len(data_format)} elements")
    require(values[0] == values[data_format.index("C")] == 1, f"{what} go along {_spatial_names(data_format)} only")
    found = [values[data_format.index(letter)] for letter in _letters(data_format)]
    require(min(found) >= 1, f"{what} must be positive")
    return found


def _letters(data_format: str) -> str:
    return "".join(letter for letter in data_format if letter in "DHW")


def _spatial_names(data_format: str) -> str:
    return "height and width" if "D" not in data_format else "depth, height and width"


@dataclass(frozen=True)
class Axis:
    """The windows along one axis of images.

    Attributes:
        image: how long the images are.
        size: how many elements a window takes.
        stride, dilation: from one window to the next, and from one element of a window to the next.
        before: how much padding there is before the images.
        count: how many windows there are.
    """

    image: int
    size: int
    stride: int
    dilation: int
    before: int
    count: int

    def reach(self, first: int, last: int) -> tuple[int, int]:
        """From where to where the windows from `first` to before `last` extend, perhaps beyond the image."""
        start = first * self.stride - self.before
        return start, start + (last - 1 - first) * self.stride + (self.size - 1) * self.dilation + 1

    def inside(self, k: int) -> tuple[slice, slice]:
        """Which windows have their `k`-th element in the image, and where these elements are."""
        offset = k * self.dilation - self.before
        first = max(-(offset // self.stride), 0)
        last = min((self.image - 1 - offset) // self.stride + 1, self.count)
        if last <= first:
            return slice(0), slice(0)
        start = first * self.stride + offset
        return slice(first, last), slice(start, start + (last - 1 - first) * self.stride + 1, self.stride)

    def some(self, part: slice) -> Axis:
        """Some of the windows."""
        return replace(self, before=self.before - part.start * self.stride, count=part.stop - part.start)

    def elements(self) -> range:
        """The elements that are in the image in any window."""
        far = (self.count - 1) * self.stride
        first = max(-((far - self.before) // self.dilation), 0) if self.count else 0
        last = min((self.image - 1 + self.before) // self.dilation + 1, self.size) if self.count else 0
        return range(first, max(first, last))


@dataclass(frozen=True)
class Windows:
    """How windows lie in each spatial dimension, the outermost first."""

    axes: tuple[Axis, ...]

    @property
    def counts(self) -> tuple[int, ...]:
        """How many windows there are along each axis."""
        return tuple(axis.count for axis in self.axes)

    @property
    def sizes(self) -> tuple[int, ...]:
        """How many elements a window has along each axis."""
        return tuple(axis.size for axis in self.axes)

    @classmethod
    def of(
        cls,
        attrs: Attributes,
        images: tuple[int, ...],
        sizes: Sequence[int],
        *,
        strides: Sequence[int],
        dilations: Sequence[int] | None = None,
        data_format: str = "NHWC",
    ) -> Windows:
        """Windows of `sizes` in images of the shape [batch, spatial dimensions, channels], padded as the node says."""
        padding = attrs.text("padding")
        require(padding in ("SAME", "VALID", "EXPLICIT"), f"padding '{padding}' is not known")
        rank = len(data_format)
        pads = attrs.integers("explicit_paddings", ()) if padding == "EXPLICIT" else [0] * 2 * rank
        require(
            len(pads) == 2 * rank and min(pads) >= 0,
            f"explicit_paddings must be {2 * rank} numbers, none of them negative",
        )
        pairs = [(pads[2 * a], pads[2 * a + 1]) for a in map(data_format.index, _letters(data_format))]
        require(sum(pads) == sum(map(sum, pairs)), f"explicit_paddings go along {_spatial_names(data_format)} only")
        steps = dilations or [1] * len(sizes)
        axes = [
            _axis(images[1 + a], sizes[a], strides[a], steps[a], padding=padding, pads=pairs[a])
            for a in range(len(sizes))
        ]
        found = cls(tuple(axes))
        work = math.prod((*found.sizes, images[0], *found.counts, images[-1]))
        require(work <= _MAX_WORK, f"the windows together would have {work} elements, more than {_MAX_WORK}")
        return found

    def boxes(self, batch: int, limit: int) -> Iterator[Box]:
        """All windows of all images, in order, in parts that are slices of batch and counts.

        A part has at most `limit` windows (but one at least), and is the whole of each axis after the one it divides.
        """
        shape = (batch, *self.counts)
        if not all(shape):
            return
        inner, axis = 1, len(shape) - 1
        while axis and inner * shape[axis] <= limit:
            inner *= shape[axis]
            axis -= 1
        step = max(limit // inner, 1)
        whole = [slice(0, size) for size in shape[axis + 1 :]]
        for outer in np.ndindex(*shape[:axis]):
            ones = [slice(i, i + 1) for i in outer]
            for first in range(0, shape[axis], step):
                yield (*ones, slice(first, min(first + step, shape[axis])), *whole)

    def some(self, box: Box) -> Windows:
        """The windows of a box alone."""
        return Windows(tuple(axis.some(part) for axis, part in zip(self.axes, box[1:], strict=True)))

    def region(self, images: Array, box: Box) -> Array:
        """What the windows of a box cover: a view of the images, or a copy with zeros where they extend beyond."""
        reaches = [axis.reach(part.start, part.stop) for axis, part in zip(self.axes, box[1:], strict=True)]
        found = [
            slice(min(max(start, 0), size), max(min(stop, size), 0))
            for (start, stop), size in zip(reaches, images.shape[1:-1], strict=True)
        ]
        content = images[(box[0], *found)]
        shape = (content.shape[0], *(stop - start for start, stop in reaches), content.shape[-1])
        if shape == content.shape:
            return content
        region = np.zeros(checked_shape(shape, "a padded image"), images.dtype)
        places = [
            slice(part.start - start, part.start - start + size)
            for part, (start, _), size in zip(found, reaches, content.shape[1:-1], strict=True)
        ]
        region[(slice(None), *places)] = content
        return region

    def view(self, region: Array, box: Box) -> Array:
        """The windows of a box in its region, of the shape [batch, counts, sizes, channels]; a view."""
        counts = [part.stop - part.start for part in box[1:]]
        spatial = region.strides[1:-1]
        ahead = [axis.stride * step for axis, step in zip(self.axes, spatial, strict=True)]
        within = [axis.dilation * step for axis, step in zip(self.axes, spatial, strict=True)]
        shape = (region.shape[0], *counts, *self.sizes, region.shape[-1])
        return as_strided(region, shape, (region.strides[0], *ahead, *within, region.strides[-1]), writeable=False)

    def elements(self) -> Iterator[tuple[Box, Box]]:
        """For each element that is in the image in any window, in order: which windows have it there, and where."""
        for element in itertools.product(*(axis.elements() for axis in self.axes)):
            windows, places = zip(*(axis.inside(k) for axis, k in zip(self.axes, element, strict=True)), strict=True)
            yield (slice(None), *windows), (slice(None), *places)

    def patches(self, images: Array) -> Array:
        """The elements of each window one after the other, channels innermost: [batch, counts, elements]."""
        shape = checked_shape([images.shape[0], *self.counts, math.prod(self.sizes) * images.shape[-1]])
        if not math.prod(shape):
            return np.empty(shape, images.dtype)
        box = tuple(slice(0, size) for size in shape[:-1])
        return self.view(self.region(images, box), box).reshape(shape)


def _axis(image: int, size: int, stride: int, dilation: int, *, padding: str, pads: tuple[int, int]) -> Axis:
    require(size >= 1, "a window is empty")
    reach = (size - 1) * dilation + 1
    if padding == "SAME":
        count = -(-image // stride)
        before = max((count - 1) * stride + reach - image, 0) // 2
    else:
        require(reach <= image + sum(pads), f"a window of {reach} does not fit into {image + sum(pads)}")
        count = (image + sum(pads) - reach) // stride + 1
        before = pads[0]
    return Axis(image, size, stride, dilation, before, count)


def combined(x: Array, places: Windows, start: Any, combine: np.ufunc) -> Array:
    """The elements of each window in the images combined, along one axis after the other; without any, `start`."""
    for number, axis in enumerate(places.axes, 1):
        result = np.full((*x.shape[:number], axis.count, *x.shape[number + 1 :]), start, x.dtype)
        before = (slice(None),) * number
        ranks = axis.elements()
        check_work(len(ranks) * (result.size + STEP))
        for k in ranks:
            windows, elements = axis.inside(k)
            part = result[(*before, windows)]
            combine(part, x[(*before, elements)], out=part)
        x = result
    return x
