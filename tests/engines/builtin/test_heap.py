"""Memory that is freed stays with the process."""

from __future__ import annotations

import platform
import subprocess
import sys

import pytest

PROGRAM = """
import resource
import numpy as np
from pbslim.engines.builtin.heap import keep_freed_memory

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
