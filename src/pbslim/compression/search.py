"""Find the coarsest weights that keep a promise."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from pbslim.compression.allocation import Sensitivity, allocate
from pbslim.compression.effort import EFFORTS, Effort
from pbslim.compression.judge import Measure
from pbslim.compression.model import Model
from pbslim.compression.rounding import Rounded, Rounder
from pbslim.engines.heap import give_back_freed_memory
from pbslim.errors import CheckError, counted

_AIM = 0.15  # dB above the target
_NEAREST = 1 / 3  # of the way between two tries, as their measurements are off by chance
_FINEST = 60.0  # dB
_BISECTIONS = 10
_SILENT = 200.0  # dB of an output that does not move at all


@dataclass(frozen=True)
class Candidate:
    """All sites rounded.

    Attributes:
        noise: what was allowed, as a part of the power of the signal.
        coarseness: of each site, in steps per rms.
        rounded: the sites.
        snr: signal to noise in dB on the samples of the search.
    """

    noise: float
    coarseness: Mapping[str, float]
    rounded: Mapping[str, Rounded]
    snr: float

    @property
    def bits(self) -> float:
        """About what its weights take in a file."""
        return sum(each.bits for each in self.rounded.values())


class Search:
    """Tries total amounts of noise until the measured one is right.

    Args:
        on_try: is shown each candidate, and says whether one that is good enough is enough.
    """

    def __init__(
        self,
        model: Model,
        rounders: Sequence[Rounder],
        sensitivities: Mapping[str, Sensitivity],
        measure: Measure,
        on_try: Callable[[Candidate], bool] = lambda _: False,
        effort: Effort = EFFORTS["normal"],
    ) -> None:
        self._model, self._rounders, self._sensitivities = model, rounders, sensitivities
        self._measure, self._on_try, self._effort = measure, on_try, effort

    def candidate(self, coarseness: Mapping[str, float], noise: float = 0.0, target: float = -math.inf) -> Candidate:
        """All sites rounded to these steps per rms, and measured; only roughly where that is far below `target` dB."""
        rounded = {each.site.name: each.round(coarseness[each.site.name]) for each in self._rounders}
        give_back_freed_memory()  # all weights are about to be floats
        found = self._measure.noise(self._model.content(rounded), 10 ** (-target / 10))
        return Candidate(noise, coarseness, rounded, -10 * math.log10(found) if found > 0 else _SILENT)

    def level_of(self, nbytes: float) -> float:
        """The signal to noise in dB to allow, of which weights take about so many bytes.

        Raises:
            CheckError: even the coarsest take more.
        """
        low, high = 0.0, _FINEST
        for _ in range(_BISECTIONS):
            level = (low + high) / 2
            coarseness = allocate(self._sensitivities, 10 ** (-level / 10))
            bits = sum(each.round(coarseness[each.site.name]).bits for each in self._rounders)
            low, high = (level, high) if bits <= 8 * nbytes else (low, level)
        if low == 0.0:
            raise CheckError(f"weights cannot be made to fit {counted(round(nbytes), 'byte')}")
        return low

    def at(self, noise: float, target: float = -math.inf) -> Candidate:
        """Weights with so much noise, as far as single weights tell what all of them do together; see `candidate`."""
        return self.candidate(allocate(self._sensitivities, noise), noise, target)

    def find(self, target: float, start: Candidate | None = None) -> Candidate | None:
        """The smallest candidate that was found of at least `target` dB; None if there is none.

        Args:
            start: one that was measured before, to go on from.
        """
        level = target if start is None else -10 * math.log10(start.noise) + target - start.snr + _AIM
        good: Candidate | None = None
        bad: Candidate | None = None
        push, last = 1.0, 0.0
        for _ in range(self._effort.tries):
            level = min(max(level, -_SILENT), _SILENT)  # where no step is left to choose it runs away
            tried = self.at(10 ** (-level / 10), target)
            is_enough = self._on_try(tried)
            if tried.snr >= target:
                good = tried if good is None or tried.bits <= good.bits else good
                if is_enough or tried.snr < target + self._effort.close:
                    break
            else:
                bad = replace(tried, rounded={}) if bad is None or tried.noise < bad.noise else bad
            # Noise is nearly proportional to what was allowed, so the next level is the old one and what is missing.
            # Where codes take whole bytes nothing may change at all, so that a larger step must follow.
            push = push * 2 if tried.bits == last else 1.0
            last = tried.bits
            level += (target + _AIM - tried.snr) * push
            if good and bad:
                low, high = -10 * math.log10(bad.noise), -10 * math.log10(good.noise)
                if high - low < self._effort.close:
                    break
                # On the line through both, but never as near to one of them that little would be learned.
                share = (target + _AIM - bad.snr) / (good.snr - bad.snr)
                level = low + (high - low) * min(max(share, _NEAREST), 1 - _NEAREST)
        return good
