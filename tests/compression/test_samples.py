"""The inputs that a compression is made with."""

from __future__ import annotations

from typing import Any

import pytest

from pbslim.compression import samples
from pbslim.compression.effort import EFFORTS
from pbslim.verification import photographs
from pbslim.verification.feeds import Samples, generate_samples
from tests.compression.networks import classifier


def test_the_search_looks_at_other_photographs_than_the_moments(monkeypatch: pytest.MonkeyPatch) -> None:
    used = []

    def noted(*args: Any, pictures: Any, **options: Any) -> Samples:
        used.append({picture.tobytes() for picture in pictures()})
        return generate_samples(*args, pictures=pictures, **options)

    monkeypatch.setattr(samples, "generate_samples", noted)
    samples.generated(classifier(), ["x"], EFFORTS["least"])
    measured, searched = used
    assert not measured & searched
    assert measured | searched == {picture.tobytes() for picture in photographs.calibration()}
    assert len(measured) == 3 * len(searched)
