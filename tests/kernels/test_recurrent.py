"""Sequences that are shorter than the tensor that holds them."""

from __future__ import annotations

import numpy as np
import pytest

from pbslim.kernels import KernelError, evaluate
from tests.kernels.operands import F4, Case, i8, numbers
from tests.kernels.recurrent_cases import recurrent

SEQUENCES = [each for each in recurrent() if each.op.startswith("Block")]


@pytest.mark.parametrize("each", SEQUENCES, ids=str)
@pytest.mark.parametrize("length", [0, 4])
def test_nothing_is_computed_behind_the_longest_sequence(each: Case, length: int) -> None:
    _, x, *others = each.operands
    whole = evaluate(each.op, each.attrs, [i8(len(x)), x, *others])
    short = evaluate(each.op, each.attrs, [i8(length), x, *others])
    for gates, expected in zip(short, whole, strict=True):
        assert np.array_equal(gates[:length], expected[:length])
        assert not gates[length:].any()


def test_shapes_that_do_not_fit_are_refused() -> None:
    each = next(recurrent())
    x, *others = each.operands
    with pytest.raises(KernelError, match="LSTMBlockCell: weights have 8 rows, expected 9"):
        evaluate(each.op, each.attrs, [numbers(F4, 2, 4), *others])
    with pytest.raises(KernelError, match="states must be 3 rows of 5 elements"):
        evaluate(each.op, each.attrs, [numbers(F4, 3, 3), *others])
    with pytest.raises(KernelError, match="weights and biases must be of four gates"):
        evaluate(each.op, each.attrs, [x, *others[:-1], others[-1][:-1]])
    with pytest.raises(KernelError, match="peepholes must be vectors of 5 elements"):
        evaluate(each.op, {"use_peephole": True}, [x, *others[:3], others[3][:-1], *others[4:]])
