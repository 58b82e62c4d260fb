"""The log of a graph in which insert_logging put Print nodes after RequantizationRange nodes.

A record is a line that ends in ``;<node>__print__;__requant_min_max:[<lowest>][<highest>]``.
"""

from __future__ import annotations

import math

from pbslim.passes.parameters import parse_float

_NAME_END = "__print__"
_MARK = "__requant_min_max:"

Records = dict[str, tuple[list[float], list[float]]]
"""Name of a node → all lower and all upper bounds that were logged for it."""


def read_ranges(text: str) -> tuple[Records, int]:
    """The ranges in the log `text`, and how many were left out for NaN or infinity; other lines are passed over."""
    records: Records = {}
    unusable = 0
    for line in text.split("\n"):
        record = _record(line)
        if record is None:
            continue
        name, low, high = record
        if not (math.isfinite(low) and math.isfinite(high)):
            unusable += 1
            continue
        lows, highs = records.setdefault(name, ([], []))
        lows.append(low)
        highs.append(high)
    return records, unusable


def _record(line: str) -> tuple[str, float, float] | None:
    if f"{_NAME_END};{_MARK}" not in line:
        return None
    pieces = line.split(";")
    at = max(i for i, piece in enumerate(pieces) if piece.startswith(_MARK) and i)
    if not pieces[at - 1].endswith(_NAME_END):
        return None
    head, *bounds = pieces[at].split("[")
    if head != _MARK or len(bounds) != 2:
        return None
    numbers = [parse_float(bound.partition("]")[0]) for bound in bounds if bound.count("]") == 1]
    match numbers:
        case [float(low), float(high)]:
            return pieces[at - 1].removesuffix(_NAME_END), low, high
    return None
