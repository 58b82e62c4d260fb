"""Steps per output channel."""

from __future__ import annotations

import numpy as np
import pytest

from pbslim.quant import channels
from pbslim.quant.channels import (
    RADIX,
    WIDEST,
    channel_steps,
    code_bits,
    entropy,
    exponents_of,
    finest,
    in_two_bytes,
    is_too_coarse,
    mean_square,
    nearest,
    relative_steps,
    steps_of,
    used_coarseness,
)

_GAUSS = np.random.default_rng(0).standard_normal((40, 5)).astype(np.float32)
_CASES = {
    "gaussian": _GAUSS,
    "all negative": -np.abs(_GAUSS),
    "all zero": np.zeros((40, 5), np.float32),
    "one dead channel": np.where(np.arange(5) == 2, 0, _GAUSS).astype(np.float32),
    "one outlier": np.where(np.arange(200).reshape(40, 5) == 7, 1000, _GAUSS).astype(np.float32),
    "tiny": _GAUSS * np.float32(1e-9),
    "denormal": _GAUSS * np.float32(1e-42),
    "huge": _GAUSS * np.float32(1e9),
    "one row": _GAUSS[:1],
}


@pytest.mark.parametrize("coarseness", [0.0, 0.05, 0.2, 3.0])
@pytest.mark.parametrize("weights", _CASES.values(), ids=_CASES)
def test_steps_are_normal_floats_that_codes_of_a_byte_reach(weights: np.ndarray, coarseness: float) -> None:
    steps = channel_steps(weights, coarseness)
    assert steps.dtype == np.float32
    assert (steps >= np.finfo(np.float32).tiny).all()
    assert np.array_equal(steps_of(exponents_of(steps)), steps)
    codes = np.rint(weights / steps)
    assert (np.abs(codes).max(axis=0) <= 127 - 127 // 16).all()
    assert (nearest(codes)[:, ~weights.any(axis=0)] == 0).all()


def test_steps_grow_by_a_quarter_of_an_octave() -> None:
    steps = steps_of(np.arange(-8, 9))
    assert list(steps[8:13]) == [1, 1.25, 1.5, 1.75, 2]
    assert np.array_equal(steps[4:], 2 * steps[:-4])


def test_two_bytes_hold_what_one_cannot() -> None:
    codes = np.arange(-WIDEST, WIDEST + 1).astype(np.int16)
    low, high = in_two_bytes(codes)
    assert low.dtype == high.dtype == np.int8
    assert np.array_equal(low + high.astype(np.int64) * RADIX, codes)


def test_coarseness_is_in_units_of_the_rms() -> None:
    assert used_coarseness(_GAUSS, channel_steps(_GAUSS, 0.2)) == pytest.approx(0.2, rel=0.05)
    assert used_coarseness(_CASES["all zero"], finest(_CASES["all zero"])) == 0
    assert used_coarseness(np.zeros((0, 3), np.float32), np.ones(3, np.float16)) == 0


@pytest.mark.parametrize("scale", [1, 1e-3, 1e-7])
def test_codes_of_a_byte_are_as_fine_for_small_weights(scale: float) -> None:
    weights = _GAUSS * np.float32(scale)
    steps = finest(weights).astype(np.float32)
    error = nearest(weights / steps) * steps - weights
    assert 10 * np.log10(mean_square(weights) / mean_square(error)) > 40


def test_a_heavy_tail_asks_for_float16() -> None:
    assert not is_too_coarse(_GAUSS, 0.2)
    assert is_too_coarse(_GAUSS, 0.001)
    assert not is_too_coarse(_CASES["all zero"], 0.2)


def test_entropy_is_that_of_the_counts() -> None:
    assert entropy(np.array([0, 0, 1, 1])) == pytest.approx(4)
    assert entropy(np.array([3, 3, 3])) == 0
    assert entropy(np.array([])) == 0


def test_large_arrays_are_looked_at_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    random = np.random.default_rng(0)
    weights = random.standard_normal((30, 7)).astype(np.float32)
    codes = random.integers(-127, 128, (30, 7)).astype(np.int8)
    whole = mean_square(weights), code_bits(codes)
    assert whole[0] == np.square(weights, dtype=np.float64).mean()
    monkeypatch.setattr(channels, "_PART", 50)
    assert mean_square(weights) == pytest.approx(whole[0], rel=1e-14)
    assert np.array_equal(code_bits(codes), whole[1])
    assert mean_square(weights[:0]) == 0


@pytest.mark.parametrize("weights", _CASES.values(), ids=_CASES)
def test_relative_steps_keep_the_power_of_all_steps(weights: np.ndarray) -> None:
    importance = np.array([1e-3, 0.1, 1, 0, 50])
    relative = relative_steps(weights, importance)
    power = np.square(channels.channel_rms(weights))
    assert np.square(relative) @ power == pytest.approx(power.sum())
    assert relative.max() <= 9 * relative.min() * (1 + 1e-12)


def test_channels_that_matter_more_get_finer_steps() -> None:
    relative = relative_steps(_GAUSS, np.array([1, 4, 16, 0.25, 1]) / np.square(channels.channel_rms(_GAUSS)))
    assert relative[2] < relative[1] < relative[0] == pytest.approx(relative[4])
    assert relative[0] < relative[3]
    steps = channel_steps(_GAUSS, 0.1, relative=relative) / channels.channel_rms(_GAUSS)
    np.testing.assert_allclose(steps, 0.1 * relative, rtol=0.13)  # to the next of four steps to an octave
    assert used_coarseness(_GAUSS, channel_steps(_GAUSS, 0.1, relative=relative)) == pytest.approx(0.1, rel=0.1)


def test_no_channel_is_lost_for_one_that_matters() -> None:
    relative = relative_steps(_GAUSS, np.array([1.0, 1, 1, 1, 0]))
    assert relative[4] > 1.5
    rms = channels.channel_rms(_GAUSS)
    assert (channel_steps(_GAUSS, 0.9, relative=relative) <= 1.13 * rms).all()
    assert (channel_steps(_GAUSS, 2.0, relative=relative) <= 2.26 * rms).all()
