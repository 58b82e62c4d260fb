"""Codes along a trellis: less noise in as many bits, and what they stand for."""

from __future__ import annotations

import numpy as np
import pytest

from pbslim.quant.channels import channel_steps, cheaper, code_bits, entropy, nearest
from pbslim.quant.compensation import Compensation
from pbslim.quant.trellis import prices, round_trellis, values


def _layer(rows: int, columns: int) -> tuple[np.ndarray, np.ndarray]:
    """Weights, and the second moments of inputs that go together."""
    random = np.random.default_rng(rows)
    mixed = random.standard_normal((4 * rows, rows)) @ (np.eye(rows) + random.standard_normal((rows, rows)) / rows)
    weights = random.standard_normal((rows, columns)).astype(np.float32)
    return weights, (mixed.T @ mixed / len(mixed)).astype(np.float32)


def _walked(codes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Values, and the state at the end of each column, by the table of states that VVC gives."""
    table = np.array([[0, 2], [2, 0], [1, 3], [3, 1]])
    states, found = np.zeros(codes.shape[1], int), np.empty(codes.shape)
    for row, code in enumerate(codes.astype(int)):
        found[row] = np.where(states >= 2, code - np.sign(code) / 2, code)
        states = table[states, code & 1]
    return found, states


@pytest.mark.parametrize("coarseness", [0.2, 0.8])
def test_less_noise_in_as_many_bits(coarseness: float) -> None:
    weights, moments = _layer(256, 64)
    steps = channel_steps(weights, coarseness)
    compensation = Compensation(moments.copy())
    importance = compensation.diagonal[:, None] ** -2.0

    def noise(found: np.ndarray) -> float:
        error = (weights - found * steps).astype(np.float64)
        return float(np.einsum("kn,kj,jn->", error, moments, error))

    plain = compensation.round(weights / steps, nearest)
    plain = compensation.round(weights / steps, cheaper(importance, steps, code_bits(plain)))
    codes = round_trellis(compensation, weights / steps, prices(importance, steps, code_bits(plain)))
    gained = 10 * np.log10(noise(plain) / noise(values(codes, compensation.order)))
    lost = (entropy(codes) - entropy(plain)) / codes.size * 20 * np.log10(2)
    assert gained - lost > 0.3


@pytest.mark.parametrize("rows", [1, 2, 33, 64, 65, 200])
def test_codes_stand_for_what_the_table_of_states_says(rows: int) -> None:
    weights, moments = _layer(rows, 20)
    steps = channel_steps(weights, 0.5)
    compensation = Compensation(moments.copy())
    codes = round_trellis(compensation, weights / steps, np.zeros((255, 20), np.float32))
    assert np.array_equal(codes, np.rint(codes))
    found, states = _walked(codes[compensation.order])
    assert np.array_equal(values(codes, compensation.order)[compensation.order], found)
    assert not states.any()  # so that the next column can follow


def test_codes_stay_within_a_byte() -> None:
    weights, moments = _layer(64, 8)
    compensation = Compensation(moments.copy())
    codes = round_trellis(compensation, weights * 200, np.zeros((255, 8), np.float32))
    assert np.abs(codes).max() <= 127
