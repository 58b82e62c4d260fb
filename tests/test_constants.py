"""The summary of a constant tells what differs by more than rounding."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from pbslim.dtypes import FLOAT, INT32, QUINT8, DType
from pbslim.ir import ArrayTensor
from tests.constants import agrees, constants, summary
from tests.graphs import parse

WEIGHTS = np.random.default_rng(0).standard_normal((60, 60))
CODES = np.clip(np.round(WEIGHTS * 40 + 128), 0, 255)
EDGE = np.eye(1, CODES.size).reshape(CODES.shape)  # at the first element
PAIRS = {
    "floats, rounded otherwise": (FLOAT, WEIGHTS, WEIGHTS * (1 + 1e-6), True),
    "floats, 2 % more": (FLOAT, WEIGHTS, WEIGHTS * 1.02, False),
    "floats, transposed": (FLOAT, WEIGHTS, WEIGHTS.T, False),
    "floats, fewer": (FLOAT, WEIGHTS, WEIGHTS[:4, :1], False),
    "a float, 2 % more": (FLOAT, np.array(-1.5), np.array(-1.53), False),
    "codes, one on the edge": (QUINT8, CODES, CODES + EDGE, True),
    "codes, one elsewhere": (QUINT8, CODES, CODES + 2 * EDGE, False),
    "codes, all one more": (QUINT8, np.minimum(CODES, 254), np.minimum(CODES, 254) + 1, False),
    "codes, transposed": (QUINT8, CODES, CODES.T, False),
    "integers, one more": (INT32, np.array([1, 200]), np.array([1, 201]), False),
}


@pytest.mark.parametrize(("dtype", "first", "second", "same"), PAIRS.values(), ids=PAIRS)
def test_constants_agree_but_for_rounding(
    dtype: DType, first: np.ndarray[Any, Any], second: np.ndarray[Any, Any], same: bool
) -> None:
    tensor, other = (ArrayTensor(array.astype(dtype.numpy), dtype) for array in (first, second))
    assert agrees(tensor, summary(tensor))
    assert agrees(other, summary(tensor)) == same


def test_their_order_is_that_of_what_reads_them() -> None:
    graph, outputs = parse("""
        unread = Const(1)
        low = Const(2)
        b = Const(3)
        w = Const(4)
        x = Placeholder()
        y = MatMul(x, w)
        z = BiasAdd(y, b)
        s = Maximum(z, low)
        a = Add(y, b)
        -> s, a
    """)
    assert list(constants(graph, outputs)) == ["w", "b", "low"]
