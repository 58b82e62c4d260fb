"""Rounding with error compensation."""

from __future__ import annotations

import numpy as np
import pytest

from pbslim.quant import compensation
from pbslim.quant.channels import cheaper, code_bits, entropy, nearest
from pbslim.quant.compensation import (
    Compensation,
    blocks_of,
    depthwise_factors,
    diagonal_blocks,
    round_depthwise,
)


def _inputs(rows: int, count: int = 2000, seed: int = 0) -> np.ndarray:
    """Inputs that go together, as those of a real layer do."""
    random = np.random.default_rng(seed)
    return random.standard_normal((count, rows)) @ (random.standard_normal((rows, rows)) * 0.3 + np.eye(rows))


@pytest.mark.parametrize("rows", [1, 5, 64, 65, 150])
def test_outputs_move_less_than_by_plain_rounding(rows: int) -> None:
    inputs = _inputs(rows)
    codes = np.random.default_rng(1).standard_normal((rows, 12)) * 3
    rounded = Compensation(inputs.T @ inputs / len(inputs)).round(codes, nearest)
    assert rounded.shape == codes.shape
    assert (rounded == np.rint(rounded)).all()
    compensated = np.square(inputs @ (rounded - codes)).mean()
    plain = np.square(inputs @ (nearest(codes) - codes)).mean()
    assert compensated <= plain * (0.7 if rows > 4 else 1 + 1e-9)


@pytest.mark.parametrize("is_large", [False, True])
def test_the_factor_is_that_of_the_inverse(is_large: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    if is_large:  # to be factored in blocks, of which the last is narrower; in single precision
        monkeypatch.setattr(compensation, "_WIDEST_EXACT", 100)
        monkeypatch.setattr(compensation, "_PANEL", 70)
    inputs = _inputs(300)
    moments = inputs.T @ inputs / len(inputs)
    found = Compensation(moments)
    diagonal = np.diag(moments)
    regular = 0.9 * moments
    np.fill_diagonal(regular, diagonal + 0.01 * diagonal.mean())
    inverse = np.linalg.inv(regular[np.ix_(found.order, found.order)])
    factor = np.zeros_like(moments)
    for band in found.bands:
        at = len(moments) - band.shape[1]
        factor[at : at + len(band), at:] = band
    assert np.array_equal(factor, np.triu(factor))
    assert np.array_equal(np.diag(factor), found.diagonal)
    rounding = 3e-5 * np.abs(inverse).max() if is_large else 1e-10
    np.testing.assert_allclose(factor.T @ factor, inverse, rtol=1e-8, atol=rounding)


def test_inputs_that_are_always_zero_do_no_harm() -> None:
    codes = np.random.default_rng(1).standard_normal((6, 3)) * 3
    assert np.array_equal(Compensation(np.zeros((6, 6))).round(codes, nearest), nearest(codes))
    assert np.array_equal(round_depthwise(codes, depthwise_factors(np.zeros((3, 6, 6))), nearest), nearest(codes))


def test_channels_of_a_depthwise_convolution_are_rounded_as_each_alone() -> None:
    moments = np.stack([_inputs(9, seed=seed).T @ _inputs(9, seed=seed) / 2000 for seed in range(4)])
    codes = np.random.default_rng(1).standard_normal((9, 4)) * 3
    rounded = round_depthwise(codes, depthwise_factors(moments), nearest)
    alone = [round_depthwise(codes[:, [c]], depthwise_factors(moments[[c]]), nearest) for c in range(4)]
    assert np.array_equal(rounded, np.hstack(alone))
    noise = [np.einsum("kc,ckl,lc", e, moments, e) for e in (rounded - codes, nearest(codes) - codes)]
    assert noise[0] < 0.8 * noise[1]


def test_wide_layers_are_split_into_diagonal_blocks() -> None:
    assert diagonal_blocks(4096) == [slice(0, 4096)]
    assert diagonal_blocks(4097) == [slice(0, 2048), slice(2048, 4096), slice(4096, 4097)]
    parts = [part for part, _ in blocks_of([np.eye(3), np.eye(2)])]
    assert parts == [slice(0, 3), slice(3, 5)]


def test_weighing_bits_saves_more_than_it_costs() -> None:
    codes = np.random.default_rng(3).standard_normal((200, 50)) * 0.6
    plain = nearest(codes)
    choose = cheaper(np.ones((len(codes), 1)), np.ones(50), code_bits(plain))
    chosen = np.stack([choose(row, number) for number, row in enumerate(codes)])
    assert np.abs(chosen - codes).max() < 2
    assert entropy(chosen) < 0.98 * entropy(plain)
    # At the same entropy, plain rounding with a wider step is worse.
    wider = 1.0
    while entropy(np.rint(codes / wider)) > entropy(chosen):
        wider *= 1.002
    assert np.square(chosen - codes).mean() < np.square(np.rint(codes / wider) * wider - codes).mean()
