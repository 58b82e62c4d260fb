"""Memory that is freed stays with the process until others need it."""

from __future__ import annotations

import platform
import subprocess
import sys

import pytest

PROGRAM = """
import resource
import numpy as np
from pbslim.engines.heap import keep_freed_memory

def faults():
    first = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(20):
        a, b = np.ones(1 << 19, np.float32), np.ones(1 << 19, np.float32)
        del a, b
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - first

before = faults()
keep_freed_memory()
faults()
print(before, faults())
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="other C libraries keep memory in ways of their own")
def test_pages_are_not_made_anew() -> None:
    result = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True)
    before, after = map(int, result.stdout.split())
    assert before > 20 * 500  # as many as one of the arrays has, each time
    assert after < 500


GIVING = """
from pathlib import Path
import numpy as np
from pbslim.engines.heap import give_back_freed_memory, keep_freed_memory

def resident():
    return int(Path("/proc/self/statm").read_text().split()[1])

keep_freed_memory()
arrays = [np.ones(1 << 18, np.float32) for _ in range(32)]
last = np.ones(1 << 18, np.float32)  # what lies below it in the heap stays there when it is freed
del arrays
before = resident()
give_back_freed_memory()
print(before - resident())
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="other C libraries have no such function")
def test_pages_are_given_back() -> None:
    result = subprocess.run([sys.executable, "-c", GIVING], capture_output=True, text=True, check=True)
    assert int(result.stdout) > 24 * 256  # of the 32 arrays of 256 pages
