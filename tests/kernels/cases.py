"""One row for each op, attributes and operands that the kernels are held against TensorFlow with."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Iterator
from typing import Any

import numpy as np

from pbslim.dtypes import BFLOAT16, DOUBLE, FLOAT, HALF, INT32, INT64, UINT8, DType, Shape
from tests.kernels.audio_cases import audio
from tests.kernels.fused_cases import fused, padded
from tests.kernels.gradient_cases import backward
from tests.kernels.operands import (
    ALL_INTS,
    BF,
    C8,
    C16,
    COMPLEX,
    EDGES,
    F2,
    F4,
    F8,
    FLOATS,
    I1,
    I4,
    I8,
    INF,
    INTS,
    NAMED,
    NAN,
    SIGNED,
    U1,
    Case,
    case,
    edge_pairs,
    edges,
    i4,
    i8,
    nonzero,
    numbers,
    strings,
)
from tests.kernels.quantized_cases import quantized_ops
from tests.kernels.ragged_cases import ragged
from tests.kernels.random_cases import random
from tests.kernels.recurrent_cases import recurrent
from tests.kernels.score_cases import adjusted, labels, losses
from tests.kernels.sparse_cases import sparse
from tests.kernels.suppression_cases import combined_suppression, suppression
from tests.kernels.text_cases import code_points, patterns, tokens
from tests.kernels.transposed_cases import transposed
from tests.kernels.window_cases import morphology, resampled, sizes, volumes, windows


def binary() -> Iterator[Case]:
    for op in ("Add", "AddV2", "Sub", "Mul"):
        for dtype in (*FLOATS, *INTS, *COMPLEX):
            if dtype is C16 and op == "Add":
                continue
            yield case(op, numbers(dtype, 3, 4), numbers(dtype, 4, seed=1))
        yield case(op, *edge_pairs(F4))
        yield case(op, *edge_pairs(F2))
    yield case("AddV2", numbers(np.uint16, 3), numbers(np.uint16, 3))
    yield case("Sub", numbers(np.int16, 3), numbers(np.int16, 3))
    yield case("Add", np.array([2**31 - 1, -(2**31)], I4), np.array([1, -1], I4))
    yield case("Mul", np.array([2**31 - 1, 65536], I4), np.array([3, 65536], I4))
    yield case("Sub", np.array([0, 3], U1), np.array([1, 5], U1))
    yield case("Add", strings([b"a", b"b"]), strings(b"-x"))
    yield case("Mul", numbers(F4, 0, 3), numbers(F4, 3))
    yield case("Mul", numbers(F4), numbers(F4, 2, 1, 2))
    yield case("Sub", numbers(F4, 2, 1, 3), numbers(F4, 5, 1))
    for op in ("Maximum", "Minimum"):
        for dtype in (*FLOATS, I4, I8):
            yield case(op, numbers(dtype, 2, 3), numbers(dtype, 3, seed=3))
        yield case(op, *edge_pairs(F4))
        yield case(op, *edge_pairs(F8))
    for op in ("Div", "RealDiv"):
        for dtype in (*FLOATS, *COMPLEX):
            yield case(op, numbers(dtype, 3, 4), nonzero(numbers(dtype, 4, seed=1)))
        yield case(op, *edge_pairs(F4))
    for op in ("Div", "TruncateDiv", "FloorDiv", "FloorMod", "Mod", "TruncateMod"):
        for dtype in (I4, I8) if op == "Mod" else (I4, I8, U1, np.int16) if "Mod" not in op else (I4, I8):
            yield case(op, numbers(dtype, 5, 4), nonzero(numbers(dtype, 4, seed=1)))
    for op in ("FloorDiv", "FloorMod", "Mod", "TruncateMod"):
        for dtype in FLOATS if op.startswith("Floor") else (F4, F8):
            yield case(op, numbers(dtype, 5, 4), nonzero(numbers(dtype, 4, seed=1)))
        yield case(op, *edge_pairs(F4))
    yield case("FloorDiv", i4([-(2**31), 7, -7]), i4([-1, -2, 2]))
    yield case("FloorMod", i4([-(2**31), 7, -7]), i4([-1, -2, 2]))
    yield case("Div", i4([-(2**31), 7, -7]), i4([-1, -2, 2]))
    for op in ("DivNoNan", "MulNoNan", "Xdivy", "Xlogy", "Xlog1py"):
        for dtype in (*FLOATS, C8):
            yield case(op, numbers(dtype, 3, 4), np.abs(numbers(dtype, 4, seed=1)).astype(dtype))
        yield case(op, np.array([0, 0, 1, 2, 3], F4), np.array([0, 1, 0, 5, 0.25], F4))
    yield case("DivNoNan", *edge_pairs(F4))
    yield case("MulNoNan", *edge_pairs(F4))
    for dtype in (*FLOATS, *COMPLEX):
        yield case("Pow", np.abs(numbers(dtype, 3, 4)).astype(dtype) + dtype(0.1), numbers(dtype, 4, seed=1))
    yield case("Pow", *edge_pairs(F4))
    for dtype in (I4, I8):
        yield case("Pow", numbers(dtype, 6), np.abs(numbers(dtype, 6, seed=2)))
    yield case("Pow", i4([2, 0, 3]), i4([40, 0, 1]))
    for dtype in (F4, F8, F2, BF):
        yield case("Atan2", numbers(dtype, 6), numbers(dtype, 6, seed=2))
    yield case("Atan2", *edge_pairs(F4))
    for dtype in (F4, F8):
        yield case("NextAfter", *edge_pairs(dtype))
        yield case("NextAfter", numbers(dtype, 2, 3), numbers(dtype, 3, seed=1))
    for dtype in (*FLOATS, I4, I8, *COMPLEX):
        yield case("SquaredDifference", numbers(dtype, 3, 4), numbers(dtype, 4, seed=1))
    for op in ("AddN", "AccumulateNV2"):
        shape: dict[str, object] = {"shape": Shape((2, 3))} if op == "AccumulateNV2" else {}
        for dtype in (F4, F8, I4, F2, C8) if not shape else (F4, F8, I4):
            yield case(op, *(numbers(dtype, 2, 3, seed=s) for s in range(4)), **shape)
        yield case(op, numbers(F4, 2, 3), **shape)
    for dtype in (*FLOATS, I4, I8, U1):
        low, high = np.array(1, dtype), np.array(4, dtype)
        yield case("ClipByValue", numbers(dtype, 3, 4), low, high)
    yield case("ClipByValue", numbers(F4, 5), numbers(F4, 5) - F4(1), numbers(F4, 5) + F4(0.1))
    yield case("ClipByValue", edges(F4), F4(-1), F4(2))
    yield case("ClipByValue", edges(F4), F4(2), F4(-1))


REAL_ONLY = ("Ceil", "Erf", "Erfc", "Floor", "Lgamma")
INEXACT = (
    *("Acos", "Acosh", "Asin", "Asinh", "Atan", "Atanh", "Cos", "Cosh", "Exp", "Expm1", "Inv", "Log", "Log1p"),
    *("Reciprocal", "Rint", "Rsqrt", "Sigmoid", "Sin", "Sinh", "Sqrt", "Tan", "Tanh"),
)
ACTIVATIONS = ("Elu", "Selu", "Softplus", "Softsign", "Relu", "Relu6", "LeakyRelu")


def unary() -> Iterator[Case]:
    for op in (*REAL_ONLY, *INEXACT):
        for dtype in {"Rint": (F4, F8), "Lgamma": (F4, F8, F2)}.get(op, FLOATS):
            yield case(op, numbers(dtype, 3, 4))
            yield case(op, np.linspace(-1, 1, 33).astype(dtype))
            # TensorFlow's Erf of an infinite double is NaN
            yield case(op, edges(dtype) if op != "Erf" or dtype is not F8 else edges(F8)[3:])
        yield case(op, numbers(F4, 0, 2))
        yield case(op, F4(0.7))
    for op in ("Erf", "Erfc"):
        yield case(op, np.linspace(-10, 10, 40_000).astype(F4).reshape(2, -1).T)
    for op in sorted({*INEXACT} - {"Rint"}):
        yield case(op, numbers(C8, 3, 4))
    for op in ("Neg", "Square", "Sign", "Abs", "Round"):
        for dtype in (*FLOATS, *SIGNED):
            if (dtype in (np.int16, I1) and op == "Square") or (np.dtype(dtype).kind == "i" and op == "Round"):
                continue  # of Round, TensorFlow 2.21 makes zeros of integers
            yield case(op, numbers(dtype, 3, 4))
        yield case(op, edges(F4))
        yield case(op, edges(F2))
        if op != "Round":
            yield case(op, i4([-(2**31), 2**31 - 1, 0]))
    for op in ("Neg", "Square", "Sign"):
        yield case(op, numbers(C8, 3, 4))
    yield case("Sign", np.array([0, 1j, 3 + 4j], C8))
    yield case("Round", np.array([0.5, 1.5, 2.5, -0.5, -1.5, 2.4999998], F4))
    for op in ("IsNan", "IsInf", "IsFinite"):
        for dtype in FLOATS:
            yield case(op, edges(dtype))
    for op in ACTIVATIONS:
        for dtype in FLOATS:
            yield case(op, numbers(dtype, 3, 4) * dtype(3))
            yield case(op, edges(dtype))
    for op in ("Relu", "Relu6"):
        for dtype in (I4, I8, U1, I1):
            yield case(op, numbers(dtype, 3, 4))
    yield case("LeakyRelu", edges(F4), alpha=0.5)
    yield case("LeakyRelu", edges(F4), alpha=1.5)
    for op in ("Softmax", "LogSoftmax"):
        for dtype in FLOATS:
            yield case(op, numbers(dtype, 3, 7))
        yield case(op, numbers(F4, 2, 3, 4))
        yield case(op, numbers(F4, 3, 33))
        yield case(op, numbers(F8, 2, 1, 33))
        yield case(op, numbers(F4, 5))
        yield case(op, numbers(F4, 0, 5))
        yield case(op, np.array([[1000, 0], [-INF, 1]], F4))
    for dtype, out in ((F4, NAMED["complex64"]), (F8, NAMED["complex128"])):
        yield case("Complex", numbers(dtype, 2, 3), numbers(dtype, 3), Tout=out)
    yield case("Complex", numbers(F4, 3), numbers(F4, 3))
    for op in ("Real", "Imag", "Angle", "ComplexAbs"):
        yield case(op, numbers(C8, 2, 3))
        yield case(op, numbers(C16, 2, 3), Tout=DOUBLE)
    for dtype in COMPLEX:
        yield case("Conj", numbers(dtype, 2, 3))


def logic() -> Iterator[Case]:
    for op in ("Equal", "NotEqual"):
        for dtype in (*FLOATS, *INTS, C8, bool, object):
            yield case(op, numbers(dtype, 3, 4), numbers(dtype, 4))
        yield case(op, edges(F4), edges(F4))
        yield case(op, numbers(F4, 2), numbers(F4, 3), incompatible_shape_error=False)
        yield case(op, numbers(F4, 2), numbers(F4, 2), incompatible_shape_error=True)
    for op in ("Less", "LessEqual", "Greater", "GreaterEqual"):
        for dtype in (*FLOATS, *INTS):
            yield case(op, numbers(dtype, 3, 4), numbers(dtype, 4))
        yield case(op, *edge_pairs(F4))
    for op in ("LogicalAnd", "LogicalOr"):
        yield case(op, numbers(bool, 3, 4), numbers(bool, 4, seed=3))
    yield case("LogicalNot", numbers(bool, 3, 4))
    for op in ("BitwiseAnd", "BitwiseOr", "BitwiseXor", "LeftShift", "RightShift"):
        for dtype in ALL_INTS:
            yield case(op, numbers(dtype, 3, 4), np.abs(numbers(dtype, 4, seed=1)))
    for op in ("LeftShift", "RightShift"):
        yield case(op, i4([1, -8, 8]), i4([-1, 31, 40]))
    for dtype in ALL_INTS:
        yield case("Invert", numbers(dtype, 3, 4))
    yield case("ApproximateEqual", np.array([1, 1, NAN], F4), np.array([1.000001, 1.1, NAN], F4))
    yield case("ApproximateEqual", np.array([1, 1.0], F8), np.array([1.05, 1.2], F8), tolerance=0.1)


def selection() -> Iterator[Case]:
    for dtype in (*FLOATS, *INTS, C8, bool, object):
        x, y = numbers(dtype, 3, 4), numbers(dtype, 3, 4, seed=1)
        yield case("Select", numbers(bool, 3, 4, seed=2), x, y)
        yield case("Select", np.array([True, False, True]), x, y)
        yield case("Select", np.array(True), x, y)
        yield case("SelectV2", numbers(bool, 4, seed=2), x, y[:1])
    yield case("SelectV2", numbers(bool, 2, 1, 4), numbers(F4, 3, 1), numbers(F4))
    for dtype in (bool, F4, F8, I4, I8, U1, C8):
        yield case("Where", numbers(dtype, 3, 4))
    yield case("Where", numbers(bool, 0, 4))
    yield case("Where", numbers(bool, 2, 3, 2))
    for dtype in (F4, F8, I4, I8, U1, F2, BF):
        yield case("TopKV2", numbers(dtype, 3, 9), i4(4))
    yield case("TopKV2", np.array([1, 5, 5, 2, 5], F4), i4(3), sorted=True)
    yield case("TopKV2", numbers(F4, 2, 3), i4(0))
    yield case("TopKV2", numbers(F4, 2, 3), i4(1), sorted=False)
    yield case("TopKV2", numbers(F4, 2, 3), i4(2), index_type=INT64)
    for dtype in (F4, F8, I4, I8, U1, bool, object):
        yield case("Unique", numbers(dtype, 30))
        yield case("UniqueWithCounts", numbers(dtype, 30))
    yield case("Unique", numbers(I4, 0))
    yield case("Unique", numbers(I4, 9), out_idx=INT64)
    for dtype in (F4, I4, I8, object):
        yield case("ListDiff", numbers(dtype, 20), numbers(dtype, 5, seed=4))
    yield case("InvertPermutation", i4([3, 0, 2, 1]))
    yield case("InvertPermutation", i8([0]))


def casts() -> Iterator[Case]:
    safe = np.array([0, 1, 2.5, 3.9, 100, 0.2], F8)
    kinds = (*FLOATS, *ALL_INTS, *COMPLEX, bool)
    for source in kinds:
        for target in kinds:
            yield case("Cast", safe.astype(source), DstT=DType.from_numpy(np.dtype(target)))
    for source in FLOATS:
        for target in (I4, I8, np.int16, I1):
            yield case("Cast", np.array([-1.9, -100, 100, -0.5], source), DstT=DType.from_numpy(np.dtype(target)))
        for target in (*FLOATS, bool, C8):
            yield case("Cast", edges(source), DstT=DType.from_numpy(np.dtype(target)))
    for source in (I4, I8, np.uint64):
        large = np.array([2**31 - 1, 16777217, 2049, 65519], np.int64).astype(source)
        for target in (F4, F2, BF, I1, U1, np.int16, np.uint32, F8):
            yield case("Cast", large, DstT=DType.from_numpy(np.dtype(target)))
    yield case("Cast", i8([2**62 + 1, -(2**53) - 1]), DstT=FLOAT)
    yield case("Cast", np.array([1 + 2**-11 + 2**-40, 65519.99999, 1e300, 1e-320], F8), DstT=HALF)
    yield case("Cast", np.array([1j, 0, 1, NAN], C8), DstT=NAMED["bool"])
    rough = np.array([1.999999, -3.1415926, INF, -INF, NAN, 70000, 65519, 65520, 1e-7, 3e-8], F4)
    for target_type in (HALF, BFLOAT16):
        yield case("Cast", rough, DstT=target_type, Truncate=True)
    for target_type in (HALF, FLOAT):
        yield case("Cast", rough.astype(F8) * (1 + 1e-12), DstT=target_type, Truncate=True)
    yield case("Cast", rough.astype(F2), DstT=BFLOAT16, Truncate=True)
    yield case("Cast", rough.astype(F2), DstT=FLOAT, Truncate=True)
    yield case("Cast", i4([1, 2]), DstT=FLOAT, Truncate=False)
    yield case("Cast", strings([b"a"]), DstT=NAMED["string"])
    for name in ("quint8", "qint8", "qint32", "quint16", "qint16"):
        yield case("Cast", np.array([1, 5], NAMED[name].numpy), types=[name], DstT=FLOAT)
        yield case("Cast", np.array([1, 5], F4), DstT=NAMED[name])
    for name in ("float8_e5m2", "float8_e4m3fn"):
        yield case("Cast", np.array([0, 1, 3, 5.2], F4), DstT=NAMED[name])
        yield case("Cast", np.array([0, 1, 3, 5], NAMED[name].numpy), DstT=FLOAT)
    for source, target_name in (
        *((F4, "int32"), (I4, "float"), (F4, "uint8"), (F8, "int32"), (F2, "int16"), (C8, "double"), (BF, "half")),
        *((I8, "complex64"), (I4, "qint32"), (U1, "quint8"), (F4, "bfloat16")),
    ):
        yield case("Bitcast", numbers(source, 3, 2), type=NAMED[target_name])
    yield case("Bitcast", np.arange(24, dtype=U1).reshape(2, 3, 4), type=FLOAT)
    yield case("Bitcast", np.arange(8, dtype=F4).reshape(4, 2), type=DOUBLE)
    yield case("Bitcast", np.arange(4, dtype=U1), type=INT32)
    yield case("Bitcast", numbers(F4, 0, 2), type=UINT8)


def shapes() -> Iterator[Case]:
    for dtype in (F4, I4, BF, C8, bool, object):
        x = numbers(dtype, 2, 3, 1)
        for op in ("Identity", "Snapshot", "StopGradient", "PreventGradient"):
            if not (op == "Snapshot" and dtype in (object, C8, BF, bool)):
                yield case(op, x)
        yield case("Reshape", x, i4([3, -1]))
        yield case("Squeeze", x)
        yield case("ExpandDims", x, i4(1))
        yield case("Transpose", x, i4([2, 0, 1]))
        yield case("IdentityN", x, numbers(F4, 3))
        yield case("Shape", x)
    yield case("PlaceholderWithDefault", numbers(F4, 2), shape=Shape((2,)))
    yield case("CheckNumerics", numbers(F4, 2), message=b"oh")
    yield case("EnsureShape", numbers(F4, 2, 3), shape=Shape((2, -1)))
    yield case("Const", value=numbers(F4, 2, 3), dtype=FLOAT)
    yield case("Const", value=strings([b"a", b"bc"]), dtype=NAMED["string"])
    yield case("NoOp")
    for out in (INT32, INT64):
        for op in ("Shape", "Size"):
            yield case(op, numbers(F4, 2, 0, 3), out_type=out)
            yield case(op, numbers(F4), out_type=out)
        yield case("ShapeN", numbers(F4, 2, 3), numbers(F4), out_type=out)
    yield case("Shape", numbers(object, 2, 3))
    yield case("Size", numbers(F4, 2, 3))
    yield case("ShapeN", numbers(F4, 2, 3), numbers(F4))
    yield case("Rank", numbers(F4, 2, 0, 3))
    yield case("Rank", numbers(bool))
    yield case("Reshape", numbers(F4, 2, 3), i8([6]))
    yield case("Reshape", numbers(F4), i4([1, 1]))
    yield case("Reshape", numbers(F4, 1, 1), i4([]))
    yield case("Reshape", numbers(F4, 0, 3), i4([3, -1]))
    yield case("Reshape", np.arange(6, dtype=U1), i4([3, 2]), types=["quint8", "int32"])
    yield case(
        "QuantizedReshape",
        np.arange(6, dtype=U1),
        i4([3, 2]),
        F4(-1),
        F4(2),
        types=["quint8", "int32", "float", "float"],
    )
    yield case("Squeeze", numbers(F4, 1, 2, 1), squeeze_dims=(-1,))
    yield case("Squeeze", numbers(F4, 1, 2, 1), squeeze_dims=(0, 2))
    yield case("Squeeze", numbers(F4, 1, 2, 1), squeeze_dims=())
    for axis in (-3, -1, 0, 2):
        yield case("ExpandDims", numbers(F4, 2, 3), i4(axis))
    yield case("ExpandDims", numbers(F4, 2, 3), i8([1]))
    yield case("ExpandDims", numbers(F4), i4(0))
    yield case("Transpose", numbers(F4, 2, 3, 4, 5), i4([3, 1, 0, 2]))
    yield case("Transpose", numbers(F4), i4([]))
    yield case("Transpose", numbers(F4, 2, 3), i8([1, 0]))
    yield case("ConjugateTranspose", numbers(C8, 2, 3), i4([1, 0]))
    yield case("ConjugateTranspose", numbers(F4, 2, 3), i4([1, 0]))
    for a, b in (
        ([2, 3], [3]),
        ([2, 1], [1, 5]),
        ([], [4]),
        ([2, 3], [2, 3]),
        ([1], [1, 1]),
        ([1, 3], [2, 1, 3]),
        ([1], [1]),
    ):
        yield case("BroadcastArgs", i4(a), i4(b))
        yield case("BroadcastGradientArgs", i4(a), i4(b))
    yield case("BroadcastGradientArgs", i8([5, 1]), i8([5, 2]))
    yield case("ConcatOffset", i4(1), i4([2, 3, 4]), i4([2, 5, 4]), i4([2, 1, 4]))
    yield case("ConcatOffset", i4(-1), i4([2, 3]), i4([2, 5]))
    yield case("UnravelIndex", i4([5, 22]), i4([5, 6]))
    yield case("UnravelIndex", i8(7), i8([2, 2, 2]))


def slicing() -> Iterator[Case]:
    for dtype in (F4, BF, I8, bool, object, C8):
        x = numbers(dtype, 4, 5)
        yield case("Slice", x, i4([1, 2]), i4([2, -1]))
        yield case("StridedSlice", x, i4([-1, 1]), i4([0, 4]), i4([-2, 1]))
        yield case("Tile", x, i4([2, 1]))
        yield case("Reverse", x, np.array([True, False]))
        yield case("ReverseV2", x, i4([1]))
        yield case("Roll", x, i4([1, -2]), i4([0, 1]))
        yield case("BroadcastTo", x[:, :1], i4([2, 4, 3]))
        if dtype is not object:
            yield case("MirrorPad", x, i4([[1, 2], [0, 3]]), mode=b"REFLECT")
        if dtype is not object:
            yield case("Pad", x, i4([[1, 2], [0, 3]]))
            yield case("PadV2", x, i4([[1, 2], [0, 3]]), x[0, 0][...])
    yield case("Slice", numbers(F4, 4, 5), i8([0, 5]), i8([-1, 0]))
    yield case("Slice", numbers(F4), i4([]), i4([]))
    x = numbers(I4, 4, 5, 6)
    masks = [
        ({}, [1, 0, 2], [3, 5, 6], [1, 2, 3]),
        ({"begin_mask": 1}, [3, 0, 2], [3, 5, 6], [1, 2, 3]),
        ({"end_mask": 5}, [3, 0, 2], [0, 5, 1], [1, 2, 3]),
        ({"begin_mask": 7, "end_mask": 7}, [9, 9, 9], [0, 0, 0], [-1, -2, 1]),
        ({"shrink_axis_mask": 1}, [2], [3], [1]),
        ({"shrink_axis_mask": 7}, [2, -1, 0], [3, 0, 1], [1, 1, 1]),
        ({"shrink_axis_mask": 1, "begin_mask": 1}, [2], [3], [1]),
        ({"ellipsis_mask": 1}, [0, 1], [0, 4], [1, 2]),
        ({"ellipsis_mask": 2}, [1, 0, 1], [2, 0, 4], [1, 1, 2]),
        ({"ellipsis_mask": 2, "shrink_axis_mask": 5}, [1, 0, 1], [2, 0, 4], [1, 1, 2]),
        ({"ellipsis_mask": 8}, [1, 0, 1, 0], [2, 2, 4, 0], [1, 1, 2, 1]),
        ({"new_axis_mask": 1}, [0, 1], [0, 3], [1, 1]),
        ({"new_axis_mask": 5, "shrink_axis_mask": 7}, [0, 1, 0], [0, 3, 0], [1, 1, 1]),
        ({"new_axis_mask": 4, "ellipsis_mask": 2}, [1, 0, 0, 2], [2, 0, 0, 4], [1, 1, 1, 1]),
        ({"new_axis_mask": 2, "ellipsis_mask": 2}, [1, 0, 2], [2, 0, 4], [1, 1, 1]),
        ({"new_axis_mask": 8}, [0, 0, 0, 0], [1, 2, 3, 0], [1, 1, 1, 1]),
        ({}, [-100], [100], [1]),
        ({}, [100], [-100], [-1]),
        ({}, [3], [1], [1]),
        ({}, [-1], [-3], [-1]),
        ({}, [], [], []),
    ]
    for attrs, begin, end, strides in masks:
        yield case("StridedSlice", x, i4(begin), i4(end), i4(strides), **attrs)
    yield case("StridedSlice", i4([7, 8, 9]), i8([1]), i8([2]), i8([1]), shrink_axis_mask=1)
    yield case("StridedSlice", strings([b"a", b"b"]), i4([1]), i4([2]), i4([1]), shrink_axis_mask=1)
    yield case("StridedSlice", numbers(F4), i4([0]), i4([0]), i4([1]), new_axis_mask=1)
    yield case("StridedSlice", numbers(F4, 0, 2), i4([0]), i4([5]), i4([1]))
    yield case("StridedSlice", numbers(F4, 4), i4([-(2**31)]), i4([2**31 - 1]), i4([2]))
    yield case("ReverseV2", numbers(F4, 2, 3, 4), i4([-1, 0]))
    yield case("ReverseV2", numbers(F4, 2, 3), i4([]))
    yield case("ReverseV2", numbers(F4, 2, 3), i8([1]))
    yield case("Roll", numbers(F4, 5), i4(7), i4(0))
    yield case("Roll", numbers(F4, 3, 5), i8([1, 1]), i8([-1, -1]))
    for mode in (b"REFLECT", b"SYMMETRIC"):
        yield case("MirrorPad", numbers(F4, 4, 3), i4([[3, 1], [2, 2]]), mode=mode)
        yield case("MirrorPad", numbers(I4, 4), i8([[0, 3]]), mode=mode)
    yield case("Pad", numbers(F4, 0, 2), i4([[1, 1], [0, 0]]))
    yield case("Pad", numbers(F4), np.zeros([0, 2], I4))
    yield case("Tile", numbers(F4, 2, 3), i8([0, 2]))
    yield case("Tile", numbers(F4), i4([]))
    yield case("BroadcastTo", numbers(F4), i8([2, 0]))
    yield case("BroadcastTo", numbers(object), i4([2, 2]))


def joining() -> Iterator[Case]:
    for dtype in (F4, F2, I4, U1, bool, C8, object):
        x, y = numbers(dtype, 2, 3), numbers(dtype, 2, 3, seed=1)
        yield case("Concat", i4(1), x, y)
        yield case("ConcatV2", x, y, i4(-1))
        yield case("Pack", x, y, axis=-1)
        yield case("Pack", x, y)
        yield case("Unpack", x, num=3, axis=1)
        yield case("Split", i4(1), x, num_split=3)
        yield case("SplitV", x, i4([1, -1]), i4(-1), num_split=2)
    yield case("ConcatV2", numbers(F4, 2, 0), numbers(F4, 2, 3), numbers(F4, 2, 1), i8(1))
    yield case("Concat", i4(0), np.arange(6, dtype=U1), np.arange(2, dtype=U1), types=["int32", "quint8", "quint8"])
    yield case("Pack", numbers(F4), numbers(F4), numbers(F4), axis=0)
    yield case("Pack", numbers(I4, 0), numbers(I4, 0))
    yield case("Unpack", numbers(F4, 2, 3), num=2)
    yield case("Unpack", numbers(F4, 2, 3), num=3, axis=-1)
    yield case("Split", i4(-2), numbers(F4, 4, 3), num_split=2)
    yield case("Split", i4(0), numbers(F4, 4), num_split=1)
    yield case("SplitV", numbers(F4, 5), i8([2, 0, 3]), i4(0), num_split=3)


def gathering() -> Iterator[Case]:
    for dtype in (F4, I4, BF, bool, object, C8):
        x = numbers(dtype, 4, 3, 2)
        yield case("Gather", x, i4([[3, 0], [1, 1]]))
        yield case("GatherV2", x, i4([1, 0]), i4(1))
        yield case("GatherNd", x, i4([[1, 2], [3, 0]]))
        yield case("DynamicPartition", x, i4([1, 0, 1, 2]), num_partitions=3)
        yield case("DynamicStitch", i4([2, 0]), i4([1]), x[:2], x[2:3])
        yield case("TensorScatterUpdate", x, i4([[1], [3]]), x[[0, 2]])
        yield (
            case("ScatterNd", i4([[1], [3]]), x[[0, 2]], i4([5, 3, 2]))
            if dtype is not object
            else case("Gather", x, i8(2))
        )
    x = numbers(F4, 2, 3, 4, 5)
    for axis in (-1, 0, 2):
        yield case("GatherV2", x, i8([[1, 0], [1, 1]]), i4(axis))
        yield case("GatherV2", x, i4(1), i8(axis))
    indices = i4(np.arange(12).reshape(2, 3, 2) % 3)
    yield case("GatherV2", x, indices, i4(2), batch_dims=2)
    yield case("GatherV2", x, indices, i4(2), batch_dims=1)
    yield case("GatherV2", x, indices, i4(3), batch_dims=1)
    yield case("GatherV2", x, indices, i4(-1), batch_dims=-1)
    yield case("GatherV2", x, indices, i4(1), batch_dims=0)
    yield case("GatherV2", x, i4([1, 0]), i4(1), batch_dims=1)
    yield case("GatherV2", x, numbers(I4, 0), i4(0))
    yield case("Gather", numbers(F4, 3), i4([]))
    yield case("Gather", numbers(F4, 3), i4([1]), validate_indices=False)
    yield case("GatherNd", x, i8([[[1, 2, 3, 4]], [[0, 0, 0, 0]]]))
    yield case("GatherNd", x, np.zeros([2, 0], I4))
    yield case("GatherNd", x, np.zeros([0, 2], I4))
    yield case("GatherNd", x, i4([1]))
    yield case("DynamicPartition", numbers(F4, 2, 3), i4([[1, 0, 1], [0, 0, 3]]), num_partitions=4)
    yield case("DynamicPartition", numbers(F4, 2), i4(1), num_partitions=2)
    yield case("DynamicStitch", i4(1), i4([[0, 2], [4, 3]]), numbers(F4, 2), numbers(F4, 2, 2, 2))
    yield case("DynamicStitch", i4([0, 1]), i4([1]), numbers(F4, 2), numbers(F4, 1))
    yield case("ParallelDynamicStitch", i4([0, 1]), i4([2]), numbers(F4, 2), numbers(F4, 1))
    for dtype in (F4, F8, I4, F2):
        for op in ("Add", "Sub", "Max", "Min"):
            updates = numbers(dtype, 3, seed=2)
            yield case(f"TensorScatter{op}", numbers(dtype, 2, 3), i4([[0, 1], [1, 2], [0, 1]]), updates)
    yield case("ScatterNd", i8([[0], [0], [2]]), numbers(F4, 3), i8([4]))
    yield case("ScatterNd", i4([[0, 1], [1, 1]]), numbers(F8, 2), i4([2, 2]))
    yield case("ScatterNd", np.zeros([0, 1], I4), numbers(F4, 0), i4([3]))
    yield case("SparseToDense", i4([[0, 1], [1, 0]]), i4([2, 3]), numbers(F4, 2), F4(-1))
    yield case("SparseToDense", i8([1, 3]), i8([5]), I4(7), I4(0))
    yield case("SparseToDense", i4([3, 1]), i4([5]), i4([7, 8]), I4(0), validate_indices=False)
    yield case("SparseToDense", i4([1]), i4([2]), strings([b"x"]), strings(b""))
    yield case("Bincount", i4([1, 5, 1, 0]), i4(4), numbers(F4, 0))
    yield case("Bincount", i4([1, 5, 1, 0]), i4(4), numbers(F8, 4))
    yield case("Bincount", i4([1, 5, 1, 0]), i4(4), numbers(I8, 0))
    for values in (i8([1, 5, 1, 0]), i8([[1, 1, 2], [0, 7, 3]])):
        yield case("DenseBincount", values, i8(4), numbers(F4, 0))
        yield case("DenseBincount", values, i8(6), numbers(F8, *values.shape))
        yield case("DenseBincount", values, i8(4), numbers(I4, 0), binary_output=True)


def generators() -> Iterator[Case]:
    for dtype in (F4, F8, F2, BF, I4, I8, U1, bool, C8, object):
        yield case("Fill", i4([2, 3]), numbers(dtype))
        yield case("ZerosLike", numbers(dtype, 2, 3))
        if dtype is not object:
            yield case("OnesLike", numbers(dtype, 2, 3))
        yield case("OneHot", i4([[0, 2], [-1, 5]]), i4(4), numbers(dtype, seed=1), numbers(dtype, seed=2))
    yield case("Fill", i8([]), F4(3))
    yield case("Fill", i8([0, 3]), F4(3), index_type=INT64)
    for dtype in (F4, F8, I4, I8, BF):
        yield case("Range", np.array(1, dtype), np.array(12, dtype), np.array(3, dtype))
        yield case("Range", np.array(9, dtype), np.array(-3, dtype), np.array(-2, dtype))
        yield case("Range", np.array(3, dtype), np.array(3, dtype), np.array(1, dtype))
    yield case("Range", F4(0), F4(10), F4(0.1))
    yield case("Range", I4(5), I4(6), I4(100))
    for dtype in (F4, F8):
        for count in (1, 2, 7, 50):
            yield case("LinSpace", np.array(0.1, dtype), np.array(-10, dtype), i4(count))
    yield case("LinSpace", F4(2), F4(2), i8(3))
    for axis in (-1, 0, 1, 2):
        yield case("OneHot", i8([[0, 2], [-1, 5]]), i4(4), F4(1), F4(0), axis=axis)
    yield case("OneHot", np.array([1, 200], U1), i4(3), I4(5), I4(-5))
    yield case("OneHot", i4(1), i4(3), F4(1), F4(0))
    yield case("OneHot", i4([]), i4(3), F4(1), F4(0))


def diagonals() -> Iterator[Case]:
    for dtype in (F4, F8, I4, C8):
        yield case("Diag", numbers(dtype, 3))
        yield case("Diag", numbers(dtype, 2, 3))
        yield case("DiagPart", numbers(dtype, 3, 3))
        yield case("DiagPart", numbers(dtype, 2, 3, 2, 3))
        yield case("MatrixDiag", numbers(dtype, 2, 3))
        yield case("MatrixDiagPart", numbers(dtype, 2, 3, 4))
        yield case("MatrixSetDiag", numbers(dtype, 2, 4, 3), numbers(dtype, 2, 3))
        for low, high in ((0, 0), (-1, 0), (1, -1), (1, 2), (0, -1)):
            yield case("MatrixBandPart", numbers(dtype, 2, 4, 5), i8(low), i8(high))
    yield case("MatrixBandPart", numbers(bool, 3, 3), i4(1), i4(0))


def reductions() -> Iterator[Case]:
    for op in ("Sum", "Mean", "Prod", "Max", "Min", "EuclideanNorm"):
        kinds: tuple[Any, ...] = (*FLOATS, *INTS, np.int16)
        if op not in ("Max", "Min"):
            kinds += COMPLEX
        for dtype in kinds:
            x = numbers(dtype, 3, 4, 5)
            if dtype in (F2, BF) and op == "Prod":
                x = (np.abs(numbers(F4, 3, 4, 5)) % 1 + 0.5).astype(dtype)
            if op != "EuclideanNorm" or dtype in (*FLOATS, C8, C16, I4, I8):
                yield case(op, x, i4([0, 2]))
                yield case(op, x, i4([-1]), keep_dims=True)
        x = numbers(F4, 3, 4, 5)
        yield case(op, x, i4(1))
        yield case(op, x, i4([]))
        yield case(op, x, i8([0, 1, 2]), keep_dims=False)
        yield case(op, x, i4([0, 1, 2]), keep_dims=True)
        yield case(op, x[:, :0], i4([1]))
        yield case(op, x[:, :0], i4([0]))
        yield case(op, F4(3), i4([]))
        yield case(op, np.array([1, NAN, INF, 2], F4), i4(0))
        yield case(op, i4([2**31 - 1, 2**31 - 2, 5]), i4(0)) if op != "EuclideanNorm" else case(op, i4([3, 5]), i4(0))
    yield case("Sum", np.random.default_rng(1).normal(1, 1, 5000).astype(F4), i4(0))
    yield case("Mean", np.random.default_rng(1).normal(1, 1, [70, 90]).astype(F4), i4([0]))
    yield case("Mean", i4([-3, -4, -4]), i4(0))
    yield case("Mean", i8([2**63 - 1, 2**63 - 1, 2**63 - 2]), i4(0))
    yield case("Mean", numbers(I4, 0), i4(0))
    yield case("Max", numbers(I4, 0, 2), i4(0))
    yield case("Min", numbers(BF, 0, 2), i4(0))
    for op in ("All", "Any"):
        yield case(op, numbers(bool, 3, 4), i4([0]))
        yield case(op, numbers(bool, 3, 4), i4([1]), keep_dims=True)
        yield case(op, numbers(bool, 0, 4), i4([0]))
        yield case(op, numbers(bool, 3, 4), i8([-1, 0]))
    for op in ("ArgMax", "ArgMin"):
        for dtype in (*FLOATS, *INTS):
            yield case(op, numbers(dtype, 3, 4), i4(1))
            yield case(op, numbers(dtype, 3, 4), i8(-2), output_type=INT32)
        yield case(op, numbers(bool, 5), i4(0))
        yield case(op, numbers(F4, 0, 3), i4(1))
        yield case(op, np.array([1, 3, 3, 1], F4), i4(0))
    for dtype in FLOATS:
        yield case("L2Loss", numbers(dtype, 3, 4))
    for dtype in FLOATS:
        for exclusive, reverse in ((False, False), (True, False), (False, True), (True, True)):
            options = {"exclusive": exclusive, "reverse": reverse}
            yield case("CumulativeLogsumexp", numbers(dtype, 3, 4), i4(1), **options)
    for op in ("Cumsum", "Cumprod"):
        for dtype in (*FLOATS, I4, I8, U1, C8):
            yield case(op, numbers(dtype, 3, 4), i4(1))
        for exclusive in (False, True):
            for reverse in (False, True):
                yield case(op, numbers(F4, 3, 4), i4(-2), exclusive=exclusive, reverse=reverse)
        yield case(op, numbers(F4, 0, 4), i4(0), exclusive=True)


def products() -> Iterator[Case]:
    for dtype in (*FLOATS, I4, I8, *COMPLEX):
        yield case("MatMul", numbers(dtype, 3, 4), numbers(dtype, 4, 2))
        yield case("BatchMatMul", numbers(dtype, 2, 3, 4), numbers(dtype, 2, 4, 2))
        yield case("BatchMatMulV2", numbers(dtype, 5, 1, 3, 4), numbers(dtype, 2, 4, 2))
        yield case("Einsum", numbers(dtype, 3, 4), numbers(dtype, 4, 2), equation=b"ij,jk->ik")
    for a in (False, True):
        for b in (False, True):
            x, y = numbers(C8, *((4, 3) if a else (3, 4))), numbers(C8, *((2, 4) if b else (4, 2)))
            yield case("MatMul", x, y, transpose_a=a, transpose_b=b)
            yield case("BatchMatMulV2", x, y, adj_x=a, adj_y=b)
            yield case("BatchMatMulV3", x.real, y.real, adj_x=a, adj_y=b, Tout=FLOAT)
    yield case("MatMul", numbers(F4, 3, 0), numbers(F4, 0, 2))
    yield case("MatMul", numbers(F4, 0, 3), numbers(F4, 3, 2))
    yield case("MatMul", numbers(F4, 50, 300), numbers(F4, 300, 20))
    yield case("Einsum", numbers(F4, 2, 3, 4), equation=b"abc->cab")
    yield case("Einsum", numbers(F4, 2, 3, 4), equation=b"abc->b")
    yield case("Einsum", numbers(F4, 2, 3, 4), numbers(F4, 2, 5, 4), equation=b"bqd,bkd->bqk")
    yield case("Einsum", numbers(F4, 2, 3), numbers(F4, 4), equation=b"ij,k->ijk")
    for equation, shapes in (
        (b"aecd,abcd->acbe", ((2, 3, 4, 5), (2, 6, 4, 5))),
        (b"acbe,aecd->abcd", ((2, 3, 4, 5), (2, 5, 3, 6))),
        (b"abc,cde->abde", ((2, 3, 4), (4, 5, 6))),
        (b"abcd,cde->abe", ((2, 3, 4, 5), (4, 5, 6))),
        (b"...ij,...jk->...ik", ((2, 1, 3, 4), (5, 4, 6))),
        (b"i...,...j->j...i", ((2, 3, 4), (3, 4, 5))),
        (b"...,...->...", ((3, 1), (4,))),
        (b"ab...,b->...a", ((2, 3), (3,))),
        (b"abc,dc->a", ((2, 3, 4), (5, 4))),
        (b"ab,ab->", ((2, 3), (2, 3))),
        (b"ab,ab->ba", ((2, 3), (2, 3))),
        (b"ji,kj->ki", ((3, 2), (4, 3))),
        (b"ab,cd->dbca", ((2, 3), (1, 4))),
        (b"ab,bc->ac", ((0, 3), (3, 4))),
        (b"ab,bc->ac", ((2, 0), (0, 4))),
    ):
        yield case("Einsum", *(numbers(F4, *shape, seed=k) for k, shape in enumerate(shapes)), equation=equation)
    yield case("Einsum", numbers(F4, 2, 3, 4), equation=b"a...->...a")
    yield case("Einsum", numbers(C8, 2, 3), numbers(C8, 4, 3), equation=b"ab,cb->ca")
    for dtype in (*FLOATS, I4, I8, C8):
        yield case("BiasAdd", numbers(dtype, 2, 3, 4), numbers(dtype, 4))
        yield case("BiasAddV1", numbers(dtype, 2, 3, 4), numbers(dtype, 4))
    yield case("BiasAdd", numbers(F4, 2, 3, 4, 5), numbers(F4, 3), data_format=b"NCHW")
    yield case("BiasAdd", numbers(F4, 2, 3, 4), numbers(F4, 3), data_format=b"NCHW")
    yield case("BiasAdd", numbers(F4, 2, 3, 4, 5), numbers(F4, 5), data_format=b"NHWC")
    statistics = [numbers(F4, 3, seed=s) for s in range(3)] + [np.abs(numbers(F4, 3, seed=4))]
    for op in ("FusedBatchNorm", "FusedBatchNormV2", "FusedBatchNormV3"):
        x = numbers(F4, 2, 4, 5, 3)
        yield case(op, x, *statistics, is_training=False, ports=3)
        yield case(op, x, *statistics, is_training=False, epsilon=0.01, data_format=b"NHWC", ports=3)
        yield case(op, x[:0], *statistics, is_training=False, ports=3)
        if op != "FusedBatchNorm":
            yield case(op, x.astype(F2), *statistics, is_training=False, ports=3, U=FLOAT)
            yield case(op, x.astype(BF), *statistics, is_training=False, ports=3, U=FLOAT)
    yield case(
        "FusedBatchNormV3", numbers(F4, 2, 2, 2, 4, 3), *statistics, is_training=False, data_format=b"NDHWC", ports=3
    )
    yield case(
        "FusedBatchNormV3", numbers(F4, 2, 3, 2, 2), *statistics, is_training=False, data_format=b"NCHW", ports=3
    )
    empty = numbers(F4, 0)
    for op in ("FusedBatchNorm", "FusedBatchNormV2", "FusedBatchNormV3"):
        yield case(op, numbers(F4, 2, 3, 4, 3), *statistics[:2], empty, empty, epsilon=0.01, ports=5)
        yield case(op, numbers(F4, 1, 1, 1, 3), *statistics[:2], empty, empty, ports=5)
        yield case(op, numbers(F4, 2, 3, 4, 3), *statistics, exponential_avg_factor=0.25, ports=5)
    old = [statistics[2], statistics[3], statistics[1], statistics[0]]
    for scaled in (False, True):
        yield case(
            "BatchNormWithGlobalNormalization",
            *(numbers(F4, 2, 4, 5, 3), *old),
            variance_epsilon=0.001,
            scale_after_normalization=scaled,
        )


def spatial() -> Iterator[Case]:
    for dtype in (F4, F2, I4, U1):
        yield case("DepthToSpace", numbers(dtype, 2, 3, 2, 8), block_size=2)
        yield case("SpaceToDepth", numbers(dtype, 2, 4, 6, 3), block_size=2)
        yield case("SpaceToBatchND", numbers(dtype, 2, 3, 5, 2), i4([2, 3]), i4([[1, 0], [0, 1]]))
        yield case("BatchToSpaceND", numbers(dtype, 6, 3, 5, 2), i4([2, 3]), i4([[1, 0], [0, 1]]))
        yield case("SpaceToBatch", numbers(dtype, 2, 3, 5, 2), i4([[1, 0], [0, 1]]), block_size=2)
        yield case("BatchToSpace", numbers(dtype, 8, 3, 5, 2), i4([[1, 0], [0, 1]]), block_size=2)
    yield case("DepthToSpace", numbers(F4, 1, 1, 1, 9), block_size=3, data_format=b"NHWC")
    yield case("SpaceToBatchND", numbers(F4, 2, 6), i8([3]), i8([[1, 2]]))
    yield case("BatchToSpaceND", numbers(F4, 6, 2, 3), i8([3]), i8([[1, 2]]))
    yield case("BatchToSpaceND", numbers(F4, 4, 1, 1, 1), i4([2, 2]), i4([[0, 0], [0, 0]]))


def images() -> Iterator[Case]:
    for dtype in (F4, F2):
        yield case("LRN", numbers(dtype, 2, 2, 3, 9))
    for beta in (1.0, 0.5, 0.75):
        yield case("LRN", numbers(F4, 2, 2, 3, 9), depth_radius=2, bias=2.0, alpha=0.1, beta=beta)
    yield case("LRN", numbers(F4, 2, 2, 3, 4), depth_radius=0)
    sizes = ([5, 7], [4, 5], [9, 3], [1, 1], [8, 10], [2, 13], [3, 50])
    for op in ("ResizeNearestNeighbor", "ResizeBilinear"):
        for dtype in (F4, F8, F2, I4, U1):
            yield case(op, numbers(dtype, 2, 4, 5, 3), i4([7, 3]))
        for size in sizes:
            for name in ("align_corners", "half_pixel_centers"):
                yield case(op, numbers(F4, 2, 4, 5, 3), i4(size), **{name: True})
            yield case(op, numbers(F4, 2, 4, 5, 3), i4(size))
            yield case(op, numbers(F4, 1, 4, 5, 1), i4(size), align_corners=True)
    for size in sizes:
        yield case("ResizeBicubic", numbers(F4, 2, 4, 5, 3), i4(size), half_pixel_centers=True)
        for op in ("ResizeBicubic", "ResizeArea"):
            yield case(op, numbers(F4, 2, 4, 5, 3), i4(size))
            yield case(op, numbers(F4, 2, 4, 5, 3), i4(size), align_corners=True)
    for dtype in (F8, F2, I4, U1):
        yield case("ResizeBicubic", numbers(dtype, 1, 4, 5, 2), i4([7, 3]))
        yield case("ResizeArea", numbers(dtype, 1, 4, 5, 2), i4([7, 3]))
    boxes = np.array([[0, 0, 1, 1], [0.2, 0.6, 1.1, 0.1], [-0.5, 0.25, 0.5, 0.75], [0.3, 0.3, 0.3, 0.3]], F4)
    for method in (b"bilinear", b"nearest"):
        for size in ([3, 4], [1, 1], [6, 2]):
            yield case(
                "CropAndResize",
                *(numbers(F4, 2, 5, 4, 3), boxes, i4([0, 1, 1, 0]), i4(size)),
                method=method,
                extrapolation_value=7.5,
            )
        for dtype in (F8, F2, U1, I4, np.int16):
            yield case("CropAndResize", numbers(dtype, 2, 5, 4, 3), boxes, i4([0, 1, 1, 0]), i4([2, 3]), method=method)
    yield case("CropAndResize", numbers(F4, 2, 5, 4, 3), boxes[:0], i4([]), i4([2, 3]))
    every: tuple[tuple[str, str], ...] = (("NHWC", "NCHW"), ("NCHW", "NHWC"), ("NHWC", "HWNC"))
    for source, target in every:
        attrs = {"src_format": source.encode(), "dst_format": target.encode()}
        yield case("DataFormatDimMap", i4([[0, 1], [-1, 3], [-4, 2]]), **attrs)
        yield case("DataFormatVecPermute", i4([7, 4, 9, 3]), **attrs)
        yield case("DataFormatVecPermute", i8([[7, 4], [9, 3], [1, 2], [5, 6]]), **attrs)
    yield case("DataFormatDimMap", i8(2))
    yield case("DataFormatVecPermute", i4([7, 4, 9, 3]))
    yield case("DataFormatVecPermute", i4([7, 4]), src_format=b"NHWC", dst_format=b"NCHW")
    yield case("DataFormatVecPermute", i4([[7, 4], [9, 3]]), src_format=b"NHWC", dst_format=b"NWCH")


def segments() -> Iterator[Case]:
    for op in ("Sum", "Prod", "Max", "Min"):
        kinds = (*FLOATS, *INTS, np.uint16) if op[0] == "M" else (*FLOATS, *INTS, *COMPLEX)
        for dtype in kinds:
            yield case(f"Segment{op}", numbers(dtype, 6, 2), i4([0, 0, 1, 3, 3, 3]))
            yield case(f"UnsortedSegment{op}", numbers(dtype, 6, 2), i4([3, 0, -1, 1, 3, 0]), i4(5))
        yield case(f"Segment{op}", numbers(F4, 3), i8([2, 2, 4]))
        yield case(f"Segment{op}", numbers(F4, 0, 3), i4([]))
        yield case(f"Segment{op}", edges(F4)[1:5], i4([0, 0, 1, 1]))
        yield case(f"UnsortedSegment{op}", numbers(F4, 2, 3, 4), i4([[1, 0, 1], [2, 2, 1]]), i8(3))
        yield case(f"UnsortedSegment{op}", numbers(F4, 2, 3), i8([[0, 0, 1], [0, 1, -7]]), i4(2))
        yield case(f"UnsortedSegment{op}", numbers(F4, 0), i4([]), i4(2))
        yield case(f"UnsortedSegment{op}", edges(F4)[1:5], i4([0, 0, 1, 1]), i4(2))
    for dtype in (*FLOATS, *COMPLEX):
        yield case("SegmentMean", numbers(dtype, 6, 2), i4([0, 0, 1, 3, 3, 3]))
    yield case("SegmentMean", numbers(F4, 0, 3), i4([]))
    for op in ("Sum", "Mean", "SqrtN"):
        for dtype in FLOATS:
            rows, ids = i4([3, 0, 0, 2, 1]), i4([0, 0, 1, 3, 3])
            yield case(f"SparseSegment{op}", numbers(dtype, 4, 3), rows, ids)
            yield case(f"SparseSegment{op}WithNumSegments", numbers(dtype, 4, 3), rows, ids, i4(6))
        yield case(f"SparseSegment{op}", numbers(F4, 4), i8([3, 0, 0]), i4([0, 0, 2]))
        yield case(f"SparseSegment{op}WithNumSegments", numbers(F4, 4, 2), i4([]), i4([]), i4(2))
        yield case(f"SparseSegment{op}", numbers(F4, 4, 2), i4(np.arange(30) % 4), i4([0] * 30))
    for dtype in (I4, I8, U1):
        yield case("SparseSegmentSum", numbers(dtype, 4, 3), i4([3, 0, 0, 2, 1]), i4([0, 0, 1, 3, 3]))


def searching() -> Iterator[Case]:
    for op in ("LowerBound", "UpperBound"):
        for dtype in (*FLOATS, *INTS):
            ordered = np.sort(numbers(dtype, 3, 8), axis=-1)
            yield case(op, ordered, np.concatenate([numbers(dtype, 3, 4, seed=1), ordered[:, 2:5]], 1))
        yield case(op, np.array([[-INF, 0, 0, INF]], F4), np.array([[INF, -INF, -0.0]], F4), out_type=INT64)
        yield case(op, numbers(F4, 2, 0), numbers(F4, 2, 3))
    for dtype in (F4, F8, I4, I8):
        yield case("Bucketize", numbers(dtype, 3, 5), boundaries=(-3.0, 0.0, 0.1, 0.1, 4.0))
    yield case("Bucketize", edges(F4), boundaries=(-1.0, 0.0, 0.5))
    yield case("Bucketize", i4([2**24 + 1, 2**31 - 1]), boundaries=(2.0**24, 2.0**31))
    yield case("Bucketize", numbers(F4, 3), boundaries=())
    scores = np.array([[0.1, 0.9, 0.5, 0.5], [1, 1, 1, 1], [NAN, 3, 2, 1], [0, INF, 2, 1], [4, 3, 2, 1]], F4)
    for k in (0, 1, 2, 4, 9):
        yield case("InTopK", scores, i4([2, 0, 1, 2, 3]), k=k)
        yield case("InTopKV2", scores, i8([3, 9, -1, 1, 1]), i8(k))
    for dtype in (*FLOATS, *INTS):
        for flag in (False, True):
            yield case("NthElement", numbers(dtype, 3, 9), i4(2), reverse=flag)
    yield case("NthElement", numbers(F4, 5), i4(4))
    values = np.concatenate([np.linspace(-2, 6, 200), [1e9, -1e9, INF, -INF]])
    for dtype in (F4, F8):
        for count in (1, 5, 100):
            yield case("HistogramFixedWidth", values.astype(dtype), np.array([-1, 5], dtype), i4(count))
    for dtype in (I4, I8):
        yield case("HistogramFixedWidth", numbers(dtype, 3, 9), np.array([-4, 7], dtype), i4(5), dtype=INT64)
    for dtype in (F4, I4, I8, bool):
        x = numbers(dtype, 6, 2, seed=4)
        x[[2, 4]] = x[[1, 0]]
        for axis in ([0], [1], [-1]):
            yield case("UniqueV2", x, i8(axis))
            yield case("UniqueWithCountsV2", x, i4(axis), out_idx=INT64)
        yield case("UniqueV2", x[:, 0], i4([]))
        yield case("UniqueWithCountsV2", x[:, 0], i4([0]))
    yield case("UniqueV2", numbers(object, 20), i4([0]))
    yield case("UniqueV2", np.array([0.0, -0.0, 1, 0], F4), i4([0]))
    for dtype in (F4, I4, object, bool):
        yield case("ReverseSequence", numbers(dtype, 3, 4, 2), i4([4, 0, 3]), seq_dim=1)
        yield case("ReverseSequence", numbers(dtype, 3, 4, 2), i8([3, 0, 1, 2]), seq_dim=0, batch_dim=1)
    yield case("ReverseSequence", numbers(F4, 3, 4, 2), i8([4, 1]), seq_dim=1, batch_dim=2)
    for dtype in (F4, I4, C8):
        yield case("ScatterNdNonAliasingAdd", numbers(dtype, 4, 2), i4([[1], [3], [1]]), numbers(dtype, 3, 2))
    for dtype in ALL_INTS:
        yield case("PopulationCount", numbers(dtype, 3, 4))
    yield case("PopulationCount", i8([-1, 2**62 + 5]))
    for dtype in (*FLOATS, *INTS):
        yield case("Cross", numbers(dtype, 4, 3), numbers(dtype, 4, 3, seed=1))
    for shape in ([4, 3], [-1], [2, -1, 2], [12]):
        yield case("SparseReshape", i8([[0, 1], [1, 5], [0, 0]]), i8([2, 6]), i8(shape))
    yield case("SparseReshape", np.zeros([0, 2], I8), i8([2, 6]), i8([3, -1]))
    yield case("SparseReshape", i8([[2**40, 5]]), i8([2**41, 2**20]), i8([-1, 2**10]))


def bands() -> Iterator[Case]:
    for dtype in (F4, I4, C8, bool):
        padding = numbers(dtype, seed=3)
        yield case("MatrixDiagPartV2", numbers(dtype, 2, 3, 4), i4([-1, 1]), padding)
        yield case("MatrixDiagV2", numbers(dtype, 2, 3, 4), i4([-1, 1]), i4(-1), i4(-1), padding)
        yield case("MatrixSetDiagV2", numbers(dtype, 2, 4, 4), numbers(dtype, 2, 3, 4, seed=1), i4([-1, 1]))
    alignments = ({}, *({"align": a} for a in (b"LEFT_LEFT", b"LEFT_RIGHT", b"RIGHT_LEFT", b"RIGHT_RIGHT")))
    for rows, columns in ((3, 5), (5, 2)):
        x = numbers(I4, 2, rows, columns)
        for low, high in ((0, 0), (1, 1), (-2, -1), (-1, 1), (-rows + 1, columns - 1)):
            longest = min(rows + min(high, 0), columns - max(low, 0))
            k = i4([low, high]) if low < high else i4([low]) if low else i4(low)
            band = numbers(I4, 2, *([high - low + 1] if low < high else []), longest, seed=1)
            yield case("MatrixDiagPartV2", x, k, i4(-99))
            yield case("MatrixSetDiagV2", x, band, k)
            yield case("MatrixDiagV2", band, k, i4(rows), i4(columns), i4(-99))
            for attrs in alignments:
                yield case("MatrixDiagPartV3", x, k, i4(-99), **attrs)
                yield case("MatrixSetDiagV3", x, band, k, **attrs)
                yield case("MatrixDiagV3", band, k, i4(rows), i4(columns), i4(-99), **attrs)
    for row_count, column_count in ((-1, -1), (4, -1), (6, -1), (-1, 4), (-1, 7)):
        sizes = i4(row_count), i4(column_count)
        yield case("MatrixDiagV2", numbers(I4, 3, 4), i4([-1, 1]), *sizes, i4(0))
        yield case("MatrixDiagV2", numbers(I4, 4), i4(0), *sizes, i4(0))
    for k in (i4(2), i4(-2), i4([1, 2])):
        yield case("MatrixDiagV2", numbers(I4, 2, 3), k, i4(-1), i4(-1), i4(0))


def linear_algebra() -> Iterator[Case]:
    for dtype in (F4, F8, *COMPLEX):
        x = (numbers(dtype, 2, 4, 4) + 9 * np.eye(4)).astype(dtype)
        right = numbers(dtype, 2, 4, 3)
        yield case("MatrixDeterminant", x)
        yield case("Cholesky", np.matmul(x, x.conj().swapaxes(-1, -2)))
        yield case("MatrixDeterminant", x[0, :1, :1])
        yield case("LogMatrixDeterminant", np.negative(x))
        for adjoint in (False, True):
            yield case("MatrixInverse", x, adjoint=adjoint)
            yield case("MatrixSolve", x, right, adjoint=adjoint)
            for lower in (False, True):
                yield case("MatrixTriangularSolve", x, right, adjoint=adjoint, lower=lower)
    whole = np.array([[4, 99, 99], [2, 5, 99], [1, 2, 6]], F8)
    yield case("Cholesky", whole)
    for dtype in COMPLEX:
        for op in ("FFT", "IFFT"):
            for rank, suffix in ((1, ""), (2, "2D"), (3, "3D")):
                yield case(op + suffix, numbers(dtype, 2, 3, 8, 5))
                yield case(op + suffix, numbers(dtype, *(4, 6, 7)[:rank]))
    for dtype in (F4, F8):
        types = {"Treal": DOUBLE, "Tcomplex": NAMED["complex128"]} if dtype is F8 else {}
        halves = C16 if dtype is F8 else C8
        for lengths in ([8], [5], [7, 8], [6, 5], [3, 4, 7]):
            suffix = ("", "2D", "3D")[len(lengths) - 1]
            shape = (2, *(n + 1 for n in lengths))
            yield case(f"RFFT{suffix}", numbers(dtype, *shape), i4(lengths), **types)
            yield case(f"IRFFT{suffix}", numbers(halves, *shape), i4(lengths), **types)


RANGES = [(-1.0, 2.0), (0.0, 6.0), (-3.0, 0.0), (0.25, 0.75), (-1e-3, 1e3), (-7.13, 1.9), (0.0, 0.0), (2.0, 2.0)]


def quantization() -> Iterator[Case]:
    for name in ("quint8", "qint8", "quint16", "qint16", "qint32"):
        info: Any = np.iinfo(NAMED[name].numpy.str)
        most = info.max - (1000 if name == "qint32" else 0)  # above, TensorFlow overflows
        codes = np.linspace(info.min, most, 300).astype(np.int64).clip(info.min, most).astype(info.dtype)
        types = [name, "float", "float"]
        for mode in (b"MIN_COMBINED", b"MIN_FIRST", b"SCALED"):
            for low, high in RANGES:
                yield case("Dequantize", codes, F4(low), F4(high), types=types, mode=mode)
        yield case("Dequantize", codes, F4(-1), F4(3), types=types)
        yield case("Dequantize", codes, F4(-1), F4(3), types=types, dtype=BFLOAT16)
        yield case("Dequantize", codes, F4(-1), F4(3), types=types, mode=b"SCALED", narrow_range=True)
        per_slice = codes[:24].reshape(2, 3, 4), np.array([-1, 0, -2], F4), np.array([2, 3, 0.5], F4)
        for mode in (b"MIN_COMBINED", b"SCALED"):
            yield case("Dequantize", *per_slice, types=types, mode=mode, axis=1)
    values = np.concatenate([np.linspace(-4, 7, 301), [0.5, -0.5, 100, -100, 0]]).astype(F4)
    for name in ("quint8", "qint8", "quint16", "qint16"):
        quantized = NAMED[name]
        for mode in (b"MIN_COMBINED", b"MIN_FIRST", b"SCALED"):
            for low, high in RANGES:
                yield case("QuantizeV2", values, F4(low), F4(high), mode=mode, T=quantized)
            yield case("QuantizeV2", values, F4(1), F4(1.0001), mode=mode, T=quantized, ensure_minimum_range=0.1)
        scaled = {"mode": b"SCALED", "T": quantized}
        yield case("QuantizeV2", values, F4(-2), F4(3), round_mode=b"HALF_TO_EVEN", **scaled)
        yield case("QuantizeV2", values, F4(-2), F4(3), narrow_range=True, **scaled)
        yield case("QuantizeV2", values, F4(-2), F4(3), T=quantized)
        channels = values[:300].reshape(5, 3, 20), np.array([-1, 0, -2], F4), np.array([2, 3, 0.5], F4)
        for mode in (b"MIN_COMBINED", b"SCALED"):
            yield case("QuantizeV2", *channels, mode=mode, axis=1, T=quantized)
    yield case("QuantizeV2", numbers(F4, 0), F4(-1), F4(1), T=NAMED["quint8"])
    for op in ("FakeQuantWithMinMaxArgs", "FakeQuantWithMinMaxVars"):
        for low, high in (*RANGES[:3], *RANGES[4:6]):
            attrs: dict[str, Any]
            for attrs in ({}, {"num_bits": 4}, {"narrow_range": True}, {"num_bits": 16, "narrow_range": True}):
                if op.endswith("Args"):
                    yield case(op, values, min=low, max=high, **attrs)
                else:
                    yield case(op, values, F4(low), F4(high), **attrs)
    yield case("FakeQuantWithMinMaxArgs", values)
    yield case("FakeQuantWithMinMaxVars", values, F4(0), F4(0))
    lows, highs = np.array([-1, 0, -2, 0], F4), np.array([2, 3, 0.5, 0], F4)
    for shape in ((4,), (70, 4), (5, 7, 2, 4)):
        x = np.resize(values[:300], shape)
        for attrs in ({}, {"num_bits": 6, "narrow_range": True}):
            yield case("FakeQuantWithMinMaxVarsPerChannel", x, lows, highs, **attrs)
    for dtype in (F4, F8):
        x = values.astype(dtype)
        for signed in (True, False):
            for low, high in RANGES[:3]:
                bounds = np.array(low, dtype), np.array(high, dtype)
                attrs = {"signed_input": signed, "range_given": True}
                yield case("QuantizeAndDequantizeV2", x, *bounds, **attrs)
                yield case("QuantizeAndDequantizeV2", x, *bounds, round_mode=b"HALF_UP", narrow_range=True, **attrs)
                yield case("QuantizeAndDequantizeV3", x, *bounds, i4(6), **attrs)
                yield case("QuantizeAndDequantizeV4", x, *bounds, **attrs)
        yield case("QuantizeAndDequantizeV2", x, np.array(0, dtype), np.array(0, dtype))
        yield case("QuantizeAndDequantizeV2", x, np.array(0, dtype), np.array(0, dtype), num_bits=4)
        yield case("QuantizeAndDequantizeV3", x, np.array(-1, dtype), np.array(2, dtype), i4(8))
    yield case("QuantizeAndDequantizeV3", *channels, i4(8), axis=1)
    yield case("QuantizeAndDequantizeV2", *channels, axis=1)
    wide = np.array([0, 1, -1, 2**31 - 1, -(2**31), 123456789, -987654321, 2**24, 77777], I4)
    types = ["qint32", "float", "float"]
    for low, high in ((-1.0, 1.0), (-40.0, 20.0), (0.0, 25.0), (-3.0, 0.0)):
        for part in (wide, wide[5:], np.abs(wide[5:]), wide[:0]):
            yield case("RequantizationRange", part, F4(low), F4(high), types=types)
        for new_low, new_high in ((-1.0, 1.0), (0.0, 255.0), (-0.1, 0.2), (0.0, 0.0), (-3.0, -1.0), (-2.0, -2.0)):
            yield case(
                "Requantize",
                *(wide, F4(low), F4(high), F4(new_low), F4(new_high)),
                types=[*types, "float", "float"],
                out_type=NAMED["quint8"],
            )

    for low, high in ((-1.0, 2.0), (0.0, 8.0), (-3.0, 0.0), (1.0, 9.0)):
        for name in ("quint8", "qint32"):
            info = np.iinfo(NAMED[name].numpy.str)
            codes = np.linspace(info.min, info.max, 100).astype(np.int64).clip(info.min, info.max).astype(info.dtype)
            for op in ("QuantizedRelu", "QuantizedRelu6"):
                quantized = [name, "float", "float"]
                yield case(op, codes, F4(low), F4(high), types=quantized, out_type=NAMED[name])
        yield case("QuantizeDownAndShrinkRange", wide, F4(low), F4(high), types=types, out_type=NAMED["quint8"])
        yield case("QuantizeDownAndShrinkRange", wide[5:], F4(low), F4(high), types=types, out_type=NAMED["quint8"])
    pixels = np.arange(48, dtype=U1).reshape(2, 4, 3, 2)
    for padding in (b"SAME", b"VALID"):
        attrs = {"ksize": (1, 2, 2, 1), "strides": (1, 2, 1, 1), "padding": padding}
        yield case("QuantizedMaxPool", pixels * U1(5), F4(-1), F4(1), types=["quint8", "float", "float"], **attrs)
    part = np.arange(256, dtype=U1).reshape(2, 128)
    for (low, high), (other_low, other_high) in (((-1, 2), (-1, 2)), ((0, 6), (-1, 2)), ((1, 2), (3, 4.5))):
        yield case(
            "QuantizedConcat",
            *(i4(1), part, part, F4(low), F4(other_low), F4(high), F4(other_high)),
            types=["int32", "quint8", "quint8", *["float"] * 4],
        )


def gradients() -> Iterator[Case]:
    for op in ("ReluGrad", "Relu6Grad", "LeakyReluGrad", "EluGrad", "SeluGrad", "SoftplusGrad", "SoftsignGrad"):
        for dtype in (*FLOATS, I4, U1) if op in ("ReluGrad", "Relu6Grad") else FLOATS:
            yield case(op, numbers(dtype, 3, 7), numbers(dtype, 3, 7, seed=1) * dtype(3))
        yield case(op, np.full(len(EDGES), 1.5, F4), edges(F4))
    yield case("LeakyReluGrad", numbers(F4, 9), numbers(F4, 9, seed=1), alpha=0.5)
    for op in ("InvGrad", "ReciprocalGrad", "RsqrtGrad", "SigmoidGrad", "SqrtGrad", "TanhGrad"):
        for dtype in FLOATS if op in ("SigmoidGrad", "TanhGrad") else (*FLOATS, *COMPLEX):
            yield case(op, numbers(dtype, 3, 7), numbers(dtype, 3, 7, seed=1))
    for dtype in (*FLOATS, I4, C8):
        yield case("BiasAddGrad", numbers(dtype, 2, 3, 4))
    yield case("BiasAddGrad", numbers(F4, 2, 3, 4, 2), data_format=b"NCHW")
    yield case("BiasAddGrad", numbers(F4, 2, 3), data_format=b"NHWC")
    for dtype in (F4, F8):
        x = np.random.default_rng(2).uniform(0, 1, [5, 40, 3]).astype(dtype)
        x[0, :4] = [[0, 0, 0], [1, 1, 1], [0.5, 0.5, 0.25], [1, 0, 0]]
        for op in ("RGBToHSV", "HSVToRGB"):
            yield case(op, x)


def text() -> Iterator[Case]:
    a, b = strings([b"a", b"bc"]), strings([b"x", b""])
    yield case("StringJoin", a, b)
    yield case("StringJoin", a, strings(b"-"), b, separator=b"\xff")
    yield case("StringJoin", strings(b"x"), strings(b"y"))
    yield case("StringJoin", a)
    for dtype in (I4, I8, U1, I1, np.int16, bool, F4, F8):
        yield case("AsString", numbers(dtype, 2, 3))
    for attrs in ({"width": 12}, {"width": 12, "fill": b"0"}, {"width": 5, "fill": b"-"}, {"width": 5, "fill": b"+"}):
        yield case("AsString", i4([1, -2]), **attrs)
        yield case("AsString", np.array([1.5, -2.25e10], F4), **attrs)
    for attrs in ({"scientific": True}, {"shortest": True}, {"precision": 2}, {"precision": 3, "shortest": True}):
        yield case("AsString", np.array([1.5, -2.25e10, 0.1], F4), **attrs)
        yield case("AsString", np.array([1.5, -2.25e10, 0.1], F8), **attrs)


def characters() -> Iterator[Case]:
    x = strings([[b"", b" Ab\t", b"caf\xc3\xa9"], [b"\x00z", b"\n\x0b\x0cq \r", b"\xf0\x9f\x98\x80!"]])
    for unit in (b"BYTE", b"UTF8_CHAR"):
        yield case("StringLength", x, unit=unit)
        yield case("Substr", strings([b"hello", b"w\xc3\xb6rld"]), i4(1), i4(3), unit=unit)
        yield case("Substr", strings([b"hello", b"w\xc3\xb6rld"]), i8([-5, -2]), i8([2, 9]), unit=unit)
    yield case("StringLength", x)
    yield case("Substr", strings([[b"abc"], [b"defg"]]), i4([0, 1, 3]), i4([2, 2, 2]))
    yield case("Substr", strings(b"abc"), i4(3), i4(0))
    yield case("Substr", strings(b"abc"), i4([0, 1]), i4([1, 5]))
    for op in ("StringLower", "StringUpper"):
        yield case(op, x)
        yield case(op, strings([b"aBc-Z"]), encoding=b"utf-8")
    yield case("StringStrip", x)
    parts = strings([[[b"a", b"b"], [b"c", b""]], [[b"e", b"f"], [b"g", b"h"]], [[b"i", b"j"], [b"k", b"l"]]])
    for axes in ([0], [1, 2], [2, 0], [-1], [2, 1, 0], [0, 1, 2], []):
        yield case("ReduceJoin", parts, i4(axes))
        yield case("ReduceJoin", parts, i4(axes), keep_dims=True, separator=b", ")
    yield case("ReduceJoin", parts, i4(-2))
    yield case("ReduceJoin", parts[:, :0], i4(1))
    yield case("ReduceJoin", parts[:, :0], i4(0))

    octets = np.random.default_rng(5).bytes(300)
    yield case("StringToHashBucketFast", strings([octets[:n] for n in range(300)]), num_buckets=2**63 - 1)
    yield case("StringToHashBucketFast", x, num_buckets=10)
    for key in ((0, 0), (12345, -6789)):
        yield case("StringToHashBucketStrong", strings([octets[:n] for n in range(40)]), num_buckets=2**63 - 1, key=key)


def decoding() -> Iterator[Case]:
    plain = strings([[b"0", b"-17", b" 42 "], [b"2147483647", b"-2147483648", b"007"]])
    fractions = strings(
        [b"1.5", b"-.25e2", b"+3.", b"1E-3 ", b"0.1", b"3.4028e38", b"-0", b"16777217.5", b"12345678901"]
    )
    for out in (FLOAT, DOUBLE, INT32, INT64):
        yield case("StringToNumber", plain, out_type=out)
    for out in (FLOAT, DOUBLE):
        yield case("StringToNumber", fractions, out_type=out)
    yield case("StringToNumber", strings(b"7"))
    octets = strings([b"abcdefgh12345678", b"\x00\x01\x02\x03\xff\xfe\xfd\xfc\x00\x00\x80\x3f\x00\x00\x00\x00"])
    for name in ("uint8", "int8", "int16", "uint16", "int32", "int64", "half", "float", "double", "complex64"):
        yield case("DecodeRaw", octets, out_type=NAMED[name])
        if name != "complex64":
            yield case("DecodeRaw", octets, out_type=NAMED[name], little_endian=False)
    yield case("DecodeRaw", strings(b""), out_type=INT32)
    data = [b"", b"a", b"\x00\xff\xfe" * 50, b"hello?>"]
    yield case("DecodeCompressed", strings(data))
    yield case("DecodeCompressed", strings([zlib.compress(text) for text in data]), compression_type=b"ZLIB")
    yield case("DecodeCompressed", strings([gzip.compress(text) for text in data]), compression_type=b"GZIP")
    for pad in (False, True):
        yield case("EncodeBase64", strings(data), pad=pad)
    yield case("DecodeBase64", strings([b"", b"YQ==", b"YQ", b"YWI=", b"aGVsbG8_Pg", b"_-8"]))


FAMILIES = (
    *(binary, unary, logic, selection, casts, shapes, slicing, joining, gathering, generators, diagonals, reductions),
    *(products, spatial, windows, sizes, volumes, images, segments, searching, bands, linear_algebra, quantization),
    *(gradients, text, characters, decoding, suppression, combined_suppression, random),
    *(transposed, fused, padded, tokens, patterns, code_points, sparse, quantized_ops),
    *(recurrent, ragged, morphology, resampled, audio, losses, labels, adjusted, backward),
)
with np.errstate(all="ignore"):  # operands overflow on purpose where a narrower type has no such number
    CASES = [row for family in FAMILIES for row in family()]
