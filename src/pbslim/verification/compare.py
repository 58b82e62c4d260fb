"""Compare the outputs of two graphs for the same inputs."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from pbslim.analysis.endpoints import find_names, require
from pbslim.verification import metrics
from pbslim.verification.feeds import DEFAULT_SAMPLES, Samples, generate_samples
from pbslim.verification.metrics import Kind
from pbslim.verification.outputs import Judged, how_to_judge, looks_like_shares, unsquashed
from pbslim.verification.results import Comparison, Verification, judged
from pbslim.verification.rounding import rounding_levels
from pbslim.verification.running import (
    DEFAULT_TIMEOUT,
    Batch,
    Runs,
    Setting,
    Side,
    engine_for,
    has_inner_tensors,
    require_fed,
    run_both,
    stacked,
)
from pbslim.verification.verdict import Verdict, judge
from pbslim.verification.weights import changed_constants
from pbslim.wire import load
from pbslim.wire.memmapped import package_of

Array = npt.NDArray[Any]
Metric = Callable[[dict[str, Array]], float]

_RTOL, _ATOL = 1e-4, 1e-5
_LEAST_BATCHES = 2


@dataclass(frozen=True)
class Demands:
    """What must be met; when nothing is asked for, the second graph must compute the same but for float rounding.

    Attributes:
        min_snr: signal to noise in dB that every output must have.
        min_agreement: share of equal decisions that every output must have.
        rtol, atol: ``|a - b| <= atol + rtol * max|a|`` must hold for every element; None for 1e-4 and 1e-5 where the
            other one is given.
        max_drop: how much smaller the accuracy or the caller's metric may become.
    """

    min_snr: float | None = None
    min_agreement: float | None = None
    rtol: float | None = None
    atol: float | None = None
    max_drop: float | None = None

    @property
    def is_nothing(self) -> bool:
        """Whether nothing is asked for."""
        return self == Demands()

    @property
    def tolerances(self) -> tuple[float, float] | None:
        """Relative and absolute tolerance, None when neither is asked for."""
        if self.rtol is None and self.atol is None:
            return None
        return _RTOL if self.rtol is None else self.rtol, _ATOL if self.atol is None else self.atol


def compare_arrays(output: str, first: Array, second: Array, rtol: float, atol: float) -> Comparison:
    """Check `second` against `first`: ``|a - b| <= atol + rtol * max|a|`` for every element; NaN equals NaN."""
    found = _difference(output, first, second)
    if found.problem or found.largest_difference == 0:
        return found
    if not _is_numeric(first):
        problem = f"{found.largest_difference:.0f} of {first.size} values differ"
        return replace(found, problem=problem)
    allowed = atol + rtol * found.largest_value
    problem = f"off by {found.largest_difference:.3g}, {allowed:.3g} is allowed"
    return replace(found, problem="" if found.largest_difference <= allowed else problem)


def _is_numeric(array: Array) -> bool:
    return array.dtype.kind in "fiuc" or array.dtype.name == "bfloat16"


def _difference(output: str, first: Array, second: Array) -> Comparison:
    if first.shape != second.shape or first.dtype != second.dtype:
        problem = f"{second.dtype}{list(second.shape)} instead of {first.dtype}{list(first.shape)}"
        return Comparison(output, first.shape, float("inf"), 0.0, problem, float("inf"))
    if not _is_numeric(first):
        unequal = np.asarray(first != second)
        return Comparison(output, first.shape, float(np.count_nonzero(unequal)), 0.0, "", float(unequal.mean()))
    apart = metrics.difference(first, second)
    finite = np.abs(first[np.isfinite(first)].astype(np.complex128 if first.dtype.kind == "c" else np.float64))
    mean = float(apart.mean()) if apart.size else 0.0
    return Comparison(output, first.shape, float(apart.max(initial=0)), float(finite.max(initial=0)), "", mean)


def compare_files(
    first: Path,
    second: Path,
    feeds: Mapping[str, Array] | Samples | None = None,
    *,
    inputs: Sequence[str] | None = None,
    outputs: Sequence[str] | None = None,
    rtol: float | None = None,
    atol: float | None = None,
    min_snr: float | None = None,
    min_agreement: float | None = None,
    max_drop: float | None = None,
    engine: str = "auto",
    samples: int = DEFAULT_SAMPLES,
    seed: int = 0,
    timeout: float = DEFAULT_TIMEOUT,
    budget: float | None = None,
    metric: Metric | None = None,
    on_progress: Callable[[int, int], None] = lambda _done, _all: None,
) -> Verification:
    """Run both graphs on the same inputs and compare every output; see `pbslim.verify`.

    Each runs in a process of its own, so that one that crashes or hangs is an error like any other.

    Args:
        budget: seconds after which no further inputs are tried.
        on_progress: is told how many inputs are done, and of how many.

    Raises:
        UsageError: a name is not in a graph, or no engine can run both.
        PbslimError: a graph cannot be read or does not run.
    """
    started = time.perf_counter()
    sides = Side(first, load(first)), Side(second, load(second))
    if outputs is None:
        outputs = find_names(sides[1].graph)[1]
    for side in sides:
        for name in outputs:
            require(side.graph, name)
    names = find_names(sides[0].graph, inputs, outputs)[0]
    given = _given(feeds) or generate_samples(sides[0].graph, names, samples=samples, seed=seed)
    require_fed(sides, list(given.batches[0]))
    plan = _plan(sides, outputs, engine)

    def enough(done: int) -> bool:
        on_progress(done, len(given.batches))
        late = budget is not None and time.perf_counter() - started > budget
        return late and done >= _LEAST_BATCHES

    setting = Setting(plan.engine, timeout)
    runs = run_both(setting, sides, plan.fetches, given.batches, enough)
    found = _Found(plan, sides, list(given.batches[: len(runs.first)]), runs)
    demands = Demands(min_snr, min_agreement, rtol, atol, max_drop)
    result = found.verification(setting, names, demands, metric)
    origin = replace(result, origin=given.origin, notes=[*given.notes, *result.notes])
    return replace(origin, seconds=time.perf_counter() - started)


def _given(feeds: Mapping[str, Array] | Samples | None) -> Samples | None:
    if feeds is None or isinstance(feeds, Samples):
        return feeds
    return Samples([dict(feeds)], "the given inputs")


@dataclass(frozen=True)
class _Plan:
    """What is run: the outputs, then the tensors to judge them by where those are others."""

    engine: str
    outputs: list[str]
    first: list[Judged]
    second: list[Judged]

    @property
    def fetches(self) -> tuple[list[str], list[str]]:
        """What to ask each graph for."""
        mine, other = ([*self.outputs, *(each.tensor for each in side)] for side in (self.first, self.second))
        return mine, other


def _plan(sides: tuple[Side, Side], outputs: Sequence[str], engine: str) -> _Plan:
    chosen = engine_for(engine, sides, [outputs, outputs])
    first, second = ([how_to_judge(side.graph, name) for name in outputs] for side in sides)
    inner = has_inner_tensors(chosen)
    for i, (a, b) in enumerate(zip(first, second, strict=True)):
        if a.kind is not b.kind or not inner:
            first[i], second[i] = a.as_it_is, b.as_it_is
    return _Plan(chosen, list(outputs), first, second)


@dataclass(frozen=True)
class _Found:
    """What both graphs gave, with what is made of it."""

    plan: _Plan
    sides: tuple[Side, Side]
    batches: list[Batch]
    runs: Runs

    def verification(
        self, setting: Setting, inputs: Sequence[str], demands: Demands, metric: Metric | None
    ) -> Verification:
        """The result, but for what the caller adds."""
        comparisons = self._comparisons()
        levels, apart = self._rounding(setting)
        comparisons = [
            replace(each, is_rounding=not each.problem and own <= level)
            for each, own, level in zip(comparisons, apart, levels, strict=True)
        ]
        notes: list[str] = []
        verdict = _verdict(comparisons, identical=not any(apart))
        if verdict.is_exact:
            changed = changed_constants(self.sides[0].graph, self.sides[1].graph, inputs, self.plan.outputs)
            if changed:
                worst = max(changed, key=lambda each: each.largest_difference / max(each.largest_value, 1e-30))
                verdict = Verdict.NEAR_LOSSLESS
                notes.append(
                    f"{len(changed)} constants differ, '{worst.name}' by {worst.largest_difference:.3g} where its "
                    f"largest value is {worst.largest_value:.3g}; these inputs hardly show it"
                )
        measured = self._measured(metric)
        comparisons, failures = _checked(comparisons, verdict, demands, measured)
        known = [memory for memory in self.runs.memory if memory]
        told = len(known) == len(self.sides) and any(package_of(side.graph) for side in self.sides)
        return Verification(
            comparisons,
            tuple(known) if told else (),
            verdict,
            failures,
            self.plan.engine,
            sum(self._sizes()),
            notes=notes,
            metric=measured,
        )

    def _sizes(self) -> list[int]:
        return [batch_size(batch) for batch in self.batches]

    def _values(self, column: int) -> tuple[Array, Array]:
        first, second = ([row[column] for row in rows] for rows in (self.runs.first, self.runs.second))
        sizes = self._sizes()
        return stacked(first, sizes), stacked(second, sizes)

    def _comparisons(self) -> list[Comparison]:
        count = len(self.plan.outputs)
        samples = sum(self._sizes())
        found = []
        for i, name in enumerate(self.plan.outputs):
            first, second = self._values(i)
            each = replace(_difference(name, first, second), is_ordered=self.plan.first[i].is_ordered)
            if not each.problem:
                each = _with_metrics(each, self.plan.first[i], first, self._values(count + i), samples)
            found.append(each)
        return found

    def _rounding(self, setting: Setting) -> tuple[list[float], list[float]]:
        count = len(self.plan.outputs)
        first = [row[count:] for row in self.runs.first]
        second = [row[count:] for row in self.runs.second]
        return rounding_levels(setting, self.sides[0], self.batches, self.plan.fetches[0][count:], first, second)

    def _measured(self, metric: Metric | None) -> tuple[float, float] | None:
        if metric is None:
            return None
        values = [self._values(i) for i in range(len(self.plan.outputs))]
        one, two = (dict(zip(self.plan.outputs, side, strict=True)) for side in zip(*values, strict=True))
        return float(metric(one)), float(metric(two))


def batch_size(batch: Batch) -> int:
    """How many samples a batch holds: the first dimension that its inputs share."""
    sizes = {len(value) for value in batch.values() if np.ndim(value)}
    return sizes.pop() if len(sizes) == 1 else 1


def _with_metrics(found: Comparison, how: Judged, output: Array, pair: tuple[Array, Array], samples: int) -> Comparison:
    first, second = pair
    kind = how.kind
    if how.tensor == how.output:
        first, second = (unsquashed(each, how.squashed) for each in pair)
    if kind is Kind.VALUES and looks_like_shares(output):
        kind = Kind.SCORES
        first, second = (unsquashed(each, "Softmax") for each in pair)
    if first.shape != second.shape:
        return found
    agreement = metrics.decisions(first, second, kind, samples)
    if kind is Kind.CODES:
        return replace(found, agreement=agreement)
    return replace(
        found,
        snr=metrics.snr(first, second, kind),
        cosine=metrics.cosine(first, second),
        agreement=agreement,
        top_five=metrics.top_five(first, second, kind, samples),
    )


def _verdict(comparisons: list[Comparison], *, identical: bool) -> Verdict:
    if identical and all(each.largest_difference == 0 for each in comparisons):
        return Verdict.IDENTICAL
    if all(each.is_rounding for each in comparisons):
        return Verdict.ROUNDING
    if any(each.problem for each in comparisons):
        return Verdict.BROKEN
    real = [each for each in judged(comparisons) if not each.is_rounding] or comparisons
    snr = min((each.snr for each in real if each.snr is not None), default=float("inf"))
    share = min((each.agreement.high for each in real if each.agreement is not None), default=1.0)
    return judge(snr, share)


def _checked(
    comparisons: list[Comparison], verdict: Verdict, demands: Demands, measured: tuple[float, float] | None
) -> tuple[list[Comparison], list[str]]:
    """The comparisons with what is wrong with them, and the demands that are not met."""
    checked = [replace(each, problem=each.problem or _problem(each, demands)) for each in comparisons]
    failures = [f"'{each.output}': {each.problem}" for each in checked if each.problem]
    if demands.is_nothing and not verdict.is_exact and not failures:
        failures.append(f"the result is {verdict}, not the same but for float rounding")
    if measured and demands.max_drop is not None and measured[0] - measured[1] > demands.max_drop:
        failures.append(f"the metric drops from {measured[0]:.6g} to {measured[1]:.6g}")
    return checked, failures


def _problem(found: Comparison, demands: Demands) -> str:
    if demands.is_nothing:
        return "" if found.is_rounding else _differs(found)
    if demands.min_snr is not None and found.snr is not None and not found.is_ordered and found.snr < demands.min_snr:
        return f"{found.snr:.1f} dB, at least {demands.min_snr:g} are asked for"
    agreement, least = found.agreement, demands.min_agreement
    if least is not None and agreement is not None and not found.is_ordered and agreement.share < least:
        return f"{agreement.share:.1%} of decisions agree, at least {least:.1%} are asked for"
    if demands.tolerances is None:
        return ""
    if found.agreement is not None and found.snr is None:
        unequal = found.mean_difference > 0
        return _differs(found) if unequal else ""
    rtol, atol = demands.tolerances
    allowed = atol + rtol * found.largest_value
    if found.largest_difference <= allowed:
        return ""
    return f"off by {found.largest_difference:.3g}, {allowed:.3g} is allowed"


def _differs(found: Comparison) -> str:
    if found.snr is None and found.agreement is not None:
        return f"{1 - found.agreement.share:.1%} of {found.agreement.decisions} values differ"
    return f"off by {found.largest_difference:.3g}"
