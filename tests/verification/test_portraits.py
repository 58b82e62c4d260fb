"""Made-up portraits."""

from __future__ import annotations

import numpy as np

from pbslim.verification.portraits import SIDE, portrait


def test_portraits_are_seeded_pictures_that_differ() -> None:
    made = [portrait(np.random.default_rng(seed)) for seed in range(8)]
    assert np.array_equal(made[0], portrait(np.random.default_rng(0)))
    for picture in made:
        assert picture.shape == (SIDE, SIDE, 3)
        assert picture.min() >= 0
        assert picture.max() <= 255
        assert picture.std() > 20
    assert all(np.abs(picture - made[number - 1]).mean() > 15 for number, picture in enumerate(made))


def test_a_head_fills_the_middle_with_shades_of_its_skin() -> None:
    third = SIDE // 3
    for seed in range(8):
        middle = portrait(np.random.default_rng(seed))[third:-third, third:-third]
        red, green, blue = middle.mean(axis=(0, 1))
        assert red > green > 0.9 * blue
        assert np.ptp(middle.mean(-1)) > 60  # eyes and mouth
