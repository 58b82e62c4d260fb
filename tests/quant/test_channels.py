"""Steps per output channel."""

from __future__ import annotations

import numpy as np
import pytest

from pbslim.quant.channels import channel_steps, entropy, finest, is_too_coarse, nearest, used_coarseness

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
def test_steps_are_normal_float16_that_codes_of_a_byte_reach(weights: np.ndarray, coarseness: float) -> None:
    steps = channel_steps(weights, coarseness)
    assert steps.dtype == np.float16
    assert (steps >= np.finfo(np.float16).tiny).all()
    codes = np.rint(weights / steps.astype(np.float32))
    within = np.abs(weights).max(axis=0) <= 127 * 65504
    assert (np.abs(codes).max(axis=0)[within] <= 127.1).all()
    assert (nearest(codes)[:, ~weights.any(axis=0)] == 0).all()


def test_coarseness_is_in_units_of_the_rms() -> None:
    assert used_coarseness(_GAUSS, channel_steps(_GAUSS, 0.2)) == pytest.approx(0.2, rel=0.01)
    assert used_coarseness(_CASES["all zero"], finest(_CASES["all zero"])) == 0
    assert used_coarseness(np.zeros((0, 3), np.float32), np.ones(3, np.float16)) == 0


def test_a_heavy_tail_asks_for_float16() -> None:
    assert not is_too_coarse(_GAUSS, 0.2)
    assert is_too_coarse(_GAUSS, 0.001)
    assert not is_too_coarse(_CASES["all zero"], 0.2)


def test_entropy_is_that_of_the_counts() -> None:
    assert entropy(np.array([0, 0, 1, 1])) == pytest.approx(4)
    assert entropy(np.array([3, 3, 3])) == 0
    assert entropy(np.array([])) == 0
