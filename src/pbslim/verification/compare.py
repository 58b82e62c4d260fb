"""Compare the outputs of two graphs for the same inputs."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from pbslim.engines.apart import ProgramApart
from pbslim.errors import UsageError
from pbslim.names import node_name
from pbslim.verification import metrics
from pbslim.verification.accuracy import accuracy, predicted
from pbslim.verification.demands import Demands, growth, within
from pbslim.verification.examples import find_examples
from pbslim.verification.feeds import DEFAULT_SAMPLES, Pixels, Samples
from pbslim.verification.inputs import Inputs, find_ends
from pbslim.verification.layers import find_layers
from pbslim.verification.metrics import Kind
from pbslim.verification.outputs import Judged, before_selections, how_to_judge, looks_like_shares, unsquashed
from pbslim.verification.patience import Patience, likely_held
from pbslim.verification.results import Accuracy, Comparison, Example, Layer, Verification, judged
from pbslim.verification.rounding import DRAWS, rounding_levels
from pbslim.verification.running import (
    DEFAULT_TIMEOUT,
    Batch,
    Runs,
    Setting,
    Side,
    engine_for,
    has_inner_tensors,
    likely_size,
    require_fed,
    run_both,
)
from pbslim.verification.verdict import Verdict, judge
from pbslim.verification.weights import changed_constants
from pbslim.wire.files import GraphLike
from pbslim.wire.given import opened
from pbslim.wire.memmapped import package_of

Array = npt.NDArray[Any]
Metric = Callable[[dict[str, Array]], float]
"""A measure of a model: called with its outputs by name over all samples; more is better."""


def compare_files(
    first: GraphLike,
    second: GraphLike,
    feeds: Mapping[str, Array] | Path | None = None,
    *,
    evaluation: Path | None = None,
    inputs: Sequence[str] | None = None,
    second_inputs: Sequence[str] | None = None,
    outputs: Sequence[str] | None = None,
    samples: int = DEFAULT_SAMPLES,
    seed: int = 0,
    image_range: Pixels | None = None,
    engine: str = "auto",
    min_snr: float | None = None,
    min_agreement: float | None = None,
    rtol: float | None = None,
    atol: float | None = None,
    max_drop: float | None = None,
    max_growth: float | None = None,
    metric: Metric | None = None,
    per_layer: bool = False,
    examples: int = 0,
    timeout: float = DEFAULT_TIMEOUT,
    budget: float | None = None,
    cautious: bool = False,
    spare: list[ProgramApart] | None = None,
    rounding: bool = True,
    on_progress: Callable[[int, int], None] | None = None,
) -> Verification:
    """Run both graphs on the same inputs and compare every output; see `pbslim.verify`.

    Each runs in a process of its own, so that one that crashes or hangs is an error like any other.

    Args:
        second_inputs: what `inputs` are called in the second graph, if that differs.
        examples: how many samples of which decisions differ to keep.
        budget: seconds after which no further inputs are tried.
        cautious: give up on what takes far more time or memory than the size of the file makes likely.
        spare: processes for the graphs; see `pbslim.verification.running.spared`.
        rounding: whether the rounding of floats may explain a difference.
        on_progress: called with the number of batches done, and of all.

    Raises:
        UsageError: a name is not in a graph, no engine can run both, or `max_drop` has nothing to go by.
        PbslimError: a graph cannot be read or does not run.
    """
    started = time.perf_counter()
    if max_drop is not None and evaluation is None and metric is None:
        raise UsageError("--max-drop needs inputs with labels: --eval FILE.npz")
    with _sides(first, second, inputs, second_inputs) as sides:
        names, outputs = find_ends(sides, inputs, outputs)
        make = Inputs(sides[0].graph, names, samples, seed, image_range, sides[1] if second_inputs else None)
        given, labels = make.samples(feeds, evaluation)
        require_fed(sides, list(given.batches[0]))
        plan = _plan(sides, outputs, engine, given.batches[0])
        setting = Setting(plan.engine, timeout, likely_size(sides, plan.engine) if cautious else None, spare)
        most_held = likely_held(sides[0].path.stat().st_size, given.batches[0]) if cautious else None
        patience = Patience(len(given.batches), budget, most_held, on_progress)
        runs = run_both(setting, sides, plan.fetches, given.batches, patience.is_over)
        tried = replace(given, batches=given.batches[: len(runs.sizes)])
        found = _Found(setting, plan, sides, names, tried, runs, labels, DRAWS if rounding else 0)
        result = found.verification(Demands(min_snr, min_agreement, rtol, atol, max_drop), metric)
        if max_growth is not None:
            before, after = (side.path.stat().st_size for side in sides)
            result = replace(result, failures=[*result.failures, *growth(before, after, max_growth)])
        if examples:
            result = replace(result, examples=found.examples(examples))
        if per_layer:
            layers = find_layers(setting, sides, outputs, given.batches[0], on_progress)
            none = [] if layers else ["the graphs share no inner tensors, so that there are no layers to compare"]
            result = replace(result, layers=layers, notes=[*result.notes, *none])
        return replace(result, seconds=time.perf_counter() - started)


@contextmanager
def _sides(
    first: GraphLike, second: GraphLike, inputs: Sequence[str] | None, second_inputs: Sequence[str] | None
) -> Iterator[tuple[Side, Side]]:
    """Both graphs in files, with what `inputs` are called in the second, if that differs."""
    renamed = dict(zip(inputs or (), second_inputs or (), strict=False))
    with opened(first) as one, opened(second) as other:
        yield Side(one.path, one.graph), Side(other.path, other.graph, renamed)


@dataclass(frozen=True)
class _Plan:
    """What is run: the outputs, then the tensors to judge them by."""

    engine: str
    outputs: list[str]
    first: list[Judged]
    second: list[Judged]

    @property
    def fetches(self) -> tuple[list[str], list[str]]:
        """What to ask each graph for."""
        first, second = (
            list(dict.fromkeys([*self.outputs, *(each.tensor for each in side)])) for side in (self.first, self.second)
        )
        return first, second


def _plan(sides: tuple[Side, Side], outputs: Sequence[str], engine: str, batch: Batch) -> _Plan:
    chosen = engine_for(engine, sides, [outputs, outputs], batch)
    first, second = ([how_to_judge(side.graph, name) for name in outputs] for side in sides)
    inner = has_inner_tensors(chosen)
    for i, (a, b) in enumerate(zip(first, second, strict=True)):
        if a.kind is not b.kind or not inner:
            first[i], second[i] = a.as_it_is, b.as_it_is
    return _Plan(chosen, list(outputs), first, second)


@dataclass(frozen=True)
class _Found:
    """What both graphs gave, and what is made of it."""

    setting: Setting
    plan: _Plan
    sides: tuple[Side, Side]
    inputs: list[str]
    given: Samples
    runs: Runs
    labels: Array | None
    draws: int

    def verification(self, demands: Demands, metric: Metric | None) -> Verification:
        """The result."""
        levels, apart = self._rounding()
        comparisons = [
            replace(self._comparison(i), is_rounding=own <= level)
            for i, (own, level) in enumerate(zip(apart, levels, strict=True))
        ]
        verdict, notes = self._verdict(comparisons, identical=not any(apart))
        measured = (metric(self._outputs[0]), metric(self._outputs[1])) if metric else None
        right = self._accuracy()
        comparisons = demands.checked(comparisons)
        known = [memory for memory in self.runs.memory if memory]
        told = len(known) == len(self.sides) and any(package_of(side.graph) for side in self.sides)
        return Verification(
            comparisons,
            memory=tuple(known) if told else (),
            verdict=verdict,
            failures=demands.failures(comparisons, verdict, right, measured),
            engine=self.plan.engine,
            samples=sum(self._sizes),
            origin=self.given.origin,
            notes=[*self.given.notes, *notes, *self._better_outputs(comparisons, verdict)],
            accuracy=right,
            metric=measured,
        )

    @property
    def _sizes(self) -> list[int]:
        return self.runs.sizes

    @cached_property
    def _outputs(self) -> tuple[dict[str, Array], dict[str, Array]]:
        first, second = (
            {name: side[name].stacked(self._sizes) for name in self.plan.outputs}
            for side in (self.runs.first, self.runs.second)
        )
        return first, second

    def _shown(self, i: int) -> tuple[Array, Array]:
        """An output in both graphs."""
        name = self.plan.outputs[i]
        return self.runs.first[name].stacked(self._sizes), self.runs.second[name].stacked(self._sizes)

    def _values(self, i: int, shown: tuple[Array, Array]) -> tuple[Array, Array]:
        """What an output is judged by, perhaps the output itself."""
        one, other = self.plan.first[i].tensor, self.plan.second[i].tensor
        if one == other == self.plan.outputs[i]:
            return shown
        return self.runs.first[one].stacked(self._sizes), self.runs.second[other].stacked(self._sizes)

    def _comparison(self, i: int) -> Comparison:
        name, how = self.plan.outputs[i], self.plan.first[i]
        for one, other in zip(self.runs.first[name], self.runs.second[name], strict=True):
            found = _difference(name, one, other)
            if found.problem:
                return replace(found, is_ordered=how.is_ordered)
        shown = self._shown(i)
        found = replace(_difference(name, *shown), is_ordered=how.is_ordered)
        return _with_metrics(found, how, shown[0], self._values(i, shown), sum(self._sizes))

    def examples(self, count: int) -> list[Example]:
        """Samples on which the graphs decide differently, of the output where they do so most."""
        best: list[Example] = []
        for i, how in enumerate(self.plan.first):
            shown = self._shown(i)
            pair = self._values(i, shown)
            if pair[0].shape == pair[1].shape and not how.is_ordered:
                kind, first, second = _judged(how, shown[0], pair)
                found = find_examples(how.output, kind, (first, second), shown, self.given.batches, count)
                best = max(best, found, key=len)
        return best

    def _rounding(self) -> tuple[list[float], list[float]]:
        fetches = [each.tensor for each in self.plan.first]
        first = [self.runs.first[name] for name in fetches]
        second = [self.runs.second[each.tensor] for each in self.plan.second]
        return rounding_levels(self.setting, self.sides[0], self.given.batches, fetches, first, second, self.draws)

    def _verdict(self, comparisons: list[Comparison], *, identical: bool) -> tuple[Verdict, list[str]]:
        verdict = _verdict(comparisons, identical=identical)
        if not verdict.is_exact:
            return verdict, []
        graphs = (side.graph for side in self.sides)
        changed = changed_constants(*graphs, inputs=self.inputs, outputs=self.plan.outputs)
        if not changed:
            return verdict, []
        worst = max(changed, key=lambda each: each.share)
        count = f"{len(changed)} constants differ, most" if len(changed) > 1 else "constant"
        text = f"{count} '{worst.name}' by {worst.share:.2g} of its largest value, though these inputs hardly show it"
        return Verdict.NEAR_LOSSLESS, [text]

    def _better_outputs(self, comparisons: list[Comparison], verdict: Verdict) -> list[str]:
        """What to compare where all that was compared comes after a selection and differs."""
        if verdict.is_exact or not comparisons or not all(each.is_ordered for each in judged(comparisons)):
            return []
        first, second = (side.graph for side in self.sides)
        names = [name for name in before_selections(first, self.plan.outputs) if node_name(name) in second]
        better = f"; what it chooses from can be compared: --outputs {','.join(names)}" if names else ""
        return [f"these outputs come after a selection, where a small difference may change the order{better}"]

    def _accuracy(self) -> Accuracy | None:
        if self.labels is None:
            return None
        labels = self.labels[: sum(self._sizes)]
        name, classes = predicted(self._outputs[0], labels)
        other = predicted({name: self._outputs[1][name]}, labels)[1]
        return Accuracy(accuracy(classes, labels), accuracy(other, labels))


def compare_layers(
    first: Path,
    second: Path,
    *,
    evaluation: Path | None = None,
    inputs: Sequence[str] | None = None,
    second_inputs: Sequence[str] | None = None,
    outputs: Sequence[str] | None = None,
    engine: str = "auto",
    cautious: bool = False,
) -> list[Layer]:
    """The layers in which the difference between two graphs arises, and nothing else; see `compare_files`.

    Raises:
        UsageError: a name is not in a graph, or no engine can run both.
        PbslimError: a graph cannot be read or does not run.
    """
    with _sides(first, second, inputs, second_inputs) as sides:
        names, outputs = find_ends(sides, inputs, outputs)
        make = Inputs(sides[0].graph, names, 1, 0, None, sides[1] if second_inputs else None)
        batch = make.samples(None, evaluation)[0].batches[0]
        chosen = engine_for(engine, sides, [outputs, outputs], batch)
        setting = Setting(chosen, likely=likely_size(sides, chosen) if cautious else None)
        return find_layers(setting, sides, outputs, batch)


def compare_arrays(output: str, first: Array, second: Array, rtol: float, atol: float) -> Comparison:
    """Check `second` against `first`: ``|a - b| <= atol + rtol * max|a|`` for every element; NaN equals NaN."""
    found = _difference(output, first, second)
    return replace(found, problem=found.problem or within(found, rtol, atol))


def _difference(output: str, first: Array, second: Array) -> Comparison:
    if first.shape != second.shape or first.dtype != second.dtype:
        problem = f"{second.dtype}{list(second.shape)} instead of {first.dtype}{list(first.shape)}"
        return Comparison(output, first.shape, float("inf"), 0.0, problem, mean_difference=float("inf"))
    if first.dtype.kind not in "fiuc" and first.dtype.name != "bfloat16":
        unequal = np.asarray(first != second)
        mean = float(unequal.mean()) if unequal.size else 0.0
        return Comparison(
            output, first.shape, float(np.count_nonzero(unequal)), 0.0, mean_difference=mean, is_numeric=False
        )
    kind = np.complex128 if first.dtype.kind == "c" else np.float64
    largest, total, value = 0.0, 0.0, 0.0
    for one, other in metrics.parts(first, second):
        apart, sizes = metrics.difference(one, other), np.abs(one.astype(kind))
        largest, total = max(largest, float(apart.max(initial=0))), total + float(apart.sum())
        value = max(value, float(sizes[np.isfinite(sizes)].max(initial=0)))
    return Comparison(output, first.shape, largest, value, mean_difference=total / max(first.size, 1))


def _judged(how: Judged, output: Array, pair: tuple[Array, Array]) -> tuple[Kind, Array, Array]:
    """The values to judge an output by, and what they mean."""
    first, second = pair
    kind = how.kind
    if how.tensor == how.output:
        first, second = (unsquashed(each, how.squashed) for each in pair)
    if kind is Kind.VALUES and looks_like_shares(output):
        kind = Kind.SCORES
        first, second = (unsquashed(each, "Softmax") for each in pair)
    return kind, first, second


def _with_metrics(found: Comparison, how: Judged, output: Array, pair: tuple[Array, Array], samples: int) -> Comparison:
    kind, first, second = _judged(how, output, pair)
    if first.shape != second.shape or not first.size:
        return found
    agreement = metrics.decisions(first, second, kind, samples)
    if kind is Kind.CODES or first.dtype.kind == "c":
        return replace(found, agreement=agreement)
    ratio = metrics.signal_to_noise(first, second, kind)
    return replace(
        found,
        snr=ratio.decibels,
        snr_interval=ratio.interval if first.ndim and len(first) == samples else None,
        cosine=metrics.cosine(first, second),
        agreement=agreement,
        top_five=metrics.top_five(first, second, kind, samples),
    )


def _verdict(comparisons: list[Comparison], *, identical: bool) -> Verdict:
    if identical and all(each.largest_difference == 0 for each in comparisons):
        return Verdict.IDENTICAL
    if any(each.problem for each in comparisons):
        return Verdict.BROKEN
    if all(each.is_rounding for each in comparisons):
        return Verdict.ROUNDING
    real = [each for each in judged(comparisons) if not each.is_rounding] or comparisons
    snr = min((each.snr for each in real if each.snr is not None), default=float("inf"))
    share = min((each.agreement.high for each in real if each.agreement is not None), default=1.0)
    return judge(snr, share)
