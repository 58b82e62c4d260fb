"""Samples that are run at the same time."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pytest

from pbslim.compression import evaluation
from pbslim.compression.evaluation import Evaluator, threads
from pbslim.engines import Feeds, Program, engine
from pbslim.ir.tensors import Array
from tests.compression.networks import classifier


@dataclass(frozen=True)
class Scores:
    """What the classifier says of a sample."""

    steps: int = 1

    def __call__(self, program: Program, sample: Feeds, on_step: Callable[[], None]) -> Array:
        """Run it."""
        on_step()
        return program.run(sample, ["scores"])[0]


def test_results_are_those_of_one_after_the_other_and_in_their_order() -> None:
    random = np.random.default_rng(0)
    samples = [{"x": random.normal(size=(size, 16, 16, 3)).astype(np.float32)} for size in (1, 64, 2, 32, 3, 16) * 4]
    program = engine("builtin").load(classifier())
    told: list[int] = []
    found = list(Evaluator(program).map(Scores(), samples, lambda: told.append(1)))
    assert len(told) == len(samples)
    for one, sample in zip(found, samples, strict=True):
        np.testing.assert_array_equal(one, program.run(sample, ["scores"])[0])


def test_one_sample_at_a_time_runs_through_a_graph_with_a_huge_constant(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.cpu_count", lambda: 3)
    graph = classifier()
    assert threads(graph) == threads(None) == 3
    largest = max(node.tensor().nbytes for node in graph if node.op == "Const")
    for huge, expected in ((largest, 1), (largest + 1, 3)):
        monkeypatch.setattr(evaluation, "_HUGE", huge)
        assert threads(graph) == expected
