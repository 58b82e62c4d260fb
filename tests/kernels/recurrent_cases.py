"""Cells of recurrent networks."""

from __future__ import annotations

from collections.abc import Iterator

from pbslim.kernels.checks import Array
from tests.kernels.operands import F2, F4, Case, case, i8, numbers


def _weights(dtype: type, inputs: int, units: int) -> tuple[Array, ...]:
    shapes = ((inputs + units, 4 * units), (units,), (units,), (units,), (4 * units,))
    return tuple(numbers(dtype, *shape, seed=k) / dtype(3) for k, shape in enumerate(shapes))


def recurrent() -> Iterator[Case]:
    for dtype in (F4, F2):
        weights = _weights(dtype, 3, 5)
        state, output = numbers(dtype, 2, 5), numbers(dtype, 2, 5, seed=7)
        for attrs in ({}, {"use_peephole": True}, {"forget_bias": 0.5, "cell_clip": 0.25}, {"cell_clip": -1.0}):
            yield case("LSTMBlockCell", numbers(dtype, 2, 3), state, output, *weights, **attrs)
    weights = _weights(F4, 4, 6)
    x, state, output = numbers(F4, 7, 3, 4), numbers(F4, 3, 6), numbers(F4, 3, 6, seed=7)
    for op in ("BlockLSTM", "BlockLSTMV2"):  # of what lies behind the end of the sequences, TensorFlow sets only a part
        yield case(op, i8(7), x, state, output, *weights)
        yield case(op, i8(7), x, state, output, *weights, use_peephole=True, cell_clip=1.5)
    yield case("BlockLSTM", i8(7), x, state, output, *weights, forget_bias=0.0)
    shapes = ((8, 10), (8, 5), (10,), (5,))
    weights = tuple(numbers(F4, *shape, seed=k) / F4(3) for k, shape in enumerate(shapes))
    yield case("GRUBlockCell", numbers(F4, 2, 3), numbers(F4, 2, 5), *weights)
    yield case("GRUBlockCell", numbers(F4, 0, 3), numbers(F4, 0, 5), *weights)
