"""Photographs for each purpose of a compression."""

from __future__ import annotations

from typing import Any

import pytest

from pbslim.compression import samples
from pbslim.compression.effort import EFFORTS
from pbslim.dtypes import FLOAT, INT32, Shape
from pbslim.verification import photographs
from pbslim.verification.feeds import Samples, generate_samples
from tests.compression.networks import Builder, classifier


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


def test_photographs_are_decoded_for_images_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    build = Builder()
    x = build.graph.add("x", "Placeholder", attrs={"dtype": FLOAT, "shape": Shape((-1, 5))}).output()
    build.op("y", "MatMul", x, build.const("weights", (5, 3)))
    monkeypatch.delattr(photographs, "_decoded")
    assert samples.generated(build.graph, ["x"], EFFORTS["least"]).validation
    with pytest.raises(NameError, match="_decoded"):
        samples.generated(classifier(), ["x"], EFFORTS["least"])


def test_moments_are_measured_on_indices_where_there_is_nothing_else() -> None:
    """Any row of a table is as real an input as another; numbers of which nothing is known are noise."""
    build = Builder()
    ids = build.graph.add("ids", "Placeholder", attrs={"dtype": INT32, "shape": Shape((-1, 7))}).output()
    rows = build.op("rows", "Gather", build.const("table", (50, 8)), ids)
    assert len(samples.generated(build.graph, ["ids"], EFFORTS["least"]).calibration[0]["ids"]) == 4
    x = build.graph.add("x", "Placeholder", attrs={"dtype": FLOAT, "shape": Shape((-1, 7, 8))}).output()
    build.op("y", "Mul", rows, x)
    both = samples.generated(build.graph, ["ids", "x"], EFFORTS["least"])
    assert both.origin == "generated indices and generated values"
    assert not both.calibration
