"""Transposed convolutions."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from tests.kernels.operands import BF, F2, F4, F8, FLOATS, Case, case, i4, numbers

PADDINGS: list[dict[str, Any]] = [
    {"padding": b"SAME"},
    {"padding": b"VALID"},
    {"padding": b"EXPLICIT", "explicit_paddings": (0, 0, 2, 1, 0, 2, 0, 0)},
]


def _count(size: int, kernel: int, pads: tuple[int, int] | None, stride: int) -> int:
    return -(-size // stride) if pads is None else (size + sum(pads) - kernel) // stride + 1


def transposed() -> Iterator[Case]:
    filters = numbers(F4, 3, 2, 4, 5)
    for attrs in PADDINGS:
        pads = attrs.get("explicit_paddings")
        for stride in (1, 2, 3):
            valid = (0, 0) if attrs["padding"] == b"VALID" else None
            sides = (pads[2:4], pads[4:6]) if pads else (valid, valid)
            height, width = (_count(*each, stride) for each in zip((7, 8), (3, 2), sides, strict=True))
            more = {"strides": (1, stride, stride, 1), **attrs}
            gradient = numbers(F4, 2, height, width, 5)
            yield case("Conv2DBackpropInput", i4([2, 7, 8, 4]), filters, gradient, **more)
            if "EXPLICIT" not in str(attrs["padding"]):
                own, gradient = numbers(F4, 3, 2, 4, 2), numbers(F4, 2, height, width, 8)
                yield case("DepthwiseConv2dNativeBackpropInput", i4([2, 7, 8, 4]), own, gradient, **more)
    one = {"strides": (1, 2, 2, 1), "padding": b"SAME"}
    for dtype in FLOATS:
        yield case(
            "Conv2DBackpropInput", i4([1, 4, 4, 3]), numbers(dtype, 2, 2, 3, 2), numbers(dtype, 1, 2, 2, 2), **one
        )
    yield case("Conv2DBackpropInput", i4([4, 4]), numbers(F4, 2, 2, 3, 2), numbers(F4, 1, 2, 2, 2), **one)
    yield case("Conv2DBackpropInput", i4([0, 4, 4, 3]), numbers(F4, 2, 2, 3, 2), numbers(F4, 0, 2, 2, 2), **one)
    for dtype in (F4, F8, F2, BF):
        operands = numbers(dtype, 2, 2, 2, 3), numbers(dtype, 1, 2, 2, 6)
        yield case("DepthwiseConv2dNativeBackpropInput", i4([1, 4, 4, 2]), *operands, **one)
    volume = {"strides": (1, 2, 1, 2, 1), "padding": b"SAME"}
    for dtype in (F4, F8):
        operands = numbers(dtype, 2, 3, 2, 3, 2), numbers(dtype, 2, 2, 3, 2, 2)
        yield case("Conv3DBackpropInputV2", i4([2, 4, 3, 3, 3]), *operands, **volume)
    yield case(
        "Conv3DBackpropInputV2",
        i4([1, 4, 4, 4, 2]),
        numbers(F4, 2, 2, 2, 2, 3),
        numbers(F4, 1, 3, 3, 3, 3),
        strides=(1, 1, 1, 1, 1),
        padding=b"VALID",
    )
