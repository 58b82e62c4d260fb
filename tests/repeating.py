"""How often tests repeat what is random: few times in .ci/run, ``PBSLIM_REPEAT`` times more in ``nox -s random``."""

from __future__ import annotations

import os

TIMES = int(os.environ.get("PBSLIM_REPEAT", "1"))


def seeds(count: int) -> range:
    """The seeds of a test for which `count` are enough each time."""
    return range(count * TIMES)
