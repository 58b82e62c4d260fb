"""Where TensorFlow leaves a result open, folding refuses, and a graph that is run gets what TensorFlow gives here."""

from __future__ import annotations

import numpy as np
import pytest

from pbslim.dtypes import FLOAT, DType
from pbslim.kernels import KernelError, evaluate
from pbslim.kernels.limits import Limits, limited
from tests.kernels.operands import F4, Case, case, i4, numbers, strings

NAN = np.array([[1, np.nan, 3, 2]], F4)
IMAGE = np.where(numbers(F4, 1, 4, 4, 1) > 2, np.nan, numbers(F4, 1, 4, 4, 1))
WINDOWS = {"ksize": (1, 2, 2, 1), "strides": (1, 2, 2, 1), "padding": b"VALID"}

OPEN = [
    case("MaxPool", IMAGE, **WINDOWS),
    case("MaxPoolGrad", IMAGE, IMAGE[:, ::2, ::2], IMAGE[:, ::2, ::2], **WINDOWS),
    case("TopKV2", NAN, i4(2)),
    case("TopKV2", numbers(F4, 2, 5), i4(3), sorted=False),
    case("ArgMax", NAN, i4(1)),
    case("SegmentMax", NAN.T.copy(), i4([0, 0, 1, 1])),
    case("Unique", NAN[0]),
    case("DynamicStitch", i4([0, 2]), numbers(F4, 2, 3)),
    case("StringToNumber", strings([b"1e-44"]), out_type=FLOAT),
    case("StringLower", strings(["ÄB".encode()]), encoding=b"utf-8"),
    case("AsString", NAN),
    case("Cast", NAN, DstT=DType.parse("int32")),
]


@pytest.mark.parametrize("each", OPEN, ids=str)
def test_only_folding_refuses(each: Case) -> None:
    with pytest.raises(KernelError):
        evaluate(each.op, each.attrs, each.operands, each.types)
    with limited(Limits(exact=False)):
        found = evaluate(each.op, each.attrs, each.operands, each.types)
    assert found


@pytest.mark.tensorflow
def test_casts_out_of_range_are_those_of_tensorflow() -> None:
    """To 32 and 64 bits; of fewer, TensorFlow takes the lower ones or the nearest number, as its loops are cut up."""
    tf = pytest.importorskip("tensorflow")
    values = [-1.5, 256.7, 300, -200, 1e10, -1e10, 70000, -70000, 2.0**31, 3e9, np.nan, np.inf, -np.inf, 0.5]
    for dtype in (np.float32, np.float64):
        for target in (np.int32, np.int64):
            x = np.array(values * 3, dtype)
            with limited(Limits(exact=False)):
                [found] = evaluate("Cast", {"DstT": DType.from_numpy(np.dtype(target))}, [x])
            with tf.Graph().as_default(), tf.compat.v1.Session() as session:
                expected = session.run(tf.cast(tf.compat.v1.placeholder_with_default(x, x.shape), target))
            np.testing.assert_array_equal(found, expected)
