"""How long a compression will take, before it is begun, and how much of that is left while it goes on."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np

from pbslim.analysis.weight_sites import Site
from pbslim.compression.effort import Effort
from pbslim.compression.model import Model
from pbslim.compression.samples import SampleSets
from pbslim.quant.compensation import diagonal_blocks

MEASURING, TRYING, SEARCHING, VERIFYING = "measuring inputs", "trying each weight", "searching", "verifying"
_ROWS = 5000  # that moments are made of
_TRIES = 4  # of a search, as a rule
_STARTING = 3.0  # seconds that two processes take to start
_VERIFIED = 48
_BELOW = 0.5  # of a graph that depends on a weight, on average
_PROBE = 384  # rows of the matrices that are multiplied to see how fast this machine is
_MOST_OFF = 4.0


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
        sample: seconds in which the graph computes one sample.
        products: multiplications per second of large matrices.
    """

    sample: float
    products: float

    @classmethod
    def of(cls, model: Model, samples: SampleSets) -> Pace:
        """Run one batch, which also shows whether the graph runs at all.

        Raises:
            PbslimError: it does not.
        """
        batch = samples.validation[0]
        started = time.perf_counter()
        model.program.run(batch, model.judge.tensors or list(model.outputs))
        seconds = time.perf_counter() - started
        sizes = {len(array) for array in batch.values() if array.ndim}
        square = np.ones((_PROBE, _PROBE), np.float32)
        started = time.perf_counter()
        square @ square
        return cls(seconds / max(max(sizes, default=1), 1), _PROBE**3 / (time.perf_counter() - started))


def estimate(model: Model, pace: Pace, effort: Effort) -> dict[str, float]:
    """The seconds that each part of a compression will take."""
    rounding = sum(_rounding(site, effort) for site in model.sites) / pace.products
    moments = sum(_moments(site, effort) for site in model.sites) / pace.products
    return {
        MEASURING: effort.calibration * pace.sample + moments,
        TRYING: effort.probes * pace.sample * (1 + _BELOW * len(model.sites)) * effort.passes + rounding,
        SEARCHING: min(_TRIES, effort.tries) * (effort.validation * pace.sample + rounding) * effort.passes,
        VERIFYING: 2 * _VERIFIED * pace.sample + _STARTING,
    }


def _moments(site: Site, effort: Effort) -> float:
    if not effort.compensated or site.kind == "depthwise":
        return 0.0
    return float(_ROWS * sum((part.stop - part.start) ** 2 for part in diagonal_blocks(site.size // site.channels)))


def _rounding(site: Site, effort: Effort) -> float:
    """Products to factor moments and to spread errors; plain rounding takes about as long as ten per weight."""
    inputs = site.size // site.channels
    if not effort.compensated or site.kind == "depthwise":
        return 10.0 * site.size
    widths = [part.stop - part.start for part in diagonal_blocks(inputs)]
    return float(sum(width**2 * (width / 2 + site.channels) for width in widths)) + 10.0 * site.size


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
