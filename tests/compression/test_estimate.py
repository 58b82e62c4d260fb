"""How long a compression is expected to take."""

from __future__ import annotations

from dataclasses import replace

import pytest

from pbslim.compression.effort import EFFORTS
from pbslim.compression.estimate import MEASURING, SEARCHING, TRYING, VERIFYING, Pace, estimate
from pbslim.compression.evaluation import threads
from pbslim.compression.model import Model
from pbslim.compression.samples import generated
from pbslim.engines import engine
from tests.compression.networks import classifier

PACE = Pace(sample=0.1, single=0.2, products=1e10)
NORMAL = EFFORTS["normal"]


@pytest.fixture(scope="module")
def model() -> Model:
    graph = classifier()
    return Model.of(graph, engine("builtin").load(graph), ["x"], ["scores"])


def test_samples_that_run_at_the_same_time_take_less(model: Model) -> None:
    one, four = (estimate(model, replace(PACE, threads=count), NORMAL, proven=48) for count in (1, 4))
    assert one[MEASURING] > four[MEASURING]
    assert one[TRYING] > 3.5 * four[TRYING]
    assert one[SEARCHING] > 3.5 * four[SEARCHING]
    assert one[VERIFYING] == pytest.approx(2 * four[VERIFYING], rel=0.1)  # two processes


def test_moments_are_measured_on_one_sample_after_the_other(model: Model) -> None:
    untraced = replace(NORMAL, traced=0)
    one, four = (estimate(model, replace(PACE, threads=count), untraced, proven=48) for count in (1, 4))
    assert four[MEASURING] == one[MEASURING]
    assert one[MEASURING] == pytest.approx(NORMAL.calibration * 0.1, rel=0.2)


def test_less_effort_takes_less_in_each_part(model: Model) -> None:
    high, normal, low, least = (estimate(model, PACE, EFFORTS[name], 48) for name in ("high", "normal", "low", "least"))
    for more, fewer in ((high, normal), (normal, low), (low, least)):
        for part in (MEASURING, TRYING, SEARCHING):
            assert more[part] > fewer[part]
    assert normal[VERIFYING] == low[VERIFYING]


def test_what_is_not_proven_takes_no_time(model: Model) -> None:
    assert estimate(model, PACE, NORMAL, 0)[VERIFYING] == 0
    assert estimate(model, PACE, NORMAL, 96)[VERIFYING] > 1.8 * estimate(model, PACE, NORMAL, 48)[VERIFYING]


def test_outputs_of_a_few_numbers_take_more_attempts(model: Model) -> None:
    narrow = replace(model, judge=replace(model.judge, is_narrow=True))
    one, other = (estimate(each, PACE, NORMAL, 48) for each in (model, narrow))
    assert other[TRYING] == one[TRYING]
    assert other[SEARCHING] > 1.3 * one[SEARCHING]
    assert other[VERIFYING] > 1.5 * one[VERIFYING]


def test_a_model_without_weights_to_compress_takes_its_runs_alone(model: Model) -> None:
    found = estimate(replace(model, sites=[]), PACE, NORMAL, 48)
    assert found[MEASURING] == pytest.approx(NORMAL.calibration * 0.1)
    assert found[TRYING] == pytest.approx(32 * 0.1 + 8 * 0.2)


def test_the_pace_is_that_of_this_machine(model: Model) -> None:
    found = Pace.of(model, generated(model.graph, ["x"]))
    assert found.threads == threads(model.graph)
    assert 0 < found.sample < 1
    assert 0 < found.single < 4
    assert found.products > 1e7
