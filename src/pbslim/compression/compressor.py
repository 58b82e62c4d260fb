"""Compress one graph to any signal-to-noise ratio: measure once, then search, tighten and write as often as needed."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from pbslim.compression.allocation import Sensitivity
from pbslim.compression.judge import Judge, Measure
from pbslim.compression.model import Model
from pbslim.compression.moments import collect
from pbslim.compression.rounding import Rounded, SiteRounder
from pbslim.compression.samples import SampleSets
from pbslim.compression.search import Candidate, Search
from pbslim.compression.sensitivity import measure_sites
from pbslim.compression.writing import write
from pbslim.errors import CheckError
from pbslim.ir import Graph

Tell = Callable[[str, int, int], None]
"""Is told what is done, how much of it is, and of how much."""

_EXPECTED_TRIES = 4


def _silent(_what: str, _done: int, _all: int) -> None:
    """Nobody listens."""


@dataclass
class Compressor:
    """Measures a model when it is made; `compress` then costs a few runs of the samples of the search.

    Attributes:
        model: the simplified graph with its sites.
        rounders: what rounds each site.
    """

    model: Model
    rounders: list[SiteRounder]
    sensitivities: Mapping[str, Sensitivity]
    _search: Search

    @classmethod
    def of(cls, model: Model, samples: SampleSets, tell: Tell = _silent) -> Compressor:
        """Run the model on the samples.

        Raises:
            PbslimError: it does not run.
        """
        rounders = cls.rounders_of(model, samples, tell)
        judge = Judge.of(model.graph, model.outputs)
        if not judge.kinds:
            raise CheckError("no output can be compared by its values, so nothing says how far weights may move")
        measure = Measure(model.program, judge, samples.validation)
        total = len(rounders) * len(samples.probes)
        progress = _Counter(tell, "trying each weight", total)
        sensitivities = measure_sites(model, rounders, judge, samples.probes, measure.signal, progress)
        tries = _Counter(tell, "searching", _EXPECTED_TRIES)
        return cls(model, rounders, sensitivities, Search(model, rounders, sensitivities, measure, lambda _: tries()))

    @staticmethod
    def rounders_of(model: Model, samples: SampleSets, tell: Tell = _silent) -> list[SiteRounder]:
        """What rounds each site, by the moments of the samples for calibration."""
        progress = _Counter(tell, "measuring inputs", len(samples.calibration))
        return model.rounders(collect(model.program, model.sites, samples.calibration, progress))

    def compress(self, snr: float, start: Candidate | None = None) -> Candidate:
        """The smallest weights that were found with that signal to noise on the samples of the search, in dB.

        Raises:
            CheckError: there are none.
        """
        found = self._search.find(snr, start)
        if found is None:
            raise CheckError(f"no weights in fewer bits keep {snr:.1f} dB")
        return found

    def fit(self, nbytes: float) -> Candidate:
        """The best weights that take about so many bytes.

        Raises:
            CheckError: even the coarsest take more.
        """
        return self._search.fit(nbytes)


class _Counter:
    """Counts up to what is expected, and no further."""

    def __init__(self, tell: Tell, what: str, total: int) -> None:
        self._tell, self._what, self._total, self._done = tell, what, total, 0

    def __call__(self) -> None:
        self._done = min(self._done + 1, self._total)
        self._tell(self._what, self._done, self._total)


def written(model: Model, rounded: Mapping[str, Rounded], form: str) -> Graph:
    """A copy of the graph with rounded weights; see `write`."""
    graph = model.graph.copy()
    write(graph, model, rounded, form)
    return graph


def replayed(model: Model, samples: SampleSets, coarseness: Mapping[str, float]) -> dict[str, Rounded]:
    """The weights at these steps per rms, rounded by the moments of the samples as `Compressor` does."""
    rounders = Compressor.rounders_of(model, samples)
    return {each.site.name: each.round(coarseness[each.site.name]) for each in rounders if each.site.name in coarseness}
