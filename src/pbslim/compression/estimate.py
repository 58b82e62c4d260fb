"""How long a compression will take, before it is begun, and how much of that is left while it goes on."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from pbslim.analysis.weight_sites import Site
from pbslim.compression.effort import Effort
from pbslim.compression.evaluation import has_huge_constant, threads
from pbslim.compression.importance import count_traced
from pbslim.compression.model import Model
from pbslim.compression.samples import SampleSets
from pbslim.engines import Feeds
from pbslim.quant.compensation import diagonal_blocks
from pbslim.verification.batches import batch_size

MEASURING, TRYING, SEARCHING, VERIFYING = "measuring inputs", "trying each weight", "searching", "verifying"
_ROWS = 5000  # that moments are made of
_BACKWARD = 3  # runs that take as long as one with gradients
_BELOW = 0.5  # of a graph that depends on a weight, on average
_PROBE = 384  # rows of the matrices that are multiplied to see how fast this machine is
_MOST_OFF = 4.0

# As a rule, measured on some models:
_TRIES, _MORE_TRIES = 3, 1  # of the first attempt, and of each one more
_ATTEMPTS, _ATTEMPTS_IF_NARROW = 1.25, 2.25  # an output of a few numbers seldom keeps on new inputs what was found
_STARTING = 1.0  # seconds that the processes of a proof take to start
_SENDING = 1.2  # a run in another process, as a part of one in this process
_PROOFS = 2  # of each attempt, but where each takes minutes
# What small steps of numpy cost, in the multiplications that large products make in that time:
_LOOK = 270.0  # at an element of a row for the moments
_FACTOR = 1e5  # for an element of a depthwise convolution, whose matrices are small
_ROW, _WEIGHT = 1.2e6, 2500.0  # rounding with compensation
_PLAIN = 700.0  # rounding a weight plainly
_LONG = 1.0  # seconds of a run that is not timed a second time


@dataclass(frozen=True)
class Progress:
    """What is done, and how much of it is.

    Attributes:
        done, total: steps of what is being done.
        share: of the whole work, from 0 to 1; None where that is not known.
        left: seconds until the end, as far as that can be said.
    """

    what: str
    done: int
    total: int
    share: float | None = None
    left: float | None = None


@dataclass(frozen=True)
class Pace:
    """How fast things are here.

    Attributes:
        sample: seconds in which one thread computes a sample of a batch.
        single: the same for a sample alone.
        products: multiplications per second of large matrices.
        threads: how many samples are computed at the same time.
    """

    sample: float
    single: float
    products: float
    threads: int = 1

    @classmethod
    def of(cls, model: Model, samples: SampleSets) -> Pace:
        """Run one batch, which also shows whether the graph runs at all.

        Raises:
            PbslimError: it does not.
        """
        tensors = model.judge.tensors or list(model.outputs)

        def seconds(batch: Feeds) -> float:
            found = _timed(lambda: model.program.run(batch, tensors))  # the first run also prepares the graph
            return found if found > _LONG else _timed(lambda: model.program.run(batch, tensors))

        batch = samples.validation[0]
        sample = seconds(batch) / max(batch_size(batch), 1)
        single = seconds(samples.probes[0]) / max(batch_size(samples.probes[0]), 1) if samples.probes else sample
        square = np.ones((_PROBE, _PROBE), np.float32)
        fastest = min(_timed(lambda: square @ square) for _ in range(3))
        return cls(sample, single, _PROBE**3 / fastest, threads(model.graph))


def _timed(work: Callable[[], object]) -> float:
    started = time.perf_counter()
    work()
    return max(time.perf_counter() - started, 1e-9)


def estimate(model: Model, pace: Pace, effort: Effort, proven: int) -> dict[str, float]:
    """The seconds that each part of a compression will take.

    Args:
        proven: inputs that a result is proven on.
    """
    costs = [_Costs.of(site, effort) for site in model.sites]
    looking, factoring, rounding = (sum(each[i] for each in costs) / pace.products for i in range(3))
    searched = effort.validation * pace.sample / pace.threads
    attempts = _ATTEMPTS_IF_NARROW if model.judge.is_narrow else _ATTEMPTS
    tries = min(_TRIES, effort.tries) * effort.passes + _MORE_TRIES * (attempts - 1)
    tried = effort.probes * pace.single * (1 + _BELOW * len(model.sites)) / pace.threads + rounding
    traced = count_traced(model, effort.traced) * _BACKWARD * pace.single / pace.threads
    # Both graphs run at the same time, where that is possible.
    proof = _STARTING + 2 * proven * pace.sample * _SENDING / min(pace.threads, 2)
    return {
        MEASURING: effort.calibration * pace.sample + looking + traced,
        TRYING: searched + factoring + tried * effort.passes,
        SEARCHING: tries * (searched + rounding),
        VERIFYING: proof * attempts * (1 if has_huge_constant(model.graph) else _PROOFS) if proven else 0.0,
    }


class _Costs(NamedTuple):
    """What a site takes, in multiplications: its moments, to factor them, and to round once."""

    looking: float
    factoring: float
    rounding: float

    @classmethod
    def of(cls, site: Site, effort: Effort) -> _Costs:
        inputs = site.size if site.kind == "depthwise" else site.size // site.channels
        looking = _ROWS * _LOOK * inputs
        if not effort.compensated:
            return cls(looking, 0.0, _PLAIN * site.size)
        if site.kind == "depthwise":
            return cls(looking, _FACTOR * site.size, _WEIGHT * site.size)
        widths = [part.stop - part.start for part in diagonal_blocks(inputs)]
        squares = float(sum(width**2 for width in widths))
        spreading = squares * site.channels + _ROW * inputs + _WEIGHT * site.size
        return cls(looking + _ROWS * squares, float(sum(width**3 for width in widths)), spreading)


@dataclass
class Forecast:
    """Knows what is to come, and corrects itself by how long things really take.

    Attributes:
        seconds: what each part was expected to take, in their order.
        listener: called with all progress.
    """

    seconds: Mapping[str, float]
    listener: Callable[[Progress], None]
    _started: float = field(default_factory=time.perf_counter)
    _done: dict[str, float] = field(default_factory=dict)

    def tell(self, what: str, done: int, total: int) -> None:
        """Note progress of one part."""
        part = next((name for name in self.seconds if what.startswith(name)), None)
        if part is None or not total:
            self.listener(Progress(what, done, total))
            return
        for name in self.seconds:
            if name == part:
                break
            self._done[name] = 1.0
        self._done[part] = max(self._done.get(part, 0.0), done / total)
        expected = sum(seconds * self._done.get(name, 0.0) for name, seconds in self.seconds.items())
        left = sum(self.seconds.values()) - expected
        passed = time.perf_counter() - self._started
        off = min(max(passed / expected, 1 / _MOST_OFF), _MOST_OFF) if expected > 0 else 1.0
        share = passed / (passed + left * off) if passed + left * off > 0 else 0.0
        self.listener(Progress(what, done, total, share, left * off))
