"""The different values of a tensor, where they are few: it was rounded or quantized before, or is a mask or a table."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from pbslim.quant.ranges import Floats

COARSE = 257
"""As many different values as round_weights leaves with 256 steps: one for each, and one for the highest value."""

_PROBE = 1 << 12  # elements; most weights show here that they have many values


def few_values(pieces: Iterable[Floats], most: int = COARSE) -> Floats | None:
    """The different values in `pieces` in ascending order, None if there are more than `most` or one is NaN.

    Zero and minus zero count as one.
    """
    known: Floats = np.empty(0, np.float32)
    for piece in pieces:
        for part in (piece[:_PROBE], piece[_PROBE:]):
            known = _with(known, part)
            if known.size > most:
                return None
    return None if np.isnan(known).any() else known


def _with(known: Floats, values: Floats) -> Floats:
    if known.size:
        places = np.searchsorted(known, values)
        places[places == known.size] = 0
        values = values[known[places] != values]
    return np.union1d(known, values) if values.size else known
