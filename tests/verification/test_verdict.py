"""The verdict from signal to noise and decisions."""

from __future__ import annotations

import math

import pytest

from pbslim.verification.verdict import Verdict, judge


@pytest.mark.parametrize(
    ("snr", "agreement", "word"),
    [
        (math.inf, 1.0, "near-lossless"),
        (30.0, 0.99, "near-lossless"),
        (29.9, 1.0, "good"),
        (60.0, 0.985, "good"),
        (20.0, 0.98, "good"),
        (19.9, 1.0, "degraded"),
        (40.0, 0.95, "degraded"),
        (14.9, 1.0, "broken"),
        (60.0, 0.94, "broken"),
        (-math.inf, 0.0, "broken"),
    ],
)
def test_both_limits_count(snr: float, agreement: float, word: str) -> None:
    assert str(judge(snr, agreement)) == word


def test_only_equal_results_are_exact() -> None:
    assert [each for each in Verdict if each.is_exact] == [Verdict.IDENTICAL, Verdict.ROUNDING]
