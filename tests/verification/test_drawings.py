"""Made-up drawings."""

from __future__ import annotations

import numpy as np
import pytest

from pbslim.verification.drawings import drawing


@pytest.mark.parametrize(("height", "width"), [(8, 8), (256, 64), (20, 70), (8, 200)])
def test_drawings_have_two_tones_of_which_the_ground_is_more(height: int, width: int) -> None:
    made = [drawing(np.random.default_rng(seed), height, width) for seed in range(20)]
    assert {each.shape for each in made} == {(height, width)}
    assert all(each.min() >= 0 and each.max() <= 255 for each in made)
    assert all(np.ptp(each) > 20 for each in made)
    dark = [np.median(each) < each.mean() for each in made]
    assert 0.5 < np.mean(dark) < 1  # most are light on dark
    grounds = [(each == np.median(each)).mean() for each in made]
    assert min(grounds) > 0.4


def test_drawings_are_seeded_and_differ() -> None:
    one, same, other = (drawing(np.random.default_rng(seed), 64, 64) for seed in (1, 1, 2))
    assert np.array_equal(one, same)
    assert not np.array_equal(one, other)
