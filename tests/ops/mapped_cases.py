"""Calls of the ops that read weights, besides those that the kernels are tested with."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from pbslim.dtypes import FLOAT, QINT32
from tests.kernels.operands import F2, F4, F8, Case, case, i4, numbers

_TYPES = (F4, F2, F8)


def _convolutions() -> Iterator[Case]:
    image, ones = numbers(F4, 2, 8, 8, 3), (1, 1, 1, 1)
    for kernel in ((3, 3, 3, 4), (1, 1, 3, 4), (8, 8, 3, 4)):  # the last two are matrix products
        for padding in (b"SAME", b"VALID"):
            for kind in _TYPES:
                weights = numbers(kind, *kernel)
                yield case("Conv2D", image.astype(kind), weights, strides=ones, padding=padding)
    yield case("Conv2D", image, numbers(F4, 3, 3, 3, 4), strides=(1, 2, 2, 1), padding=b"SAME", dilations=ones)
    yield case("Conv2D", image, numbers(F4, 3, 3, 3, 4), strides=ones, padding=b"SAME", dilations=(1, 2, 2, 1))
    for multiplier in (1, 2):
        for kind in (F4, F8):
            weights = numbers(kind, 3, 3, 3, multiplier)
            yield case("DepthwiseConv2dNative", image.astype(kind), weights, strides=ones, padding=b"SAME")
    video, cube = numbers(F4, 1, 5, 5, 5, 2), numbers(F4, 3, 3, 3, 2, 4)
    yield case("Conv3D", video, cube, strides=(1, 1, 1, 1, 1), padding=b"SAME")
    yield case("Conv3D", video, numbers(F4, 1, 1, 1, 2, 4), strides=(1, 1, 1, 1, 1), padding=b"VALID")
    for kernel in ((3, 3, 3, 4), (1, 1, 3, 4)):
        back = numbers(F4, 2, 8, 8, 4)
        sizes = i4([2, 8, 8, 3])
        yield case("Conv2DBackpropInput", sizes, numbers(F4, *kernel), back, strides=ones, padding=b"SAME")
    yield case(
        "DepthwiseConv2dNativeBackpropInput",
        i4([2, 8, 8, 3]),
        numbers(F4, 3, 3, 3, 2),
        numbers(F4, 2, 8, 8, 6),
        strides=ones,
        padding=b"SAME",
    )
    sizes, back = i4([1, 5, 5, 5, 2]), numbers(F4, 1, 5, 5, 5, 4)
    yield case("Conv3DBackpropInputV2", sizes, cube, back, strides=(1, 1, 1, 1, 1), padding=b"SAME")
    yield case("Dilation2D", image, numbers(F4, 3, 3, 3), strides=ones, rates=ones, padding=b"SAME")


def _fused() -> Iterator[Case]:
    image, weights = numbers(F4, 2, 8, 8, 3), numbers(F4, 3, 3, 3, 4)
    fused = {"num_args": 1, "fused_ops": (b"BiasAdd",)}
    convolution = {**fused, "TArgs": (FLOAT,)}
    yield case("_FusedConv2D", image, weights, numbers(F4, 4), strides=(1, 1, 1, 1), padding=b"SAME", **convolution)
    yield case("_FusedMatMul", numbers(F4, 5, 6), numbers(F4, 6, 7), numbers(F4, 7), **fused)
    depthwise = numbers(F4, 3, 3, 3, 1)
    strides = (1, 1, 1, 1)
    yield case(
        "_FusedDepthwiseConv2dNative", image, depthwise, numbers(F4, 3), strides=strides, padding=b"SAME", **fused
    )


def _recurrent() -> Iterator[Case]:
    batch, cells, inputs = 2, 4, 3
    state, gates = numbers(F4, batch, cells), numbers(F4, inputs + cells, 4 * cells)
    peepholes = [numbers(F4, cells, seed=k) for k in range(3)]
    bias = numbers(F4, 4 * cells)
    for use in (False, True):
        x = numbers(F4, batch, inputs)
        yield case("LSTMBlockCell", x, state, state, gates, *peepholes, bias, use_peephole=use)
        steps = np.array(5, np.int64)
        x = numbers(F4, 5, batch, inputs)
        yield case("BlockLSTM", steps, x, state, state, gates, *peepholes, bias, use_peephole=use)
    update = numbers(F4, inputs + cells, 2 * cells)
    candidate = numbers(F4, inputs + cells, cells)
    x = numbers(F4, batch, inputs)
    yield case("GRUBlockCell", x, state, update, candidate, numbers(F4, 2 * cells), numbers(F4, cells))


def _quantized() -> Iterator[Case]:
    low, high = F4(-1), F4(2)
    image, weights = numbers(np.uint8, 2, 8, 8, 3), numbers(np.uint8, 3, 3, 3, 4)
    ranges = [low, high, low, high]
    eight = ("quint8", "quint8", "float", "float", "float", "float")
    yield case("QuantizedConv2D", image, weights, *ranges, types=eight, strides=(1, 1, 1, 1), padding=b"SAME")
    matrices = numbers(np.uint8, 5, 6), numbers(np.uint8, 6, 7)
    yield case("QuantizedMatMul", *matrices, *ranges, types=eight)
    yield case("QuantizedBiasAdd", image, numbers(np.uint8, 3), *ranges, types=eight, out_type=QINT32)


def _others() -> Iterator[Case]:
    for op in ("ResizeArea", "ResizeBicubic", "ResizeBilinear", "ResizeNearestNeighbor"):
        for size in (8, 5):
            yield case(op, numbers(F4, 2, 8, 8, 3), i4([size, size]))
    for op in ("SparseSegmentMean", "SparseSegmentSum", "SparseSegmentSqrtN"):
        yield case(op, numbers(F4, 9, 4), i4([8, 1, 1, 5]), i4([0, 0, 1, 1]))


CASES = [*_convolutions(), *_fused(), *_recurrent(), *_quantized(), *_others()]
