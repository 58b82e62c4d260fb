"""Compress one graph to any signal-to-noise ratio: measure once, then search, tighten and write as often as needed."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, field, replace

import numpy as np

from pbslim.compression.allocation import Sensitivity, allocate
from pbslim.compression.effort import EFFORTS, Effort
from pbslim.compression.estimate import MEASURING, SEARCHING, TRYING
from pbslim.compression.evaluation import Evaluator
from pbslim.compression.exact import OrExact, inexact, or_exact
from pbslim.compression.importance import channel_importance
from pbslim.compression.judge import Measure
from pbslim.compression.model import Model
from pbslim.compression.rounding import Rounded, Rounder, SiteRounder
from pbslim.compression.samples import SampleSets
from pbslim.compression.schemes import Rule, Stepwise, rounders_for
from pbslim.compression.search import Candidate, Search
from pbslim.compression.sensitivity import measure_sites
from pbslim.compression.writing import CODED, is_stepwise, write
from pbslim.engines import Feeds
from pbslim.engines.heap import give_back_freed_memory
from pbslim.errors import CheckError
from pbslim.ir import Graph

Tell = Callable[[str, int, int], None]
"""Called with what is done, how much of it is, and of how much."""

_EXPECTED_TRIES = 4
_TRELLIS_GAIN = 0.5  # dB that are expected of it
_VECTORS = 2e-5  # noise as a part of the signal: a fiftieth of what the finest promise allows
_LITTLE, _WANTED = 0.05, 0.01  # noise as a part of the signal
_FAR, _FARTHER = 2.0, 4.0  # times the steps that a site was tried with, and that it is tried with next
_FINER, _MOST_FINER, _FINEST = 3, 1 / 16, 2.0**-10  # how often steps are made finer, by how much, and to what


def _silent(_what: str, _done: int, _all: int) -> None:
    """Nobody listens."""


@dataclass(frozen=True)
class Way:
    """How weights are rounded.

    Attributes:
        form: in which they are written, of `pbslim.compression.writing`.
        effort: what may be spent.
        rules: what is given for some of them.
    """

    form: str
    effort: Effort = EFFORTS["normal"]
    rules: Sequence[Rule] = ()

    def rounders(self, model: Model, samples: SampleSets, tell: Tell = _silent) -> list[Rounder]:
        """What rounds each site, by the moments of the samples for calibration."""
        progress = _Counter(tell, MEASURING, len(samples.calibration) + self.effort.traced)
        refine_vectors(model, samples.probes)
        moments = model.moments(samples.calibration, progress, means_only=not self.effort.compensated)
        found = model.rounders(moments, channel_importance(model, samples, self.effort.traced, progress))
        return rounders_for(found, self.rules, self._automatic)

    def _automatic(self, rounder: SiteRounder) -> Rounder:
        return or_exact(Stepwise(rounder) if is_stepwise(self.form) else rounder, rounder.matrix, self.form)


@dataclass
class Compressor:
    """Measures a model when it is made; `compress` then costs a few runs of the samples of the search.

    Attributes:
        model: the simplified graph with its sites.
        rounders: what rounds each site.
        best: the smallest candidate so far that met what was asked for last.
    """

    model: Model
    samples: SampleSets
    way: Way
    rounders: list[Rounder]
    sensitivities: dict[str, Sensitivity]
    _evaluator: Evaluator
    _measure: Measure
    _tell: Tell
    best: Candidate | None = None
    _passes: int = field(default=1, init=False)

    @classmethod
    def of(
        cls, model: Model, samples: SampleSets, way: Way, tell: Tell = _silent, executor: Executor | None = None
    ) -> Compressor:
        """Run the model on the samples.

        Args:
            executor: what tries weights on several samples at the same time; the result is the same.

        Raises:
            PbslimError: it does not run.
        """
        if not model.judge.kinds:
            raise CheckError("no output can be compared by its values, so nothing says how far weights may move")
        rounders = way.rounders(model, samples, tell)
        give_back_freed_memory()
        evaluator = Evaluator(model.program, model.graph, executor, model.engine)
        measure = Measure(evaluator, model.judge, samples.validation)
        found = cls(model, samples, way, rounders, {}, evaluator, measure, tell)
        found._try_each()
        give_back_freed_memory()
        return found

    def compress(self, snr: float, start: Candidate | None = None, until: float = math.inf) -> Candidate:
        """The smallest weights that were found with that signal to noise on the samples of the search, in dB.

        Args:
            start: weights that were found before, to go on from.
            until: a time of the clock `time.perf_counter`, from which on the first that are good enough are taken.

        Raises:
            CheckError: there are none.
        """
        self._try_far(snr)
        found = self._find(snr, start, until)
        if found is None and self.model.keep_vectors():
            found = self._find(snr, None, until)
        while found and self._passes < self.way.effort.passes and time.perf_counter() < until:
            self._passes += 1
            before = self.sensitivities
            self._try_each(found.coarseness)
            again = self._find(snr, None, until)
            if again and again.bits < found.bits:
                found = again
            else:
                self.sensitivities = before  # which the noise of these weights was allowed by
        if found and self._takes_trellis() and time.perf_counter() < until:
            again = self._find(snr, replace(found, snr=found.snr + _TRELLIS_GAIN), until)
            found = again if again and again.bits < found.bits else found
        return self._some(found, snr)

    def _some(self, found: Candidate | None, snr: float) -> Candidate:
        """Weights of which some are in fewer bits."""
        if found is None or all(each.stays for each in found.rounded.values()):
            raise CheckError(f"no weights in fewer bits keep {snr:.1f} dB")
        return found

    def _takes_trellis(self) -> bool:
        """Let weights follow a trellis where that is wanted and suits them; whether that is a change."""
        if not self.way.effort.trellis or self.way.form != CODED or self._has_trellis:
            return False
        self.rounders = list(map(with_trellis, self.rounders))
        return self._has_trellis

    @property
    def _has_trellis(self) -> bool:
        return any(isinstance(each, SiteRounder) and each.has_trellis for each in inexact(self.rounders))

    def quieter(self, found: Candidate, decibels: float) -> Candidate:
        """Weights of so many dB more than `found`, as far as that can be told without a search.

        Raises:
            CheckError: they would all have to stay as they are.
        """
        noise = found.noise * 10 ** (-decibels / 10)
        self.best = self._some(self._search().at(noise), found.snr + decibels)
        return self.best

    def fit(self, nbytes: float) -> Candidate:
        """The best weights that take about so many bytes.

        Raises:
            CheckError: even the coarsest take more.
        """
        level = self._search().level_of(nbytes)
        if self._try_far(level):
            level = self._search().level_of(nbytes)
        return self._search().at(10 ** (-level / 10))

    def coarsest(self) -> Candidate:
        """About the smallest weights that there are, however bad."""
        return self._search().at(1.0)

    def _find(self, snr: float, start: Candidate | None, until: float) -> Candidate | None:
        tries = _Counter(self._tell, SEARCHING, _EXPECTED_TRIES)
        self.best = None

        def on_try(tried: Candidate) -> bool:
            if tried.snr >= snr and (self.best is None or tried.bits <= self.best.bits):
                self.best = tried
            tries()
            return time.perf_counter() >= until

        return self._search(on_try).find(snr, start)

    def _search(self, on_try: Callable[[Candidate], bool] = lambda _: False) -> Search:
        self.model.program.release()  # from now on all weights are fed
        return Search(self.model, self.rounders, self.sensitivities, self._measure, on_try, self.way.effort)

    def _try_each(self, coarseness: Mapping[str, float] | None = None) -> None:
        """See what each site does alone, at the coarseness that it will have if that is known.

        Noise grows with the square of the steps as long as it is small. A site that adds more is tried again with finer
        steps, or it would seem to bear far more than it does.
        """
        self.sensitivities = self._tried(self.rounders, coarseness)
        for _ in range(_FINER):
            finer = {name: finer for name, each in self.sensitivities.items() if (finer := _finer(each)) is not None}
            if not finer:
                return
            self.sensitivities |= self._tried_again(finer)

    def _try_far(self, snr: float) -> bool:
        """Try those sites again that would get far coarser steps than they were tried with, for they may add more.

        Where they seem to add less, as noise has an end, that is not relied upon: on other inputs it may be another.

        Returns:
            Whether there were any.
        """
        for number in range(_FINER):
            wanted = allocate(self.sensitivities, 10 ** (-snr / 10))
            far = {
                name: min(wanted[name], _FARTHER * each.coarseness)
                for name, each in self.sensitivities.items()
                if each.noise.any() and wanted[name] > _FAR * each.coarseness > 0
            }
            if not far:
                return number > 0
            for name, each in self._tried_again(far).items():
                before = self.sensitivities[name]
                least = before.noise * (each.coarseness / before.coarseness) ** 2
                self.sensitivities[name] = replace(each, noise=np.maximum(each.noise, least))
        return True

    def _tried_again(self, coarseness: Mapping[str, float]) -> dict[str, Sensitivity]:
        """Only the sites that are named."""
        return self._tried([each for each in self.rounders if each.site.name in coarseness], coarseness)

    def _tried(self, rounders: Sequence[Rounder], coarseness: Mapping[str, float] | None) -> dict[str, Sensitivity]:
        probes, signal = self.samples.probes, self._measure.signal
        progress = _Counter(self._tell, TRYING, len(rounders) * len(probes))
        model, tried = self.model, inexact(rounders)
        return measure_sites(model, self._evaluator, tried, model.judge, probes, signal, progress, coarseness)


def _finer(found: Sensitivity) -> float | None:
    """Steps at which a site adds little noise; None where it does already, or no steps would be fine enough."""
    noise = float(found.noise.max(initial=0))
    if noise <= _LITTLE or found.coarseness <= _FINEST:
        return None
    return max(found.coarseness * max(math.sqrt(_WANTED / noise), _MOST_FINER), _FINEST)


def with_trellis(rounder: Rounder) -> Rounder:
    """What rounds a site along a trellis, where that suits it."""
    if isinstance(rounder, OrExact):
        return OrExact(with_trellis(rounder.rounder), rounder.exact)
    return rounder.with_trellis() if isinstance(rounder, SiteRounder) else rounder


def refine_vectors(model: Model, samples: Sequence[Feeds]) -> None:
    """Let vectors have more bits than float16 where that alone would cost much of what a promise allows."""
    if samples and model.vectors and model.judge.kinds:
        measure = Measure(Evaluator(model.program), model.judge, samples)
        noise = measure.noise(model.content({}))
        if noise > _VECTORS:
            model.refine_vectors(math.ceil(math.log(noise / _VECTORS, 4)))


class _Counter:
    """Counts up to what is expected, and no further."""

    def __init__(self, tell: Tell, what: str, total: int) -> None:
        self._tell, self._what, self._total, self._done = tell, what, total, 0

    def __call__(self) -> None:
        self._done = min(self._done + 1, self._total)
        self._tell(self._what, self._done, self._total)


def written(model: Model, rounded: Mapping[str, Rounded], form: str, *, stays: bool = False) -> Graph:
    """A copy of the graph with rounded weights; see `write`."""
    graph = model.graph.copy()
    write(graph, model, rounded, form, stays=stays)
    return graph


def replayed(
    model: Model, samples: SampleSets, way: Way, coarseness: Mapping[str, float], *, trellis: bool = False
) -> dict[str, Rounded]:
    """The weights at these steps per rms, rounded by the moments of the samples as `Compressor` does.

    Args:
        trellis: along one, where that suits them.
    """
    rounders = way.rounders(model, samples)
    if trellis:
        rounders = list(map(with_trellis, rounders))
    return {each.site.name: each.round(coarseness[each.site.name]) for each in rounders if each.site.name in coarseness}
