"""Samples that are run at the same time."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from pbslim.compression.evaluation import Evaluator
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
