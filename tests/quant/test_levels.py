"""The different values of a tensor, where they are few."""

from __future__ import annotations

import numpy as np
import pytest

from pbslim.quant.levels import few_values


@pytest.mark.parametrize("cut", [1, 4097, 9000])
def test_values_are_found_wherever_they_stand(cut: int) -> None:
    values = np.repeat(np.array([3, -1, 0], np.float32), 3000)
    values[4096] = 7
    pieces = [values[:cut], values[cut:]]
    assert few_values(pieces, 4).tolist() == [-1, 0, 3, 7]  # type: ignore[union-attr]
    assert few_values(pieces, 3) is None


def test_zero_has_one_sign_and_nan_none() -> None:
    assert few_values([np.array([0.0, -0.0], np.float32)], 1) is not None
    assert few_values([np.array([0.0, np.nan], np.float32)], 9) is None


def test_nothing_has_no_values() -> None:
    assert few_values([np.zeros(0, np.float32)], 0).size == 0  # type: ignore[union-attr]
