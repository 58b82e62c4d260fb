"""How much of a difference float rounding alone can make: measured by the same graph with slightly disturbed numbers.

A graph that computes the same in another order is off by some units in the last place at each op. Those spread as any
small disturbance does: they grow where numbers cancel, and jump where a value is rounded, compared or sorted. So the
graph itself, with noise on its constants and inputs, shows what its outputs do then.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from typing import Any

import numpy as np
import numpy.typing as npt

from pbslim.dtypes import DOUBLE, FLOAT
from pbslim.errors import PbslimError
from pbslim.ir import Graph, Tensor
from pbslim.ir.tensors import gathered
from pbslim.verification.metrics import difference
from pbslim.verification.running import Batch, Setting, Side

Array = npt.NDArray[Any]

_UNITS = 32
"""Units in the last place that values are disturbed by at most.

A sum of n products in any order is off by less than about sqrt(n) units, which is 32 for n = 1000; longer ones are
summed in blocks.
"""

DRAWS = 6
"""How often noise is drawn."""

_DISTURBED = (FLOAT, DOUBLE)  # a unit of half precision is a real difference in single precision
_CLEAR = 1000
"""A difference so many times the largest that noise has made is real."""
_TRIED_BATCHES = 3


def rounding_levels(
    setting: Setting,
    side: Side,
    batches: Sequence[Batch],
    fetches: Sequence[str],
    first: Sequence[Sequence[Array]],
    second: Sequence[Sequence[Array]],
    draws: int = DRAWS,
) -> tuple[list[float], list[float]]:
    """For each fetch how far noise takes it from its values in the first graph, and how far the second graph is.

    The noise is tried on the batches where the graphs differ most, until it explains the differences, or clearly not.

    Args:
        side: the first graph.
        first, second: for each fetch its values in both graphs, an array for each batch.
        draws: how often noise is drawn at most; without any, rounding explains nothing.
    """
    apart = [[_distance(a, b) for a, b in zip(*pair, strict=True)] for pair in zip(first, second, strict=True)]
    largest = [max(distances) for distances in apart]
    levels = [0.0] * len(fetches)
    seeds = range(draws)
    programs = setting.edited((disturbed_graph(side.graph, seed) for seed in seeds), str(side.path))
    with closing(programs):
        for seed in seeds:
            unexplained = [i for i, distance in enumerate(largest) if distance > levels[i]]
            if not unexplained or (seed and all(largest[i] > _CLEAR * levels[i] > 0 for i in unexplained)):
                break
            worst = {int(np.argmax(apart[i])) for i in unexplained}
            program = next(programs)
            for number in sorted(worst)[:_TRIED_BATCHES]:
                try:
                    noisy = program.run(disturbed_feeds(side.fed(batches[number]), seed), fetches)
                except PbslimError:  # the graph refuses such numbers, so nothing is known of how it rounds
                    return levels, largest
                known = [each[number] for each in first]
                levels = [max(level, _distance(a, b)) for level, a, b in zip(levels, known, noisy, strict=True)]
    return levels, largest


def _distance(first: Array, second: Array) -> float:
    """The largest difference, for other types than numbers the share of unequal elements; infinite for other shapes."""
    if first.shape != second.shape or first.dtype != second.dtype:
        return float("inf")
    if first.dtype.kind in "fc" or first.dtype.name == "bfloat16":
        return float(difference(first, second).max(initial=0))
    return float(np.asarray(first != second).mean()) if first.size else 0.0


def disturbed_graph(graph: Graph, seed: int) -> Graph:
    """A copy of `graph` in which every element of a constant of floats is off by a few units in the last place.

    Single numbers stay: they are exponents, rates and limits, of which some must be what they are.
    """
    copy, drawn = graph.copy(), 0
    for node in copy:
        tensor = node.attrs.get("value") if node.op == "Const" else None
        if isinstance(tensor, Tensor) and tensor.dtype in _DISTURBED and tensor.size > 1:
            node.set_attr("value", _DisturbedTensor(tensor, seed, drawn))
            drawn += tensor.size
    return copy


class _DisturbedTensor(Tensor):
    """A tensor with noise on it, computed when it is looked at.

    Args:
        start: how many numbers of the noise go to other tensors before.
    """

    def __init__(self, tensor: Tensor, seed: int, start: int) -> None:
        self.dtype, self.shape = tensor.dtype, tensor.shape
        self._tensor, self._seed, self._start = tensor, seed, start

    def numpy(self) -> Array:
        """All elements, computed anew."""
        return gathered(self)

    def chunks(self, multiple_of: int = 1) -> Iterator[Array]:
        """The computed elements."""
        source = np.random.PCG64(self._seed)
        source.advance(self._start)
        random = np.random.Generator(source)
        for piece in self._tensor.chunks(multiple_of):
            yield _disturbed(piece, random)


def disturbed_feeds(feeds: Mapping[str, Array], seed: int) -> dict[str, Array]:
    """`feeds` with the same noise on floats, except on single numbers and on whole ones, which may count something."""
    random = np.random.default_rng(seed)
    return {name: _disturbed(array, random) if _is_inexact(array) else array for name, array in feeds.items()}


def _is_inexact(array: Array) -> bool:
    return array.dtype in (np.float32, np.float64) and array.size > 1 and not np.array_equal(array, np.rint(array))


def _disturbed(array: Array, random: np.random.Generator) -> Array:
    noise = random.uniform(-_UNITS, _UNITS, array.shape).astype(array.dtype)
    return np.asarray(array + array * (noise * np.finfo(array.dtype).eps))
