"""What a whole process takes, start-up included."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable


def measure(command: list[str], runs: int, before: Callable[[], None] = lambda: None) -> tuple[float, float]:
    """Seconds (best of `runs`) and megabytes of resident memory at the peak of a command.

    Args:
        before: is called before each run, outside of what is measured.
    """
    best, peak = float("inf"), 0.0
    for _ in range(runs):
        before()
        started = time.perf_counter()
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        _, status, usage = os.wait4(process.pid, 0)
        if status:
            sys.exit(f"failed: {' '.join(command[:3])} ...")
        best = min(best, time.perf_counter() - started)
        peak = max(peak, usage.ru_maxrss / 1000)
    return best, peak
