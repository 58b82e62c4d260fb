"""How far a compressed graph is from the original, in a number that noise of several sites adds up in."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from pbslim.analysis.static_shapes import StaticShapes
from pbslim.compression.evaluation import Evaluator
from pbslim.engines import Feeds, Program
from pbslim.engines.protocol import find_value
from pbslim.ir import Graph, Value
from pbslim.ir.tensors import Array
from pbslim.kept import Kept
from pbslim.verification.metrics import Kind
from pbslim.verification.outputs import Judged, before_selections, how_to_judge

_FEW_SCORES = 4
_WIDE = 16
_FEW_SAMPLES = 4
_HUGE = 1e12
_HELPER_NOISE = 2.0
_CLEARLY, _PART = 1.3, 3  # times what is allowed, by one in so many samples


@dataclass(frozen=True)
class Judge:
    """Compares what is computed right before the final softmax or sigmoid of each output that is a float.

    Where that is less than four numbers per sample, the last wide tensor before it is compared as well, as the
    signal-to-noise ratio of two numbers jumps by several dB by luck.

    Attributes:
        kinds: tensor → what its values mean.
        helpers: the wide tensors; what follows them averages noise, so that they may have twice as much.
        is_narrow: whether an output is a few numbers per sample, of which it takes more samples to learn as much.
    """

    kinds: Mapping[str, Kind]
    helpers: Collection[str] = ()
    is_narrow: bool = False

    @classmethod
    def of(cls, graph: Graph, outputs: Sequence[str]) -> Judge:
        """A judge of those `outputs` that can be compared by their values.

        Codes are left out. What comes after a selection is as well, as a small difference changes its order or number;
        what the selections choose from is compared in its place.
        """
        every = [how_to_judge(graph, name) for name in outputs]
        ordered = [each for each in every if each.is_ordered]
        chosen_from = [
            how_to_judge(graph, name) for name in before_selections(graph, [each.output for each in ordered])
        ]
        plain = [each for each in every if not each.is_ordered] + chosen_from
        usable = _with_values(plain) or _with_values(ordered)
        kinds = {each.tensor: each.kind for each in usable}
        shapes = StaticShapes(graph)
        narrow = [value for tensor in kinds if _width(shapes, value := find_value(graph, tensor)) < _FEW_SCORES]
        wide = {found.name for value in narrow if (found := _wide_before(shapes, value)) is not None} - kinds.keys()
        return cls(kinds | dict.fromkeys(sorted(wide), Kind.VALUES), wide, bool(narrow))

    @property
    def tensors(self) -> list[str]:
        """The names of what is compared."""
        return list(self.kinds)

    def relative(self, noise: Sequence[float] | Array, signal: Sequence[float]) -> Array:
        """Noise as a part of its signal, for each tensor; where one never varies, only no noise at all is good."""
        parts = [n / s if s > 0 else (0.0 if n == 0 else _HUGE) for n, s in zip(noise, signal, strict=True)]
        allowed = [_HELPER_NOISE if tensor in self.helpers else 1.0 for tensor in self.kinds]
        return np.nan_to_num(np.array(parts, np.float64), nan=_HUGE, posinf=_HUGE) / allowed

    def signals(self, values: Iterable[Sequence[Array]]) -> list[float]:
        """The power of what varies with the sample, for each tensor by its values for several samples."""
        return [signal_power(*pair) for pair in zip(values, self.kinds.values(), strict=True)]

    def values(self, found: Sequence[Array]) -> list[Array]:
        """What a run gave for `tensors`, in double precision and without what a softmax does not see."""
        return [_exact(kind, array) for kind, array in zip(self.kinds.values(), found, strict=True)]


def _exact(kind: Kind, array: Array) -> Array:
    exact: Array = array.astype(np.float64)
    return exact - exact.mean(-1, keepdims=True) if kind is Kind.SCORES else exact


def _with_values(judged: Sequence[Judged]) -> list[Judged]:
    return [each for each in judged if each.kind is not Kind.CODES]


def _width(shapes: StaticShapes, value: Value) -> int:
    """How many numbers a sample has; many where that is not known."""
    dims = shapes.of(value).dims
    return math.prod(dims[1:]) if dims and min(dims[1:], default=1) > 0 else _WIDE


def _wide_before(shapes: StaticShapes, value: Value) -> Value | None:
    """The nearest tensor of floats before `value` that is wide."""
    todo, seen = [value], {value}
    while todo:
        node = todo.pop(0).node
        for source in node.inputs:
            if source not in seen and source.node.op != "Const":
                if (shapes.of(source).dims or (0,))[-1] >= _WIDE:
                    return source
                seen.add(source)
                todo.append(source)
    return None


class Measure:
    """Runs samples with changed weights and compares with what the original weights give.

    Attributes:
        signal: the power of what varies with the sample, for each tensor.
    """

    def __init__(self, evaluator: Evaluator, judge: Judge, samples: Sequence[Feeds]) -> None:
        self._evaluator, self._judge, self._samples = evaluator, judge, samples
        self._reference = [Kept() for _ in judge.tensors]
        for found in evaluator.map(Run(judge.tensors, {}), samples):
            for kept, values in zip(self._reference, found, strict=True):
                kept.append(values)
        self.signal = judge.signals(self._reference)

    @np.errstate(over="ignore", invalid="ignore")
    def noise(self, weights: Feeds, most: float = math.inf) -> float:
        """The power of the change of the outputs as a part of that of their signal; the largest over the outputs.

        Args:
            weights: tensors that take the place of those in the graph.
            most: where a third of the samples shows clearly more than that, the others are not looked at.
        """
        power = np.zeros(len(self.signal))
        count = np.zeros(len(self.signal))
        runs = self._evaluator.map(Run(self._judge.tensors, weights), self._samples)
        found = 0.0
        for done, each in enumerate(zip(zip(*self._reference, strict=True), runs, strict=True), 1):
            for i, (before, after) in enumerate(zip(*map(self._judge.values, each), strict=True)):
                power[i] += np.square(after - before).sum()
                count[i] += before.size
            found = float(self._judge.relative(power / np.maximum(count, 1), self.signal).max(initial=0))
            if found > _CLEARLY * most and _PART * done >= len(self._samples):
                break
        return found


@dataclass(frozen=True)
class Run:
    """One sample with changed weights."""

    tensors: Sequence[str]
    weights: Feeds
    steps: int = 1

    def __call__(self, program: Program, sample: Feeds, on_step: Callable[[], None]) -> list[Array]:
        """What is judged."""
        found = program.run({**sample, **self.weights}, self.tensors)
        on_step()
        return found


@np.errstate(over="ignore", invalid="ignore")  # outputs that are not finite have no signal to noise
def signal_power(values: Sequence[Array], kind: Kind = Kind.VALUES) -> float:
    """The power of what varies with the sample; with few samples, of what varies at all."""
    count = sum(map(len, values)) if values[0].ndim else 0
    comparable = count >= _FEW_SAMPLES and len({value.shape[1:] for value in values}) == 1
    if comparable:
        mean = sum(_exact(kind, value).sum(axis=0) for value in values) / count
    else:
        mean = sum(_exact(kind, value).sum() for value in values) / max(sum(value.size for value in values), 1)
    power = sum(float(np.square(_exact(kind, value) - mean).sum()) for value in values)
    return power / max(sum(value.size for value in values), 1)
