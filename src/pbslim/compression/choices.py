"""How each weight came to be stored, and why, for people."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from pbslim.compression.compressor import Compressor
from pbslim.compression.plan import Choice
from pbslim.compression.rounding import Rounded
from pbslim.compression.schemes import Rule, scheme_for
from pbslim.compression.search import Candidate
from pbslim.quant.packing import PER_BYTE

_BYTE = 8
_NEAR = 1.05


def choices(compressor: Compressor, found: Candidate, rules: Sequence[Rule]) -> tuple[Choice, ...]:
    """A line for each site of a candidate."""
    sites = {rounder.site.name: rounder for rounder in compressor.rounders}
    noises = {name: _noise(compressor, found, name) for name in found.rounded}
    total = sum(noises.values()) or 1.0
    lines = []
    for name, rounded in found.rounded.items():
        site, used = sites[name].site, sites[name].coarseness(rounded)
        bits = rounded.bits / max(site.size, 1)
        why = _why(name, rounded, used, found.coarseness[name], noises[name] / total, rules)
        form = _form(rounded, scheme_for(name, rules))
        lines.append(Choice(name, site.kind, site.size, found.coarseness[name], form, bits, noises[name], why))
    return tuple(lines)


def _noise(compressor: Compressor, found: Candidate, name: str) -> float:
    """What the site does alone, as predicted from when it was tried."""
    sensitivity = compressor.sensitivities[name]
    per_square = float(sensitivity.noise.max(initial=0)) / max(sensitivity.coarseness, 1e-9) ** 2
    return 0.0 if found.rounded[name].palette else per_square * found.coarseness[name] ** 2


def _form(rounded: Rounded, scheme: str) -> str:
    if scheme != "auto":
        return scheme
    if rounded.palette:
        return "exact"
    if rounded.steps is None:
        return "float32" if rounded.stays else "float16"
    if rounded.codes.dtype == np.int16:
        return "int16"
    per_byte = round(_BYTE / rounded.width) if rounded.width else 1
    return next((f"{levels} levels" for levels, codes in PER_BYTE.items() if levels % 2 and codes == per_byte), "int8")


def _why(name: str, rounded: Rounded, used: float, wanted: float, share: float, rules: Sequence[Rule]) -> str:
    scheme = scheme_for(name, rules)
    if scheme != "auto":
        rule = next(rule for rule in reversed(rules) if scheme_for(name, [rule]) == scheme)
        return f"as '{rule}' says"
    if rounded.palette:
        return "it has few values, which cost hardly more than rounded ones"
    if rounded.steps is None:
        return f"{'float16' if rounded.stays else 'codes'} would be too coarse for it"
    if used > _NEAR * wanted:
        return f"as fine as its codes allow; {share:.1%} of the noise"
    if share == 0:
        return "no input that was tried shows its effect; it may change by as much as the outputs"
    if share < 1e-4:
        return "the outputs hardly depend on it"
    return f"it may add {share:.1%} of the noise"
