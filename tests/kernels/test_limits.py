"""A kernel asks how much it may compute before it does."""

from __future__ import annotations

import tracemalloc
from typing import Any

import numpy as np
import pytest

from pbslim.dtypes import INT32
from pbslim.kernels import KernelError, evaluate
from pbslim.kernels.limits import Limits, current, limited
from tests.kernels.cases import CASES
from tests.kernels.operands import Case, case, i4, strings

F4 = np.float32
ELEMENTS = 1 << 16


def run(each: Case) -> list[Any]:
    return evaluate(each.op, each.attrs, list(each.operands), list(each.types))


def test_no_result_is_larger_than_the_operands_or_the_limit() -> None:
    seen = set()
    for each in CASES:
        operands = max((operand.size for operand in each.operands), default=0)
        largest = max((result.size for result in run(each)), default=0)
        if largest > max(operands, 1) and each.op not in ("Const", "StatelessRandomGetAlg"):
            seen.add(each.op)
            with limited(Limits(elements=largest - 1)), pytest.raises(KernelError, match="would have"):
                run(each)
    assert len(seen) > 60


SPREAD = np.arange(300, dtype=F4)
HUNDRED: dict[str, Any] = {"ksize": (1, 100, 100, 1), "strides": (1, 100, 100, 1), "padding": b"VALID"}
MANY = [  # results or tables that are far larger than their operands
    case("AvgPoolGrad", i4([1, 400, 400, 1]), np.ones([1, 4, 4, 1], F4), **HUNDRED),
    case("BroadcastTo", F4(1), i4([400, 400])),
    case("Conv2D", np.ones([1, 8, 8, 1], F4), np.ones([1, 1, 1, 4096], F4), strides=(1, 1, 1, 1), padding=b"SAME"),
    case("CropAndResize", np.ones([1, 2, 2, 1], F4), np.ones([1, 4], F4), i4([0]), i4([400, 400])),
    case("Diag", SPREAD),
    case("Einsum", SPREAD, SPREAD, equation=b"a,b->ab"),
    case("Fill", i4([400, 400]), F4(1)),
    case("GatherV2", np.ones([1, 400], F4), np.zeros(400, np.int32), np.int32(0)),
    case("LinSpace", F4(0), F4(1), np.int32(1 << 20)),
    case("MatMul", SPREAD[:, None], SPREAD[None]),
    case("MatrixDiag", SPREAD),
    case("MatrixDiagV3", SPREAD, np.int32(0), np.int32(-1), np.int32(-1), F4(0)),
    case("Mul", SPREAD[:, None], SPREAD),
    case("OneHot", i4([0]), np.int32(1 << 20), F4(1), F4(0)),
    case("Pad", SPREAD, i4([[0, 1 << 20]])),
    case("MirrorPad", np.ones([400, 400], F4), i4([[0, 400], [0, 0]]), mode=b"SYMMETRIC"),
    case("Range", np.int32(0), np.int32(1 << 20), np.int32(1)),
    *(
        case(f"Resize{how}", np.ones([1, 2, 2, 1], F4), i4([400, 400]))
        for how in ("Area", "Bicubic", "Bilinear", "NearestNeighbor")
    ),
    case("ResizeNearestNeighborGrad", np.ones([1, 2, 2, 1], F4), i4([400, 400])),
    case("ScatterNd", i4([[0]]), F4([1]), i4([1 << 20])),
    case("SelectV2", SPREAD[:, None] > 1, SPREAD, SPREAD),
    case("SpaceToBatchND", SPREAD[:, None, None], i4([2]), i4([[0, 999]])),
    case("SparseReshape", np.zeros([4096, 1], np.int64), np.array([1]), np.ones(999, np.int64)),
    case("SparseToDense", i4([0]), i4([1 << 20]), F4(1), F4(0)),
    case("StridedSliceGrad", i4([1 << 20]), i4([0]), i4([1]), i4([1]), F4([1])),
    case("Tile", SPREAD, i4([999])),
    case("UnravelIndex", np.zeros(9999, np.int32), np.ones(32, np.int32)),
    case("UnsortedSegmentSum", SPREAD, np.zeros(300, np.int32), np.int32(1 << 20)),
    case("Where", np.ones([1] * 15 + [9999], bool)),
]


@pytest.mark.parametrize("each", MANY, ids=lambda each: each.op)
def test_nothing_is_allocated_before(each: Case) -> None:
    with limited(Limits(elements=ELEMENTS)):
        tracemalloc.start()
        with pytest.raises(KernelError, match="would have"):
            run(each)
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
    assert peak < 1 << 20


LONG = strings([b"x" * 1000] * 100)


@pytest.mark.parametrize(
    "each",
    [
        case("StringJoin", LONG, LONG),
        case("ReduceJoin", LONG, i4([0])),
        case("Substr", strings(b"x" * 1000), np.zeros(100, np.int32), np.ones(100, np.int32)),
        case("AsString", np.ones(100, F4), width=999),
        case("EncodeBase64", LONG),
    ],
    ids=lambda each: each.op,
)
def test_long_strings(each: Case) -> None:
    with limited(Limits(text=50_000)), pytest.raises(KernelError, match="the result would have"):
        run(each)


IMAGE = np.ones([1, 64, 64, 1], F4)


@pytest.mark.parametrize(
    "each",
    [
        case("MatMul", np.ones([999, 999], np.int32), np.ones([999, 999], np.int32)),
        case("AvgPool", IMAGE.astype(np.float16), ksize=(1, 64, 64, 1), strides=(1, 1, 1, 1), padding=b"VALID"),
        case("AvgPoolGrad", i4([1, 64, 64, 1]), IMAGE, ksize=(1, 64, 64, 1), strides=(1, 1, 1, 1), padding=b"SAME"),
        case("MaxPoolGrad", *[IMAGE] * 3, ksize=(1, 64, 64, 1), strides=(1, 1, 1, 1), padding=b"SAME"),
        case("Cholesky", np.eye(999, dtype=F4)),
        case("Erfc", np.ones(99_999)),
        case("LRN", np.ones([1, 1, 1, 9999], F4), depth_radius=9999),
        case("LowerBound", np.ones([9999, 1], F4), np.ones([9999, 1], F4)),
        case("Roll", np.ones(9999, F4), np.ones(999, np.int32), np.zeros(999, np.int32)),
        case("TopKV2", np.ones(99_999, F4), np.int32(1)),
        case("Unique", np.ones(99_999, F4)),
        case("StringToHashBucketFast", LONG, num_buckets=9),
    ],
    ids=lambda each: each.op,
)
def test_what_takes_long(each: Case) -> None:
    with limited(Limits(work=2e6)), pytest.raises(KernelError, match="it would take too long"):
        run(each)


def test_work_adds_up() -> None:
    limits = Limits(work=1000)
    with limited(limits):
        evaluate("Erfc", {}, [np.ones(8)])
        with pytest.raises(KernelError):
            evaluate("Erfc", {}, [np.ones(8)])
    assert limits.work == 1000 - 8 * 64
    assert current().work > limits.work
    assert evaluate("Cast", {"DstT": INT32}, [np.ones(3, F4)])[0].tolist() == [1, 1, 1]
