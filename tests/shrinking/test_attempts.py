"""The way from one attempt to the next."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest

from pbslim.compression.compressor import Compressor
from pbslim.compression.promises import Promise
from pbslim.compression.rounding import Rounded
from pbslim.compression.samples import SampleSets
from pbslim.compression.search import Candidate
from pbslim.errors import CheckError
from pbslim.ir import Graph
from pbslim.shrinking.attempts import Attempt, Attempts, Compressed
from pbslim.shrinking.options import CompressionOptions
from pbslim.shrinking.proof import Files, Proof
from pbslim.verification import Comparison, Verification
from pbslim.verification.metrics import agreement

PROMISED = 20.0


class Searched:
    """Finds weights for as many dB as there are.

    Without a search it finds a part of the dB that are asked for.
    """

    def __init__(self, most: float = math.inf, part: float = 1.0) -> None:
        self.most, self.part, self.searches = most, part, 0

    def compress(self, snr: float, _start: Candidate | None, until: float) -> Candidate:
        self.until, self.searches = until, self.searches + 1
        return self._found(snr)

    def quieter(self, found: Candidate, decibels: float) -> Candidate:
        return self._found(found.snr + self.part * decibels)

    def _found(self, snr: float) -> Candidate:
        if snr > self.most:
            raise CheckError(f"no weights in fewer bits keep {snr:.1f} dB")
        return Candidate(0.0, {}, {}, snr)


class Told(Attempts):
    """Attempts that measure what they are told; less noise takes more bytes."""

    measured: Callable[[float], float]
    verified: Callable[[float], Verification] | None = None

    def _attempt(self, _found: Candidate, wanted: float) -> Verification | None:
        checked = Verification([Comparison("y", (1,), 0.0, 1.0, snr=self.measured(wanted))])
        checked = self.verified(wanted) if self.verified else checked
        self.tried.append(Attempt(wanted, wanted, int(wanted * 100), checked, kept := self._keeps(checked)))
        rank = self._rank(checked, int(wanted * 100))
        if kept and (self._kept is None or rank < self._kept[1]):
            self._kept = Compressed(Graph(), verification=checked), rank
        return checked

    def checked(self, number: int) -> Verification:
        """How the result of an attempt compares."""
        return self._checked(Graph(), number, Proof())


def attempts(measured: Callable[[float], float], compressor: Any = None, **options: Any) -> Told:
    files = Files(Path("in.pb"), Path("out.pb"), ["x"], ["x"], ["y"])
    asked = CompressionOptions(promise=Promise(PROMISED, 0.0))
    made = Told(cast("Compressor", compressor or Searched()), [], files, asked, Proof(), lambda *_: None, **options)
    made.measured = measured
    return made


def steps(values: Sequence[tuple[float, float]]) -> Callable[[float], float]:
    """What is measured from each number of dB wanted on."""
    return lambda wanted: next(measured for least, measured in reversed(values) if wanted >= least)


@pytest.mark.parametrize(
    ("measured", "wanted", "best"),
    [
        (lambda wanted: wanted + 1, [20.5], 21.5),  # kept at once
        (lambda wanted: wanted + 8, [20.5, 13], 21),  # by far: back to a decibel above what is needed
        (lambda wanted: wanted + 30, [20.5], 50.5),  # nothing that a search asks for comes near
        (lambda wanted: wanted - 0.7, [20.5, 21], 20.3),  # missed by little
        (steps([(0, 10), (26, 35)]), [20.5, 30.8, 25.65, 28.225], 35),  # half the way back, and half of that
        (steps([(0, 10), (22, 35)]), [20.5, 30.8, 25.65, 23.075], 35),
        (steps([(0, 12), (18, 28)]), [20.5, 13.5, 17], 28),  # kept by far, and then no more
    ],
)
def test_what_is_wanted_next(measured: Callable[[float], float], wanted: list[float], best: float) -> None:
    made = attempts(measured)
    found = made.best()
    assert [each.wanted for each in made.tried] == pytest.approx(wanted)
    assert found.verification
    assert found.verification.snr == pytest.approx(best)


@pytest.mark.parametrize(("part", "searches"), [(1.0, 1), (0.9, 1), (0.5, 2)])
def test_one_search_is_enough_where_finer_steps_bring_what_they_should(part: float, searches: int) -> None:
    compressor = Searched(part=part)
    found = attempts(lambda wanted: wanted - 5, compressor).best()
    assert found.verification
    assert compressor.searches == searches


def test_no_looser_attempt_is_made_where_none_is_wanted() -> None:
    made = attempts(lambda wanted: wanted + 8, looser=0)
    made.best()
    assert [each.wanted for each in made.tried] == [20.5]


def spread(measured: Callable[[float], float], width: Callable[[float], float]) -> Callable[[float], Verification]:
    """What is measured, with an interval that reaches so many dB further down."""

    def verified(wanted: float) -> Verification:
        found, down = measured(wanted), width(wanted)
        return Verification([Comparison("y", (1,), 0.0, 1.0, snr=found, snr_interval=(found - down, found + down))])

    return verified


@pytest.mark.parametrize(
    ("width", "wanted", "best"),
    [
        (lambda _: 1.9, [20.5], 20.5),  # other inputs may show a little less than is promised
        (lambda _: 2.5, [20.5, 21.3], 21.3),
        (lambda _: 20.0, [20.5, 22.3], 22.3),  # but much more than that is not asked for
    ],
)
def test_what_other_inputs_may_show_counts_too(
    width: Callable[[float], float], wanted: list[float], best: float
) -> None:
    made = attempts(lambda _: 0, Searched(most=30.0))
    made.verified = spread(lambda wanted: wanted, width)
    found = made.best()
    assert [each.wanted for each in made.tried][:2] == pytest.approx(wanted)
    assert found.verification
    assert found.verification.snr == pytest.approx(best)


def test_what_keeps_the_promise_alone_is_better_than_nothing() -> None:
    made = attempts(lambda _: 0, Searched(most=21.0))
    made.verified = spread(lambda wanted: wanted, lambda _: 5.0)
    found = made.best()
    assert found.verification
    assert found.verification.snr == pytest.approx(20.5)


def deciding(measured: Callable[[float], float]) -> Callable[[float], Verification]:
    """What is measured where decisions change until there are so many dB."""
    return lambda wanted: Verification(
        [Comparison("y", (1000,), 0.0, 1.0, snr=wanted, agreement=agreement(np.arange(1000) < measured(wanted), 1000))]
    )


@pytest.mark.parametrize(("looser", "wanted"), [(2, [20.5, 22.3, 25]), (0, [20.5, 28.8])])
def test_decisions_that_differ_ask_for_more(looser: int, wanted: list[float]) -> None:
    made = attempts(lambda _: 0, looser=looser)
    made.options = replace(made.options, promise=Promise(PROMISED, 0.98))
    made.verified = deciding(lambda wanted: 1000 if wanted > 23 else 900)
    made.best()
    assert [each.wanted for each in made.tried][: len(wanted)] == pytest.approx(wanted, abs=0.01)


def test_what_is_never_kept_ends() -> None:
    made = attempts(lambda _: 10)
    with pytest.raises(CheckError, match="ask for less"):
        made.best()
    assert [each.wanted for each in made.tried] == pytest.approx([20.5 + 10.3 * number for number in range(8)])


def test_what_was_kept_stays_when_no_other_weights_are_found() -> None:
    class Once(Searched):
        def quieter(self, found: Candidate, decibels: float) -> Candidate:
            self.most = -math.inf
            return super().quieter(found, decibels)

    made = attempts(lambda wanted: wanted + 8, Once())
    assert made.best().verification
    assert len(made.tried) == 1


def test_finest_weights_that_are_not_good_enough() -> None:
    made = attempts(lambda _: 10, Searched(most=45))
    with pytest.raises(CheckError, match="ask for less"):
        made.best()
    assert [each.wanted for each in made.tried] == pytest.approx([20.5, 30.8, 41.1, 43.675])


def test_between_what_failed_and_what_is_too_fine_there_may_be_something() -> None:
    made = attempts(steps([(0, 10), (24, 21)]), Searched(most=28), looser=0)
    assert made.best().verification
    assert [each.wanted for each in made.tried] == pytest.approx([20.5, 25.65])


def test_nothing_more_is_tried_when_the_time_is_up() -> None:
    made = attempts(lambda wanted: wanted + 8, deadline=time.perf_counter())
    assert made.best().verification
    assert len(made.tried) == 1


def test_the_last_attempt_that_there_is_time_for_goes_far_enough() -> None:
    made = attempts(lambda wanted: wanted - 1, deadline=time.perf_counter())
    assert made.best().verification
    assert [each.wanted for each in made.tried] == pytest.approx([20.5, 24.3])


def test_where_not_even_that_is_kept_the_time_is_up() -> None:
    made = attempts(lambda _: 10, deadline=time.perf_counter())
    with pytest.raises(CheckError, match="ask for less"):
        made.best()
    assert len(made.tried) == 4


def test_attempts_end_with_the_first_that_is_kept_when_the_time_is_up() -> None:
    made = attempts(steps([(0, 15), (25, 19), (30, 21)]), deadline=time.perf_counter())
    assert made.best().verification
    assert [each.wanted for each in made.tried] == pytest.approx([20.5, 28.8, 33.1])


@pytest.mark.parametrize(
    ("measured", "wanted"),
    [
        (lambda wanted: wanted + 1, [20]),
        (lambda wanted: wanted - 1, [20, 24.3]),  # then what keeps the promise in any case
        (lambda _: 10, [20, 33.3]),
    ],
)
def test_what_was_found_when_somebody_stops_is_verified(
    measured: Callable[[float], float], wanted: list[float]
) -> None:
    class Stopped(Searched):
        best = Candidate(0.0, {}, {}, PROMISED)

        def compress(self, *_: object) -> Candidate:
            raise KeyboardInterrupt

    made = attempts(measured, Stopped())
    if measured(30) >= PROMISED:
        assert made.best().interrupted
    else:
        with pytest.raises(KeyboardInterrupt):
            made.best()
    assert [each.wanted for each in made.tried] == pytest.approx(wanted)


def test_a_search_leaves_time_for_the_proof() -> None:
    compressor = Searched()
    attempts(lambda wanted: wanted + 1, compressor, deadline=time.perf_counter() + 100, proving=40.0).best()
    assert compressor.until == pytest.approx(time.perf_counter() + 60, abs=30)


def test_the_proof_alone_judges_what_is_smaller_than_a_kept_result() -> None:
    compressor = Searched(part=0.3)  # what is made finer without a search seems far from what is wanted
    made = attempts(steps([(0.0, 15.0), (22.0, 19.0), (25.0, 23.0)]), compressor)
    made.best()
    assert [round(each.wanted, 1) for each in made.tried] == [20.5, 25.8, 23.1, 24.5]
    assert compressor.searches == 2  # the first, and that of the one that was kept


@pytest.mark.parametrize(
    ("number", "found", "looser", "seeds"),
    [
        (0, (21.0, 20.5), 2, [0, 8]),
        (0, (21.0, 19.0), 2, [0, 8]),
        (0, (21.0, 19.0), 0, [0]),  # where each takes minutes
        (3, (20.5, 21.0), 2, [3, 0]),
        (3, (19.0, 21.0), 2, [3]),
    ],
)
def test_what_keeps_the_promise_is_proven_on_other_inputs_too(
    number: int, found: tuple[float, float], looser: int, seeds: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[int] = []

    def verified(_graph: Graph, _files: Files, _proof: Proof, seed: int, _samples: object = None) -> Verification:
        seen.append(seed)
        return Verification([Comparison("y", (1,), 0.0, 1.0, snr=found[len(seen) - 1])])

    class Measured(Searched):
        samples = SampleSets([], [], [], "values")

    monkeypatch.setattr("pbslim.shrinking.attempts.verified", verified)
    made = attempts(lambda wanted: wanted, Measured(), looser=looser)
    assert made.checked(number).snr == min(found[: len(seeds)])
    assert seen == seeds


@pytest.mark.parametrize("most", [20.2, 10.0])
def test_where_nothing_lies_ahead_of_a_promise_the_promise_itself_is_tried(most: float) -> None:
    made = attempts(lambda wanted: wanted, Searched(most))
    if most >= PROMISED:
        assert made.best().verification
        assert [each.wanted for each in made.tried] == [PROMISED]
    else:
        with pytest.raises(CheckError, match=r"keep 20\.0 dB"):
            made.best()


@pytest.mark.parametrize(("size", "taken"), [(500, 400), (1299, 1100), (1300, 1300), (9999, 2300)])
def test_a_size_that_is_asked_for_is_made_use_of(size: int, taken: int) -> None:
    """The graph takes 300 bytes beside its weights, which come in steps."""

    class Sized(Searched):
        def fit(self, nbytes: float) -> Candidate:
            fitting = max(each for each in (100, 800, 1000, 2000) if each <= nbytes)
            return Candidate(0.0, {}, {"w": Rounded(np.zeros((fitting, 1), np.int8), None, None)}, fitting / 100)

    class Fitted(Told):
        def _smallest(self, found: Candidate) -> tuple[Graph, int, str]:
            return Graph(), 300 + round(found.bits / 8), "codes"

        def _attempt(self, found: Candidate, wanted: float) -> Verification | None:
            self.found = self._smallest(found)[1]
            return super()._attempt(found, wanted)

    files = Files(Path("in.pb"), Path("out.pb"), ["x"], ["x"], ["y"])
    compressor = Sized()
    made = Fitted(
        cast("Compressor", compressor), [], files, CompressionOptions(target_size=size), Proof(), lambda *_: None
    )
    made.measured = lambda wanted: wanted
    made.best()
    assert made.found == taken


def test_what_is_finer_is_tried_where_a_search_finds_nothing() -> None:
    compressor = Searched(most=25.0, part=0.3)
    made = attempts(steps([(0.0, 15.0), (25.0, 23.0)]), compressor, looser=0)
    assert made.best().verification
    assert [round(each.wanted, 1) for each in made.tried] == [20.5, 25.8]
    assert compressor.searches == 2
