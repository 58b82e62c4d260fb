"""Ops on codes of eight bits."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from pbslim.dtypes import QINT32
from pbslim.kernels.checks import Array
from tests.kernels.operands import F4, NAMED, U1, Case, case

RANGES = [(0.0, 1.0, -1.0, 1.0), (-3.7, 12.9, -0.013, 0.4), (0.5, 2.0, -4.0, -1.0)]


def _codes(*shape: int, seed: int = 0) -> Array:
    return np.random.default_rng(seed + 5 * len(shape)).integers(0, 256, shape).astype(U1)


def _case(op: str, a: Array, b: Array, bounds: tuple[float, ...], **attrs: Any) -> Case:
    types = ["quint8", "quint8", *["float"] * 4]
    return case(op, a, b, *(F4(bound) for bound in bounds), types=types, **attrs)


def quantized_ops() -> Iterator[Case]:
    for bounds in RANGES:
        for padding, stride in ((b"SAME", 1), (b"VALID", 2)):
            attrs: dict[str, Any] = {"padding": padding, "strides": (1, stride, stride, 1)}
            yield _case("QuantizedConv2D", _codes(2, 5, 6, 3), _codes(3, 2, 3, 4), bounds, **attrs)
        yield _case("QuantizedMatMul", _codes(3, 5), _codes(5, 4), bounds)
        yield _case("QuantizedMatMul", _codes(5, 3), _codes(5, 4), bounds, transpose_a=True)
        yield _case("QuantizedMatMul", _codes(3, 5), _codes(4, 5), bounds, transpose_b=True)
        for op in ("QuantizedMul", "QuantizedAdd"):
            yield _case(op, _codes(2, 3, 4), _codes(2, 3, 4, seed=1), bounds)
            yield _case(op, _codes(2, 3, 4), _codes(4), bounds)
            yield _case(op, _codes(4), _codes(2, 3, 4), bounds)
            yield _case(op, _codes(2, 3), _codes(), bounds)
            yield _case(op, _codes(1, 1, 4), _codes(2, 2, 3, 4), bounds)
            yield _case(op, _codes(2, 3, 4), _codes(1, 3, 4), bounds)
            yield _case(op, _codes(1, 1), _codes(2, 3), bounds)
            yield _case(op, _codes(2, 6), _codes(2, 1), bounds)
            yield _case(op, _codes(1, 1, 4), _codes(4), bounds)
            yield _case(op, _codes(3, 1, 1), _codes(1, 3, 2, 2), bounds)
        yield _case("QuantizedBiasAdd", _codes(2, 3, 3, 4), _codes(4), bounds, out_type=QINT32)
    for padding in (b"SAME", b"VALID"):
        attrs = {"ksize": (1, 3, 2, 1), "strides": (1, 2, 2, 1), "padding": padding}
        types = ["quint8", "float", "float"]
        yield case("QuantizedAvgPool", _codes(2, 5, 6, 3), F4(-1), F4(2), types=types, **attrs)
    for size in ([9, 11], [3, 2], [5, 6]):
        for attrs in ({}, {"align_corners": True}, {"half_pixel_centers": True}):
            operands = _codes(2, 5, 6, 3), np.array(size, np.int32), F4(-1), F4(2)
            yield case("QuantizedResizeBilinear", *operands, types=["quint8", "int32", "float", "float"], **attrs)
    reals = np.array([-3, -1, -0.5, -0.001, 0, 0.3, 0.7, 1, 1.9999, 2, 5], F4)
    for mode in (b"MIN_COMBINED", b"MIN_FIRST", b"SCALED"):
        for low, high in ((-1, 2), (0, 6), (-5, -1), (-1e-3, 1e-3)):
            yield case("QuantizeV2", reals, F4(low), F4(high), mode=mode, T=QINT32)
    sums, types = np.arange(-1400, 2600, dtype=np.int32), ["qint32", *["float"] * 4]
    bounds = F4(-1.7358882e7), F4(1.7358882e7), F4(-38.416164), F4(71.574104)
    yield case("Requantize", sums, *bounds, types=types, out_type=NAMED["quint8"])
    for scale in (True, False):
        parts: list[Any] = []
        for k, (shape, low, high) in enumerate(
            [((2, 3, 3, 4), -2.0, 3.0), ((4,), -1.0, 1.0), ((4,), 0.1, 2.0), ((4,), -1.0, 0.5), ((4,), -2.0, 2.0)]
        ):
            parts += [_codes(*shape, seed=k), F4(low), F4(high)]
        attrs = {"variance_epsilon": 0.01, "scale_after_normalization": scale, "out_type": QINT32}
        types = ["quint8", "float", "float"] * 5
        yield case("QuantizedBatchNormWithGlobalNormalization", *parts, types=types, **attrs)
