"""Several ops in one node."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from tests.kernels.operands import F4, F8, Case, case, i4, numbers

ONE: dict[str, Any] = {"strides": (1, 1, 1, 1), "padding": b"SAME"}
ACTIVATIONS = (b"Relu", b"Relu6", b"Elu", b"LeakyRelu", b"Tanh", b"Sigmoid")


def fused() -> Iterator[Case]:
    for dtype in (F4, F8):
        x, filters, bias = numbers(dtype, 2, 5, 6, 3), numbers(dtype, 3, 2, 3, 4), numbers(dtype, 4)
        yield case("_FusedConv2D", x, filters, bias, fused_ops=(b"BiasAdd",), num_args=1, num_host_args=0, **ONE)
        for name in ACTIVATIONS[:4]:
            yield case(
                "_FusedConv2D", x, filters, bias, fused_ops=(b"BiasAdd", name), num_args=1, num_host_args=0, **ONE
            )
    x, filters = numbers(F4, 2, 5, 6, 3), numbers(F4, 3, 2, 3, 4)
    norm = numbers(F4, 4), numbers(F4, 4, seed=1), numbers(F4, 4, seed=2), np.abs(numbers(F4, 4, seed=3))
    for names in ((b"FusedBatchNorm",), *((b"FusedBatchNorm", name) for name in ACTIVATIONS[:4])):
        yield case("_FusedConv2D", x, filters, *norm, fused_ops=names, num_args=4, num_host_args=0, epsilon=0.01, **ONE)
    attrs = {"strides": (1, 2, 2, 1), "padding": b"EXPLICIT", "explicit_paddings": (0, 0, 1, 2, 0, 1, 0, 0)}
    yield case(
        "_FusedConv2D", x, filters, norm[0], fused_ops=(b"BiasAdd", b"Relu"), num_args=1, num_host_args=0, **attrs
    )
    leaky = {"fused_ops": (b"BiasAdd", b"LeakyRelu"), "leakyrelu_alpha": 0.3}
    yield case("_FusedConv2D", x, filters, norm[0], num_args=1, num_host_args=0, **leaky, **ONE)
    a, b, bias = numbers(F4, 3, 5), numbers(F4, 5, 4), numbers(F4, 4)
    for names in ((b"BiasAdd",), *((b"BiasAdd", name) for name in ACTIVATIONS)):
        yield case("_FusedMatMul", a, b, bias, fused_ops=names, num_args=1)
    yield case("_FusedMatMul", a.T.copy(), b, bias, fused_ops=(b"BiasAdd",), num_args=1, transpose_a=True)
    yield case("_FusedMatMul", a, b.T.copy(), bias, fused_ops=(b"BiasAdd", b"Relu"), num_args=1, transpose_b=True)


def padded() -> Iterator[Case]:
    x, filters = numbers(F4, 1, 6, 7, 2), numbers(F4, 3, 3, 2, 4)
    pads = i4([[0, 0], [1, 2], [2, 1], [0, 0]])
    for mode in (b"REFLECT", b"SYMMETRIC"):
        for more in (ONE, {"strides": (1, 2, 2, 1), "padding": b"VALID"}):
            yield case("FusedPadConv2D", x, pads, filters, mode=mode, **more)
            for corners in (False, True):
                resize = {"resize_align_corners": corners, "mode": mode}
                yield case("FusedResizeAndPadConv2D", x, i4([9, 11]), pads, filters, **resize, **more)
