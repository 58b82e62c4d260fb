"""How much each site alone disturbs the outputs."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np

from pbslim.compression.allocation import Sensitivity
from pbslim.compression.cuts import Cutter
from pbslim.compression.judge import Judge
from pbslim.compression.model import Model
from pbslim.compression.rounding import Rounder
from pbslim.engines import Feeds

_COARSENESS = 0.2


def measure_sites(
    model: Model,
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
    fed = {each.site.name: model.content({each.site.name: rounded[each.site.name]}, alone=True) for each in rounders}
    cuts = {name: cutter.cut(list(tensors)) for name, tensors in fed.items()}
    inner = list(dict.fromkeys(tensor for cut in cuts.values() for tensor in cut))
    power = {name: np.zeros(len(judge.tensors)) for name in fed}
    sizes = np.zeros(len(judge.tensors))
    for sample in samples:
        found = model.program.run(sample, [*judge.tensors, *inner])
        reference = judge.values(found[: len(judge.tensors)])
        sizes += [each.size for each in reference]
        known = dict(zip(inner, found[len(judge.tensors) :], strict=True))
        for name, tensors in fed.items():
            around = {tensor: known[tensor] for tensor in cuts[name]}
            changed = judge.values(model.program.run({**sample, **around, **tensors}, judge.tensors))
            power[name] += [np.square(a - b).sum() for a, b in zip(changed, reference, strict=True)]
            on_run()
    return {
        each.site.name: Sensitivity(
            each.site.size,
            each.coarseness(rounded[each.site.name]),
            judge.relative(power[each.site.name] / np.maximum(sizes, 1), signal),
        )
        for each in rounders
    }
