"""Numbers as float16, and as float16 with a few more bits."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from pbslim.quant.half import MOST_BITS, fine_enough, finer, in_halves, joined

_VALUES = np.random.default_rng(0).standard_normal(20000).astype(np.float32) * 30
_VALUES[:200] = 2.0 ** (np.arange(200) % 20 - 10) * (1 + np.linspace(-1e-3, 1e-3, 200))


def test_each_bit_halves_the_error() -> None:
    errors = [np.sqrt(np.square(finer(_VALUES, bits) / _VALUES - 1).mean()) for bits in range(MOST_BITS + 1)]
    assert 2**-13.5 < errors[0] < 2**-12.0
    assert errors[MOST_BITS] < 2**-18
    assert all(1.5 < coarse / fine < 3.2 for coarse, fine in pairwise(errors))


@pytest.mark.parametrize("bits", range(MOST_BITS + 1))
def test_both_parts_give_the_same_number_again(bits: int) -> None:
    found = finer(_VALUES, bits)
    assert np.array_equal(joined(*in_halves(found)), found)


def test_float16_has_no_second_part() -> None:
    half = _VALUES.astype(np.float16)
    assert not in_halves(half.astype(np.float32))[1].any()
    assert np.array_equal(finer(_VALUES, 0), half.astype(np.float32))


def test_zeros_and_tiny_numbers_stay_what_float16_makes_of_them() -> None:
    tiny = np.array([0, -0.0, 1e-6, -3e-8, 5e-5], np.float32)
    assert np.array_equal(finer(tiny, MOST_BITS), tiny.astype(np.float16).astype(np.float32))


@pytest.mark.parametrize("noise", [1e-2, 1e-4, 1e-6, 1e-7])
def test_a_number_is_as_fine_as_other_errors_ask_for(noise: float) -> None:
    found = fine_enough(_VALUES, np.full(_VALUES.shape, noise))
    assert np.square(found - _VALUES, dtype=np.float64).mean() <= 0.05 * noise
    assert noise < 1e-3 or np.array_equal(found, finer(_VALUES, 0))


def test_what_has_no_other_errors_does_not_count() -> None:
    noise = np.where(np.arange(len(_VALUES)) % 2, 0, 1.0)
    assert np.array_equal(fine_enough(_VALUES, noise), finer(_VALUES, 0))
    assert np.array_equal(fine_enough(_VALUES, 0 * noise), finer(_VALUES, 0))
