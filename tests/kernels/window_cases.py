"""Convolutions and pooling."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from pbslim.dtypes import INT32
from tests.kernels.operands import (
    BF,
    C8,
    F2,
    F4,
    F8,
    FLOATS,
    I4,
    INF,
    INTS,
    U1,
    Case,
    case,
    i4,
    numbers,
)


def windows() -> Iterator[Case]:
    one = {"strides": (1, 1, 1, 1), "padding": b"VALID"}
    for dtype in (*FLOATS, I4):
        yield case("Conv2D", numbers(dtype, 2, 4, 5, 3), numbers(dtype, 2, 3, 3, 4), **one)
        yield case("Conv2D", numbers(dtype, 2, 4, 5, 3), numbers(dtype, 1, 1, 3, 4), **one)
    for op in ("Conv2D", "DepthwiseConv2dNative"):
        filters = numbers(F4, 3, 2, 3, 2)
        for padding in (b"SAME", b"VALID", b"EXPLICIT"):
            attrs: dict[str, Any] = {"padding": padding}
            if padding == b"EXPLICIT":
                attrs["explicit_paddings"] = (0, 0, 2, 1, 0, 3, 0, 0)
            for strides in ((1, 1, 1, 1), (1, 2, 2, 1), (1, 3, 3, 1)):
                yield case(op, numbers(F4, 2, 6, 7, 3), filters, strides=strides, **attrs)
        yield case(op, numbers(F4, 1, 1, 2, 3), filters, strides=(1, 1, 1, 1), padding=b"SAME")
        yield case(op, numbers(F4, 0, 5, 5, 3), filters, **one)
        yield case(op, numbers(F8, 2, 6, 7, 3), filters.astype(F8), data_format=b"NHWC", dilations=(1, 1, 1, 1), **one)
    for padding in (b"SAME", b"VALID"):
        attrs = {"strides": (1, 1, 1, 1), "padding": padding}
        yield case("Conv2D", numbers(F4, 1, 9, 8, 2), numbers(F4, 3, 2, 2, 3), dilations=(1, 2, 3, 1), **attrs)
    yield case("Conv2D", numbers(F4, 1, 6, 8, 2), numbers(F4, 2, 2, 2, 3), strides=(1, 1, 2, 1), padding=b"SAME")
    yield case("Conv2D", numbers(F4, 1, 5, 5, 6), numbers(F4, 2, 2, 2, 9), **one)
    for dtype in FLOATS:
        yield case("DepthwiseConv2dNative", numbers(dtype, 2, 4, 5, 3), numbers(dtype, 2, 3, 3, 2), **one)
        yield case("AvgPool", numbers(dtype, 2, 4, 5, 3), ksize=(1, 2, 3, 1), **one)
    for dtype in (*FLOATS, *INTS, np.int16, np.uint16):
        yield case("MaxPool", numbers(dtype, 2, 4, 5, 3), ksize=(1, 2, 3, 1), **one)
    for padding in (b"SAME", b"VALID"):
        for strides in ((1, 1, 1, 1), (1, 2, 3, 1), (1, 4, 1, 1)):
            attrs = {"strides": strides, "padding": padding}
            for ksize in ((1, 2, 2, 1), (1, 3, 2, 1)):
                yield case("MaxPool", numbers(F4, 2, 7, 6, 3), ksize=ksize, data_format=b"NHWC", **attrs)
                yield case("AvgPool", numbers(F4, 2, 7, 6, 3), ksize=ksize, data_format=b"NHWC", **attrs)
                yield case("MaxPoolV2", numbers(F4, 2, 7, 6, 3), i4(ksize), i4(strides), padding=padding)
                for rates in ((1, 1, 1, 1), (1, 2, 1, 1)):
                    yield case("ExtractImagePatches", numbers(F4, 2, 7, 6, 3), ksizes=ksize, rates=rates, **attrs)
    for op in ("MaxPool", "AvgPool"):
        yield case(op, numbers(F4, 1, 2, 2, 1), ksize=(1, 5, 5, 1), strides=(1, 1, 1, 1), padding=b"SAME")
        yield case(op, numbers(F4, 0, 3, 3, 1), ksize=(1, 2, 2, 1), **one)
        yield case(op, np.array([-INF, -INF, INF, -INF], F4).reshape(1, 2, 2, 1), ksize=(1, 1, 2, 1), **one)
    for dtype in (F4, F8, F2, I4, U1, C8):
        yield case("ExtractImagePatches", numbers(dtype, 1, 3, 3, 2), ksizes=(1, 2, 2, 1), rates=(1, 1, 1, 1), **one)


def sizes() -> Iterator[Case]:
    """Convolutions of all kinds of sizes, some of more than one block."""
    same: dict[str, Any] = {"padding": b"SAME"}
    for n, (height, width, inner, outer) in enumerate(
        ((1, 1, 5, 7), (3, 3, 4, 8), (5, 2, 1, 3), (7, 7, 3, 1), (4, 4, 2, 2))
    ):
        for stride in (1, 2, 3):
            x, strides = numbers(F4, 2, 11, 13, inner, seed=n), (1, stride, stride, 1)
            yield case("Conv2D", x, numbers(F4, height, width, inner, outer, seed=n), strides=strides, **same)
            if inner > 1:
                filters = numbers(F4, height, width, inner, outer % 3 + 1, seed=n)
                yield case("DepthwiseConv2dNative", x, filters, strides=strides, **same)
    for dtype in (F8, F2, BF):
        yield case("Conv2D", numbers(dtype, 3, 9, 8, 5), numbers(dtype, 3, 3, 5, 6), strides=(1, 2, 2, 1), **same)
        yield case(
            "DepthwiseConv2dNative",
            numbers(dtype, 3, 9, 8, 5),
            numbers(dtype, 3, 3, 5, 1),
            strides=(1, 2, 2, 1),
            **same,
        )
    yield case("Conv2D", numbers(F4, 2, 8, 8, 3), numbers(F4, 1, 1, 3, 4), strides=(1, 2, 2, 1), **same)
    yield case("Conv2D", numbers(F4, 2, 3, 4, 5), numbers(F4, 3, 4, 5, 2), strides=(1, 1, 1, 1), padding=b"VALID")
    for groups in (2, 3, 6):
        yield case("Conv2D", numbers(F4, 2, 6, 7, 6), numbers(F4, 3, 2, 6 // groups, 6), strides=(1, 1, 1, 1), **same)
        yield case("Conv2D", numbers(F4, 2, 6, 7, 6), numbers(F4, 3, 2, 6 // groups, 12), strides=(1, 2, 1, 1), **same)
    yield case("Conv2D", numbers(F4, 1, 60, 64, 16), numbers(F4, 3, 3, 16, 4) / F4(12), strides=(1, 1, 1, 1), **same)
    yield case("Conv2D", numbers(F4, 1, 90, 91, 40), numbers(F4, 1, 1, 40, 3) / F4(6), strides=(1, 1, 1, 1), **same)
    for stride in (1, 2):
        x, filters = numbers(F4, 2, 70, 65, 33), numbers(F4, 3, 3, 33, 1)
        yield case("DepthwiseConv2dNative", x, filters, strides=(1, stride, stride, 1), **same)
    yield case(
        "DepthwiseConv2dNative", numbers(F4, 1, 4, 300, 40), numbers(F4, 5, 5, 40, 1), strides=(1, 1, 1, 1), **same
    )


def volumes() -> Iterator[Case]:
    """Three spatial dimensions."""
    for dtype in FLOATS:
        x, filters = numbers(dtype, 2, 3, 4, 5, 2), numbers(dtype, 2, 2, 3, 2, 3)
        yield case("Conv3D", x, filters, strides=(1, 1, 1, 1, 1), padding=b"VALID")
    for padding in (b"SAME", b"VALID"):
        for strides in ((1, 1, 1, 1, 1), (1, 2, 1, 3, 1), (1, 2, 2, 2, 1)):
            attrs: dict[str, Any] = {"strides": strides, "padding": padding}
            yield case("Conv3D", numbers(F4, 2, 4, 7, 6, 3), numbers(F4, 3, 2, 3, 3, 4), **attrs)
            for ksize in ((1, 2, 2, 2, 1), (1, 1, 3, 2, 1)):
                for op in ("MaxPool3D", "AvgPool3D"):
                    yield case(op, numbers(F4, 2, 4, 7, 6, 3), ksize=ksize, data_format=b"NDHWC", **attrs)
    yield case("Conv3D", numbers(F4, 1, 2, 3, 4, 5), numbers(F4, 1, 1, 1, 5, 2), strides=(1,) * 5, padding=b"SAME")
    yield case("Conv3D", numbers(F4, 0, 2, 3, 4, 5), numbers(F4, 1, 2, 1, 5, 2), strides=(1,) * 5, padding=b"SAME")
    yield case(
        "Conv3D", numbers(F4, 1, 6, 30, 31, 8), numbers(F4, 3, 3, 3, 8, 4) / F4(14), strides=(1,) * 5, padding=b"SAME"
    )
    for op in ("MaxPool3D", "AvgPool3D"):
        yield case(op, numbers(BF, 2, 4, 3, 3, 2), ksize=(1, 2, 2, 2, 1), strides=(1, 2, 1, 1, 1), padding=b"SAME")


def morphology() -> Iterator[Case]:
    """Windows that say where the largest element is, or that add a filter before."""
    for padding in (b"SAME", b"VALID"):
        for strides in ((1, 1, 1, 1), (1, 2, 3, 1)):
            attrs: dict[str, Any] = {"strides": strides, "padding": padding}
            x = numbers(F4, 2, 7, 6, 3)
            yield case("MaxPoolWithArgmax", x, ksize=(1, 3, 2, 1), **attrs)
            yield case("MaxPoolWithArgmax", x, ksize=(1, 2, 2, 1), include_batch_in_index=True, **attrs)
            for rates in ((1, 1, 1, 1), (1, 2, 2, 1)):
                yield case("Dilation2D", x, numbers(F4, 3, 2, 3), rates=rates, **attrs)
        for volume_strides in ((1, 1, 1, 1, 1), (1, 2, 1, 3, 1)):
            more: dict[str, Any] = {"ksizes": (1, 2, 1, 3, 1), "strides": volume_strides, "padding": padding}
            yield case("ExtractVolumePatches", numbers(F4, 2, 4, 5, 6, 2), **more)
    one: dict[str, Any] = {"strides": (1, 1, 1, 1), "padding": b"VALID"}
    for dtype in (F8, F2, BF, I4, U1):
        yield case("MaxPoolWithArgmax", numbers(dtype, 1, 4, 5, 2), ksize=(1, 2, 3, 1), Targmax=INT32, **one)
        yield case("Dilation2D", numbers(dtype, 1, 4, 5, 2), numbers(dtype, 2, 2, 2), rates=(1, 1, 1, 1), **one)
    yield case("MaxPoolWithArgmax", np.ones([1, 3, 3, 1], F4), ksize=(1, 2, 2, 1), **one)  # the first of equals
    yield case(
        "ExtractVolumePatches", numbers(I4, 1, 3, 3, 3, 1), ksizes=(1, 2, 2, 2, 1), strides=(1,) * 5, padding=b"VALID"
    )


def resampled() -> Iterator[Case]:
    """Images through filters of all kinds."""
    kinds = (b"lanczos1", b"lanczos3", b"lanczos5", b"gaussian", b"box", b"triangle", b"keyscubic", b"mitchellcubic")
    images = numbers(F4, 2, 7, 9, 3)
    for kind in kinds:
        for antialias in (True, False):
            for scale, translation in (([0.5, 0.4], [0, 0]), ([1.7, 2.5], [0.25, -1.5])):
                operands = images, i4([5, 6]), np.array(scale, F4), np.array(translation, F4)
                yield case("ScaleAndTranslate", *operands, kernel_type=kind, antialias=antialias)
    for dtype in (U1, I4):
        yield case("ScaleAndTranslate", numbers(dtype, 1, 4, 5, 1), i4([8, 3]), F4([2, 0.6]), F4([0, 0]))
    yield case("ScaleAndTranslate", images, i4([4, 4]), F4([1, 1]), F4([-30, 30]))
