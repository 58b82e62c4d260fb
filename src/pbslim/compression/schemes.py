"""Weights whose way of storing is given, or chosen among the few that need no entropy coder."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

from pbslim.compression.rounding import Rounded, Rounder, SiteRounder
from pbslim.errors import UsageError
from pbslim.quant.channels import LARGEST
from pbslim.quant.packing import PER_BYTE
from pbslim.transforms.compressed.selection import matches

_LARGEST = {"int8": LARGEST, "int4": 7}
SCHEMES = {
    "auto": "as few bits as the promise allows",
    "float32": "as they are",
    "float16": "half the bits",
    "int8": "codes up to 127 with one step per channel",
    "int4": "codes up to 7 with one step per channel",
}
"""Name → what becomes of weights."""

_BYTE = 8
_STEPWISE = (LARGEST, *sorted({levels // 2 for levels in PER_BYTE if levels % 2}, reverse=True))
_HALF_ABOVE = 2.0  # times the wanted coarseness: codes of a byte would cost more than they save


@dataclass(frozen=True)
class Rule:
    """What is to become of the weights whose names fit a pattern, in which ``*`` stands for anything."""

    pattern: str
    scheme: str

    @classmethod
    def parse(cls, text: str) -> Rule:
        """``PATTERN=SCHEME``.

        Raises:
            UsageError: it is not of that form, or there is no such scheme.
        """
        pattern, equals, scheme = (part.strip() for part in text.rpartition("="))
        if not equals or not pattern:
            raise UsageError(f"'{text}' is not a name and a scheme, as in 'conv*/weights=int8'")
        if scheme not in SCHEMES:
            raise UsageError(f"unknown scheme '{scheme}' (known: {', '.join(SCHEMES)})")
        return cls(pattern, scheme)

    def __str__(self) -> str:
        return f"{self.pattern}={self.scheme}"


def scheme_for(name: str, rules: Sequence[Rule]) -> str:
    """What the last rule that fits says of a weight; ``auto`` if none does."""
    return next((rule.scheme for rule in reversed(rules) if matches(name, [rule.pattern])), "auto")


def require_used(rules: Iterable[Rule], names: Sequence[str]) -> None:
    """Make sure that each rule is about a weight.

    Raises:
        UsageError: one is not.
    """
    for rule in rules:
        if not any(matches(name, [rule.pattern]) for name in names):
            known = ", ".join(names[:3]) + (", …" if len(names) > 3 else "")
            raise UsageError(f"no weight fits '{rule.pattern}' of '{rule}' (weights: {known or 'none'})")


class Fixed:
    """A site that is stored in one way whatever coarseness is asked for."""

    def __init__(self, rounder: SiteRounder, scheme: str) -> None:
        self.site, self._rounder, self._scheme = rounder.site, rounder, scheme

    def round(self, _coarseness: float) -> Rounded:
        """The weights as the scheme says."""
        return self._rounded

    def coarseness(self, rounded: Rounded) -> float:
        """How coarse that is."""
        return self._rounder.coarseness(rounded)

    @cached_property
    def _rounded(self) -> Rounded:
        if self._scheme in _LARGEST:
            return self._rounder.round_to(_LARGEST[self._scheme])
        half = self._rounder.halved()
        if half is None:
            raise UsageError(f"'{self.site.name}' cannot be float16: it has values beyond 65504")
        return half


class Stepwise:
    """A site whose codes take whole bytes or fixed parts of them: 255, 15, 5 or 3 levels, or float16."""

    def __init__(self, rounder: SiteRounder) -> None:
        self.site, self._rounder = rounder.site, rounder
        self._known: dict[int, tuple[Rounded, float]] = {}

    def round(self, coarseness: float) -> Rounded:
        """The weights in the fewest bits that are no coarser than `coarseness`; see `SiteRounder.round`."""
        best = self._at(LARGEST)
        if best[1] > _HALF_ABOVE * coarseness and (floats := self._rounder.as_floats(coarseness)) is not None:
            return floats
        for largest in _STEPWISE[1:]:
            tried = self._at(largest)
            if tried[1] > coarseness:
                break
            best = tried
        return best[0]

    def coarseness(self, rounded: Rounded) -> float:
        """How coarse that really is."""
        return self._rounder.coarseness(rounded)

    def _at(self, largest: int) -> tuple[Rounded, float]:
        """The codes up to `largest`, and the coarseness of evenly spread ones with as much error."""
        if largest not in self._known:
            width = _BYTE / PER_BYTE.get(2 * largest + 1, 1)
            rounded = replace(self._rounder.round_to(largest), width=width)
            self._known[largest] = rounded, self._rounder.plain_coarseness(largest)
        return self._known[largest]


def rounders_for(
    rounders: Iterable[SiteRounder], rules: Sequence[Rule], automatic: Callable[[SiteRounder], Rounder]
) -> list[Rounder]:
    """What rounds each site by the rules, and where they leave it open by `automatic`."""
    schemes = ((each, scheme_for(each.site.name, rules)) for each in rounders)
    return [automatic(each) if scheme == "auto" else Fixed(each, scheme) for each, scheme in schemes]
