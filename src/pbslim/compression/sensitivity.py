"""How much each site alone disturbs the outputs."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from pbslim.analysis.weight_sites import Site
from pbslim.compression.allocation import Sensitivity
from pbslim.compression.cuts import Cutter
from pbslim.compression.evaluation import Evaluator
from pbslim.compression.judge import Judge
from pbslim.compression.model import Model
from pbslim.compression.rounding import Rounded, Rounder
from pbslim.engines import Feeds, Program
from pbslim.ir.tensors import Array

_COARSENESS = 0.2


def measure_sites(
    model: Model,
    evaluator: Evaluator,
    rounders: Sequence[Rounder],
    judge: Judge,
    samples: Sequence[Feeds],
    signal: Sequence[float],
    on_run: Callable[[], None] = lambda: None,
    coarseness: Mapping[str, float] | None = None,
) -> dict[str, Sensitivity]:
    """Round each site alone, run `samples`, and see how far the judged tensors move.

    What does not depend on a site is computed once for each sample.

    Args:
        evaluator: of the model's graph.
        samples: a few are enough: noise differs less between samples than the signal does.
        signal: the power of each judged tensor's signal, over more samples.
        coarseness: of each site, near to what it will be.
    """
    if not samples:
        size = sum(each.site.size for each in rounders)
        even = np.ones(len(judge.tensors))
        return {
            each.site.name: Sensitivity(each.site.size, _COARSENESS, even * each.site.size / size) for each in rounders
        }
    cutter = Cutter(model.graph, judge.tensors)
    rounded = {each.site.name: each.round((coarseness or {}).get(each.site.name, _COARSENESS)) for each in rounders}
    changes = {each.site.name: _Change.of(model, each.site, rounded[each.site.name]) for each in rounders}
    cuts = {name: cutter.cut(change.names) for name, change in changes.items()}
    inner = list(dict.fromkeys(tensor for cut in cuts.values() for tensor in cut))
    power = {name: np.zeros(len(judge.tensors)) for name in changes}
    sizes = np.zeros(len(judge.tensors))
    for reference, moved in evaluator.map(_Trial(judge, changes, cuts, inner), samples, on_run):
        sizes += reference
        for name, squares in moved.items():
            power[name] += squares
    return {
        each.site.name: Sensitivity(
            each.site.size,
            each.coarseness(rounded[each.site.name]),
            judge.relative(power[each.site.name] / np.maximum(sizes, 1), signal),
        )
        for each in rounders
    }


@dataclass(frozen=True)
class _Change:
    """One site rounded; its weights are made of the codes anew each time, as those of all sites take much memory.

    Attributes:
        rounded: with the codes in the shape of the constant.
        biases: the repaired bias, if there is one.
    """

    name: str
    rounded: Rounded
    biases: Feeds

    @classmethod
    def of(cls, model: Model, site: Site, rounded: Rounded) -> _Change:
        steps = None if rounded.steps is None else rounded.steps.reshape(site.step_shape)
        shaped = replace(rounded, codes=site.from_matrix(rounded.codes), steps=steps)
        return cls(site.name, shaped, model.biases({site.name: rounded}))

    @property
    def names(self) -> list[str]:
        """Of the tensors that take the place of those in the graph."""
        return [*self.biases, self.name]

    @property
    def tensors(self) -> dict[str, Array]:
        """These tensors."""
        return {**self.biases, self.name: self.rounded.weights}


@dataclass(frozen=True)
class _Trial:
    """One sample with each site rounded alone.

    Attributes:
        changes: what is tried, by the names of the sites.
        cuts: for each site what need not be computed again; `inner` are all of these.
    """

    judge: Judge
    changes: Mapping[str, _Change]
    cuts: Mapping[str, Sequence[str]]
    inner: Sequence[str]

    @property
    def steps(self) -> int:
        """One for each site."""
        return len(self.changes)

    @np.errstate(over="ignore", invalid="ignore")  # what is huge counts as infinite
    def __call__(
        self, program: Program, sample: Feeds, on_step: Callable[[], None]
    ) -> tuple[list[int], dict[str, list[float]]]:
        """The sizes of the judged tensors, and for each site the power of their change."""
        found = program.run(sample, [*self.judge.tensors, *self.inner])
        reference = self.judge.values(found[: len(self.judge.tensors)])
        known = dict(zip(self.inner, found[len(self.judge.tensors) :], strict=True))
        moved = {}
        for name, change in self.changes.items():
            around = {tensor: known[tensor] for tensor in self.cuts[name]}
            changed = self.judge.values(program.run({**sample, **around, **change.tensors}, self.judge.tensors))
            moved[name] = [float(np.square(a - b).sum()) for a, b in zip(changed, reference, strict=True)]
            on_step()
        return [each.size for each in reference], moved
