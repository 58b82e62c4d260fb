"""Cells of recurrent networks, and whole sequences through one of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np

from pbslim.kernels.checks import Array, check_products, checked_shape, require, scalar
from pbslim.kernels.products import multiplied
from pbslim.kernels.registry import Attributes, function_of, kernel

_Gates: TypeAlias = tuple[Array, Array, Array, Array, Array, Array, Array]
"""Input gate, state, forget gate, output gate, new input, what the state gives, output: in the order of the ports."""

_CELL = " ".join(["T:half|float"] * 8)


def _sigmoid(x: Array) -> Array:
    return np.asarray(function_of("Sigmoid")(Attributes({}), x))


@dataclass(frozen=True)
class _Lstm:
    """A long short-term memory: weights, and how the node wants them used.

    Attributes:
        weights: rows for the input and for the previous output, columns for the four gates one after the other.
        bias: of the four gates.
        peepholes: how the state acts on the input, forget and output gate; None if it does not.
        forget_bias: is added to the bias of the forget gate.
        clip: the state is kept below it, unless it is zero or less.
        forget_second: whether the columns are input, forget, new, output; input, new, forget, output otherwise.
    """

    weights: Array
    bias: Array
    peepholes: tuple[Array, Array, Array] | None
    forget_bias: np.float32
    clip: np.float32
    forget_second: bool

    @classmethod
    def of(cls, attrs: Attributes, operands: tuple[Array, ...], *, forget_second: bool = False) -> _Lstm:
        """From w, wci, wcf, wco and b."""
        weights, in_peephole, forget_peephole, out_peephole, bias = operands
        require(weights.ndim == 2 and bias.ndim == 1, "weights must be a matrix, and biases a vector")
        units = bias.size // 4
        require(weights.shape[1] == bias.size == 4 * units, "weights and biases must be of four gates")
        peepholes = None
        if attrs.flag("use_peephole"):
            peepholes = in_peephole, forget_peephole, out_peephole
            require(all(each.shape == (units,) for each in peepholes), f"peepholes must be vectors of {units} elements")
        forget_bias = np.float32(0) if forget_second else attrs.number("forget_bias", 1.0)
        clip = attrs.number("cell_clip", 0.0 if forget_second else 3.0)
        return cls(weights, bias, peepholes, forget_bias, clip, forget_second)

    def check(self, x: Array, state: Array, output: Array) -> None:
        """Raise KernelError unless an input and what the cell remembers are of the right shapes."""
        units = self.bias.size // 4
        require(x.ndim == 2, "an input must be rows")
        require(state.shape == output.shape == (len(x), units), f"states must be {len(x)} rows of {units} elements")
        rows = x.shape[1] + units
        require(len(self.weights) == rows, f"weights have {len(self.weights)} rows, expected {rows}")
        check_products(len(x) * self.weights.size, x.dtype)

    def step(self, x: Array, state: Array, output: Array) -> _Gates:
        """One input; each step is rounded to the type."""
        gates = multiplied(np.concatenate([x, output], 1), self.weights).astype(x.dtype, copy=False) + self.bias
        gate, second, third, out = np.split(gates, 4, 1)
        new, forget = (third, second) if self.forget_second else (second, third)
        forget = forget + x.dtype.type(self.forget_bias)
        if self.peepholes is not None:
            gate, forget = gate + state * self.peepholes[0], forget + state * self.peepholes[1]
        gate, forget, new = _sigmoid(gate), _sigmoid(forget), np.tanh(new)
        state = new * gate + state * forget
        if self.clip > 0:
            state = state.clip(x.dtype.type(-self.clip), x.dtype.type(self.clip))
        if self.peepholes is not None:
            out = out + state * self.peepholes[2]
        out, given = _sigmoid(out), np.tanh(state)
        return gate, state, forget, out, new, given, given * out


@kernel("LSTMBlockCell", takes=_CELL)
def _lstm_cell(attrs: Attributes, x: Array, state: Array, output: Array, *weights: Array) -> Any:
    cell = _Lstm.of(attrs, weights)
    cell.check(x, state, output)
    return cell.step(x, state, output)


def _sequence(cell: _Lstm, length: Array, x: Array, state: Array, output: Array) -> Any:
    """The gates at each time; past the end of the longest sequence they are zero."""
    require(x.ndim == 3, "the input must be a sequence of rows")
    times = min(int(scalar(length, "seq_len_max")), len(x))
    cell.check(x[0] if len(x) else np.empty(x.shape[1:], x.dtype), state, output)
    check_products(max(times - 1, 0) * x.shape[1] * cell.weights.size, x.dtype)
    shape = checked_shape([len(x), *state.shape])
    results = [np.zeros(shape, x.dtype) for _ in range(7)]
    for time in range(times):
        gates = cell.step(x[time], state, output)
        for result, gate in zip(results, gates, strict=True):
            result[time] = gate
        state, output = gates[1], gates[-1]
    return results


@kernel("BlockLSTM", takes=f"int64 {_CELL}")
def _lstm(attrs: Attributes, length: Array, x: Array, state: Array, output: Array, *weights: Array) -> Any:
    return _sequence(_Lstm.of(attrs, weights), length, x, state, output)


@kernel("BlockLSTMV2", takes=f"int64 {_CELL}")
def _lstm_v2(attrs: Attributes, length: Array, x: Array, state: Array, output: Array, *weights: Array) -> Any:
    return _sequence(_Lstm.of(attrs, weights, forget_second=True), length, x, state, output)


@kernel("GRUBlockCell", takes="float float float float float float")
def _gru_cell(_attrs: Attributes, x: Array, output: Array, *weights: Array) -> Any:
    """Gated recurrent unit: reset and update gate, the candidate, and the new output."""
    gate_weights, weight, gate_bias, bias = weights
    require(x.ndim == output.ndim == 2 and len(x) == len(output), "input and state must be as many rows")
    rows, units = x.shape[1] + output.shape[1], output.shape[1]
    require(gate_weights.shape == (rows, 2 * units) and weight.shape == (rows, units), "the weights do not fit")
    require(gate_bias.shape == (2 * units,) and bias.shape == (units,), "the biases do not fit")
    check_products(len(x) * (gate_weights.size + weight.size), x.dtype)
    gates = _sigmoid(multiplied(np.concatenate([x, output], 1), gate_weights) + gate_bias)
    reset, update = gates[:, :units], gates[:, units:]
    candidate = np.tanh(multiplied(np.concatenate([x, output * reset], 1), weight) + bias)
    return reset, update, candidate, (output - candidate) * update + candidate
