"""Nodes that are computed many times, and results that lie where an operand was."""

from __future__ import annotations

import warnings

import numpy as np
import pytest

from pbslim.kernels import KernelError, Prepared, evaluate
from tests.kernels.cases import CASES
from tests.kernels.operands import F4, I4, Case, case, numbers


def _by_op() -> dict[str, list[Case]]:
    found: dict[str, list[Case]] = {}
    for each in CASES:
        found.setdefault(each.op, []).append(each)
    return found


@pytest.mark.parametrize(("op", "cases"), _by_op().items())
def test_operands_may_be_overwritten(op: str, cases: list[Case]) -> None:
    """The result is the same to the bit, whether its memory was that of an operand or its own."""
    for each in cases:
        expected = evaluate(op, each.attrs, each.operands, each.types)
        operands = [a.copy() for a in each.operands]
        with np.errstate(all="ignore"):
            got = Prepared(op, each.attrs, each.types)(operands, operands)
        for mine, theirs in zip(got, expected, strict=True):
            assert mine.dtype == theirs.dtype
            assert mine.shape == theirs.shape
            assert mine.tolist() == theirs.tolist() or mine.tobytes() == theirs.tobytes()


OVERWRITTEN = [
    *(case(op, numbers(F4, 2, 3), numbers(F4, 3)) for op in ("Add", "Sub", "Mul", "RealDiv", "Maximum", "BiasAdd")),
    *(case(op, numbers(F4, 2, 3)) for op in ("Relu", "Relu6", "Elu", "Sigmoid", "Tanh", "Neg", "Rsqrt")),
    case("Softmax", numbers(F4, 2, 33)),
    case("Add", numbers(F4, 3), numbers(F4, 2, 3)),
]


@pytest.mark.parametrize("each", OVERWRITTEN, ids=str)
def test_no_memory_is_taken_where_an_operand_will_do(each: Case) -> None:
    prepared = Prepared(each.op, each.attrs, each.types)
    operands = [a.copy() for a in each.operands]
    with np.errstate(all="ignore"):
        [result] = prepared(operands, operands)
        assert any(result is operand for operand in operands)
        operands = [a.copy() for a in each.operands]
        [result] = prepared(operands)
    assert not any(np.shares_memory(result, operand) for operand in operands)


def test_operands_are_looked_at_when_their_types_change() -> None:
    add = Prepared("Add", {})
    x = numbers(F4, 2, 3)
    assert add([x, x])[0].tolist() == (x + x).tolist()
    with pytest.raises(KernelError, match="Add: operands differ in dtype: float32 and int32"):
        add([x, numbers(I4, 2, 3)])
    with pytest.raises(KernelError, match="Add: it has 1 input, expected 2"):
        add([x])
    assert add([x[:1], x])[0].tolist() == (x[:1] + x).tolist()


def test_an_operand_that_is_too_large_is_refused_each_time() -> None:
    identity = Prepared("Identity", {})
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert identity([np.zeros(1, F4)])[0].tolist() == [0]
        with pytest.raises(KernelError, match="operand 0 would have"):
            identity([np.broadcast_to(F4(0), (2**15, 2**15))])


def test_there_must_be_a_kernel() -> None:
    with pytest.raises(KernelError, match="there is no kernel for op Betainc"):
        Prepared("Betainc", {})
