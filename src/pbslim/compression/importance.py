"""How much the output channels of each site matter to what is compared.

Noise in a channel moves the outputs by the gradients there, so their power over some samples is what a squared error of
that channel counts. For several outputs, or several numbers in one, sums of them with random weights are looked at, of
which the squared gradients are on average the sum of all squared ones (Hutchinson 1990).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np

from pbslim.analysis.weight_sites import Site
from pbslim.compression.evaluation import Evaluator, has_huge_constant
from pbslim.compression.judge import Run
from pbslim.compression.model import Model
from pbslim.compression.samples import SampleSets, checksum, singles_of
from pbslim.compression.variations import Batch
from pbslim.engines import Feeds, engine
from pbslim.engines.protocol import find_value
from pbslim.errors import PbslimError
from pbslim.gradients import Tape, add_gradients
from pbslim.ir import Graph, Value
from pbslim.ir.tensors import Array

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
    count = count_traced(model, count)
    if not count or not samples.calibration:
        return {}
    graph = model.graph.copy()
    seeds, powers = _add_powers(graph, model)
    if not powers:
        return {}
    total = {name: np.zeros(model.site(name).channels) for name in powers}
    try:
        fed = _seeded(model, seeds, samples.probes, _some(model, samples.calibration, count))
        with model.program.restrict(engine(model.engine).load(graph)) as program:
            for found in Evaluator(program, graph).map(Run(list(powers.values()), {}), fed, on_sample):
                for power, part in zip(total.values(), found, strict=True):
                    power += part
    except PbslimError:  # an op has no gradient on these inputs, or it takes too much
        return {}
    return {name: power for name, power in total.items() if np.isfinite(power).all() and power.any()}


def count_traced(model: Model, count: int) -> int:
    """How many of `count` samples are looked at: none where that shows nothing, or each run takes seconds."""
    return count if model.sites and not has_huge_constant(model.graph) else 0


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


def _seeded(model: Model, placeholders: Sequence[str], probes: Sequence[Feeds], chosen: Sequence[Feeds]) -> list[Feeds]:
    """Samples with random weights of what is compared, the same ones each time.

    They are scaled so that noise counts as a part of the signal, and as the mean over the numbers of a sample.
    """
    judge, shapes = model.judge, {}
    kept: list[list[Array]] = []
    for number, sample in enumerate([*probes, *chosen]):
        if number < _SIGNALS or _shapes(sample) not in shapes:
            found = model.program.run(sample, judge.tensors)
            shapes[_shapes(sample)] = [array.shape for array in found]
            kept.append(found)
    signals = judge.signals(zip(*kept, strict=True))
    noise = judge.relative(np.ones(len(signals)), signals)
    scales = np.sqrt(np.where(noise < _HUGE, noise, 0))

    def weights(sample: Feeds) -> dict[str, Array]:
        random = np.random.default_rng(checksum(sample))
        drawn = judge.values([random.standard_normal(shape) for shape in shapes[_shapes(sample)]])
        scaled = [scale / math.sqrt(max(each.size, 1)) * each for scale, each in zip(scales, drawn, strict=True)]
        return {name: each.astype(np.float32) for name, each in zip(placeholders, scaled, strict=True)}

    return [{**sample, **weights(sample)} for sample in chosen]


def _shapes(sample: Feeds) -> object:
    return tuple((name, np.shape(value)) for name, value in sample.items())
