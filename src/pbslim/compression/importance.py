"""How much the output channels of each site matter to what is compared.

Noise in a channel moves the outputs by the gradients there, so their power over some samples is what a squared error of
that channel counts. For several outputs, or several numbers in one, sums of them with random weights are looked at, of
which the squared gradients are on average the sum of all squared ones (Hutchinson 1990).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from pbslim.analysis.weight_sites import Site
from pbslim.compression.evaluation import Evaluator, has_huge_constant
from pbslim.compression.judge import signal_power
from pbslim.compression.model import Model
from pbslim.compression.samples import SampleSets, checksum, singles_of
from pbslim.compression.variations import Batch
from pbslim.engines import Feeds, Program, engine
from pbslim.engines.protocol import find_value
from pbslim.errors import PbslimError
from pbslim.gradients import Tape, add_gradients
from pbslim.ir import Graph, Value
from pbslim.ir.tensors import Array
from pbslim.verification.metrics import Kind

_SIGNALS = 8  # samples of which the power of the signal is measured
_HUGE = 1e9  # times as much noise as signal: an output that does not vary


def channel_importance(
    model: Model, samples: SampleSets, count: int, on_sample: Callable[[], None] = lambda: None
) -> dict[str, Array]:
    """For each site by name, what a squared error of each of its output channels counts, float64 [N].

    Sites in loops and functions are left out, and those behind ops of which no gradient is known; all are where
    constants are so large that each run takes seconds.

    Args:
        count: samples to look at, some of those for calibration.
    """
    if not count or not samples.calibration or has_huge_constant(model.graph):
        return {}
    chosen = _some(model, samples.calibration, count)
    graph = model.graph.copy()
    seeds, powers = _add_powers(graph, model)
    if not powers:
        return {}
    total = {name: np.zeros(model.site(name).channels) for name in powers}
    try:
        work = _Trace(list(powers.values()), _Seeds.of(model, seeds, [*samples.probes, *chosen]))
        with model.program.restrict(engine(model.engine).load(graph)) as program:
            for found in Evaluator(program, graph).map(work, chosen, on_sample):
                for power, part in zip(total.values(), found, strict=True):
                    power += part
    except PbslimError:  # an op has no gradient on these inputs, or it takes too much
        return {}
    return {name: power for name, power in total.items() if np.isfinite(power).all() and power.any()}


def _some(model: Model, batches: Sequence[Batch], count: int) -> list[Batch]:
    """So many samples, from as many batches as possible, as they are made when they are looked at."""
    chosen = batches[:: max(len(batches) // count, 1)][:count]
    each = -(-count // len(chosen))
    return [single for batch in chosen for single in singles_of([batch], model.graph, model.inputs)[:each]][:count]


def _add_powers(graph: Graph, model: Model) -> tuple[list[str], dict[str, str]]:
    """Add what computes the power of the gradients in each channel.

    Returns:
        The placeholders for the weights of the numbers of each tensor that is compared, and the tensor for each site.
    """
    outputs = {site: found for site in model.sites if (found := _outputs(graph, model, site))}
    tape = Tape(graph)
    values = [find_value(graph, tensor) for tensor in model.judge.tensors]
    seeds = {value: tape.placeholder() for value in dict.fromkeys(values)}
    gradients = add_gradients(tape, seeds, {value for each in outputs.values() for value in each})
    powers = {
        site.name: tape.total([_power(tape, gradients[value], site) for value in each]).name
        for site, each in outputs.items()
        if all(value in gradients for value in each)
    }
    return [seeds[value].name for value in values], powers


def _outputs(graph: Graph, model: Model, site: Site) -> list[Value]:
    """What the ops that multiply a site give, in a copy of the graph of the model; none if some are in functions."""
    is_inside = all(model.graph.get(use.node.name) is use.node for use in site.uses)
    return [graph[use.node.name].output() for use in site.uses] if is_inside else []


def _power(tape: Tape, gradient: Value, site: Site) -> Value:
    """The sum of squares over all places of a channel, [N]."""
    squares = tape.op("Square", gradient)
    if _channels_first(site):
        return tape.op("Sum", squares, tape.const([0, 2, 3]))
    return tape.op("Sum", tape.op("Reshape", squares, tape.const([-1, site.channels])), tape.const([0]))


def _channels_first(site: Site) -> bool:
    return site.kind != "dense" and site.uses[0].node.attrs.get("data_format") == b"NCHW"


@dataclass(frozen=True)
class _Seeds:
    """Random weights of what is compared.

    Attributes:
        placeholders: which are fed with them.
        kinds: what the numbers mean.
        scales: of the weights: noise counts as a part of the signal, and the mean over the numbers of a sample.
        shapes: of what is compared, by those of the inputs.
    """

    placeholders: Sequence[str]
    kinds: Sequence[Kind]
    scales: Sequence[float]
    shapes: Mapping[object, Sequence[tuple[int, ...]]]

    @classmethod
    def of(cls, model: Model, placeholders: Sequence[str], samples: Sequence[Feeds]) -> _Seeds:
        """Run those samples that differ in shape, and the first ones, of which the signal is known then."""
        judge, shapes = model.judge, {}
        kept: list[list[Array]] = []
        for number, sample in enumerate(samples):
            if number < _SIGNALS or _shapes(sample) not in shapes:
                found = model.program.run(sample, judge.tensors)
                shapes[_shapes(sample)] = [array.shape for array in found]
                kept.append(found)
        signals = [
            signal_power(values, kind)
            for values, kind in zip(zip(*kept, strict=True), judge.kinds.values(), strict=True)
        ]
        allowed = judge.relative(np.ones(len(signals)), signals)
        return cls(
            placeholders, list(judge.kinds.values()), list(np.sqrt(np.where(allowed < _HUGE, allowed, 0))), shapes
        )

    def fed(self, sample: Feeds) -> Feeds:
        """Some for a sample, the same ones each time."""
        random = np.random.default_rng(checksum(sample))
        found = {}
        for name, kind, scale, shape in zip(
            self.placeholders, self.kinds, self.scales, self.shapes[_shapes(sample)], strict=True
        ):
            weights = random.standard_normal(shape)
            if kind is Kind.SCORES:
                weights -= weights.mean(-1, keepdims=True)
            found[name] = (scale / math.sqrt(max(weights.size, 1)) * weights).astype(np.float32)
        return found


def _shapes(sample: Feeds) -> object:
    return tuple((name, np.shape(value)) for name, value in sample.items())


@dataclass(frozen=True)
class _Trace:
    """One sample forth and back: the power in each channel of each site."""

    tensors: Sequence[str]
    seeds: _Seeds
    steps: int = 1

    def __call__(self, program: Program, sample: Feeds, on_step: Callable[[], None]) -> list[Array]:
        """Run it."""
        found = program.run({**sample, **self.seeds.fed(sample)}, self.tensors)
        on_step()
        return found
