"""What the original and the result take to load and to run."""

from __future__ import annotations

from pathlib import Path

from pbslim.engines import engine
from pbslim.verification.benchmark import Measurement, benchmark

ENGINES = ("tensorflow", "builtin")
"""What measures, the first that is installed."""

_RUNS = 5


def measure(source: Path, out: Path) -> list[Measurement]:
    """Load and run both files, with TensorFlow if it is installed; empty where that does not work."""
    name = next(name for name in ENGINES if not engine(name).missing())
    found = benchmark([source, out], engines=[name], runs=_RUNS)
    return [] if any(each.problem for each in found) else found
