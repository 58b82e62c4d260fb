"""Numbers that tell how far outputs are apart."""

from __future__ import annotations

import math

import numpy as np
import pytest

from pbslim.verification import metrics
from pbslim.verification.metrics import (
    Kind,
    Ratio,
    agreement,
    cosine,
    decisions,
    difference,
    signal_to_noise,
    snr,
    top_five,
)


def _pair(shape: tuple[int, ...], noise: float) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(0)
    first = random.standard_normal(shape)
    return first, first + noise * random.standard_normal(shape)


@pytest.mark.parametrize("decibels", [10, 20, 40])
def test_snr_is_that_of_the_noise(decibels: int) -> None:
    first, second = _pair((200, 500), 10 ** (-decibels / 20))
    assert snr(first, second) == pytest.approx(decibels, abs=0.1)


def test_the_interval_of_the_snr_holds_for_other_samples() -> None:
    """Noise that comes with few samples, as that of real models does: of many sets about 95 % have the true value."""
    random = np.random.default_rng(0)
    inside, count, true = 0, 400, 20.0
    for _ in range(count):
        first = random.standard_normal((60, 5)) * random.gamma(2, 0.5, (60, 1)) ** 0.5
        second = first + 0.1 * random.standard_normal((60, 5)) * random.gamma(1, 1, (60, 1)) ** 0.5
        found = signal_to_noise(first, second)
        assert found.interval
        inside += found.interval[0] <= true <= found.interval[1]
    assert 0.88 < inside / count < 0.99


@pytest.mark.parametrize(("count", "known"), [(1, False), (7, False), (8, True)])
def test_of_few_samples_nothing_is_known_but_their_snr(count: int, known: bool) -> None:
    found = signal_to_noise(*_pair((count, 50), 0.1))
    assert (found.interval is not None) is known


def test_fewer_samples_make_the_interval_wider() -> None:
    """By the quantile of Student's t for seven degrees of freedom, 2.365, and by fewer samples to take the mean of."""
    signal, noise = np.tile([1.0, 3.0], 4), np.full(8, 0.01)
    few, many = Ratio.of(signal, noise), Ratio.of(np.tile(signal, 1000), np.tile(noise, 1000))
    assert few.interval
    assert many.interval
    widths = [high - low for low, high in (few.interval, many.interval)]
    assert widths[0] / widths[1] == pytest.approx(2.365 / 1.960 * (1000 * 7999 / 8000 * 8 / 7) ** 0.5, rel=0.01)


def test_a_constant_part_is_no_signal() -> None:
    first, second = _pair((200, 500), 0.1)
    assert snr(first + 1000, second + 1000) == pytest.approx(20, abs=0.1)


def test_with_few_samples_the_signal_is_what_varies_at_all() -> None:
    first, second = _pair((2, 5000), 0.1)
    assert snr(first + 1000, second + 1000) == pytest.approx(20, abs=0.2)


def test_a_softmax_does_not_see_what_all_scores_share() -> None:
    first, second = _pair((100, 10), 0.0)
    moved = second + np.arange(100)[:, None]
    assert snr(first, moved) < 0
    assert snr(first, moved, Kind.SCORES) > 200


@pytest.mark.parametrize(
    ("first", "second", "expected"),
    [
        ([1.0, 2.0], [1.0, 2.0], math.inf),
        ([1.0, np.nan, np.inf], [1.0, np.nan, np.inf], math.inf),
        ([1.0, 2.0], [1.0, np.nan], -math.inf),
        ([1.0, np.inf], [1.0, -np.inf], -math.inf),
        ([0.0, 0.0], [0.0, 1.0], -math.inf),
        ([2.0, 2.0], [2.0, 2.0 + 0.02 * 2**0.5], 40.0),
        ([], [], math.inf),
    ],
)
def test_snr_of_degenerate_values(first: list[float], second: list[float], expected: float) -> None:
    assert snr(np.array(first), np.array(second)) == pytest.approx(expected)


def test_difference_counts_equal_infinities_as_none() -> None:
    first, second = np.array([np.nan, np.inf, 1, np.inf]), np.array([np.nan, np.inf, 3, 0])
    assert difference(first, second).tolist() == [0, 0, 2, np.inf]


def test_decisions_by_kind() -> None:
    first, second = np.array([[1.0, -2], [3, 4]]), np.array([[2.0, 1], [5, 4]])
    shares = [decisions(first, second, kind, 2) for kind in (Kind.SCORES, Kind.CHANCES, Kind.CODES)]
    assert [each.share for each in shares if each] == [0.5, 0.75, 0.25]
    assert decisions(first, second, Kind.VALUES, 2) is None


def test_top_five_looks_for_the_best_of_the_first_among_five_of_the_second() -> None:
    first, second = np.zeros((2, 8)), np.arange(16.0).reshape(2, 8)
    first[0, 3], first[1, 2] = 1, 1  # fifth and sixth best in the second
    found = top_five(first, second, Kind.SCORES, 2)
    assert found
    assert found.share == 0.5
    assert top_five(first[:, :5], second[:, :5], Kind.SCORES, 2) is None


def test_the_interval_is_wilsons() -> None:
    found = agreement(np.arange(100) < 98, 100)  # R: binom::binom.wilson(98, 100)
    assert (found.low, found.high) == pytest.approx((0.9300, 0.9945), abs=1e-4)
    assert agreement(np.ones(16, bool), 16).high == 1


def test_cosine() -> None:
    assert cosine(np.array([1.0, 0]), np.array([1.0, 1])) == pytest.approx(0.5**0.5)
    assert cosine(np.zeros(2), np.ones(2)) is None


@pytest.mark.parametrize("kind", [Kind.VALUES, Kind.SCORES])
def test_large_arrays_are_measured_in_parts(monkeypatch: pytest.MonkeyPatch, kind: Kind) -> None:
    random = np.random.default_rng(0)
    first = random.normal(3, 2, (9, 5, 4)).astype(np.float32)
    second = first + random.normal(0, 0.1, first.shape).astype(np.float32)
    whole = snr(first, second, kind), cosine(first, second)
    monkeypatch.setattr(metrics, "_PART", 45)
    assert (snr(first, second, kind), cosine(first, second)) == pytest.approx(whole, rel=1e-12)
    second[7, 0, 0] = np.nan
    assert snr(first, second, kind) == -np.inf
