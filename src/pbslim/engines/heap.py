"""Memory that a run frees is there for the next one, until others need it."""

from __future__ import annotations

import ctypes
import gc
import sys

import numpy as np

_BLOCK = (1 << 25) - (1 << 13)  # bytes; glibc raises its thresholds for blocks below 32 MiB only


def keep_freed_memory() -> None:
    """Let the C library keep what is freed instead of giving it back to the system.

    glibc maps a block from 128 KiB on apart, gives it back when it is freed, and gives back the end of its heap from
    twice that on; each page must then be made anew, which takes several times as long as to compute what lies there.
    When it frees a mapped block, it takes the block's size as the new threshold (see ``M_MMAP_THRESHOLD`` in
    mallopt(3)). The block is never touched, so it takes no memory. Other C libraries are left as they are.
    """
    np.empty(_BLOCK, np.uint8)


def give_back_freed_memory() -> None:
    """Let the system have what was freed, as other processes are about to need it; see malloc_trim(3).

    Graphs refer to their nodes and these to them, so that some are still to be freed.
    """
    gc.collect()
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None) if sys.platform == "linux" else None
    if trim is not None:  # musl has none
        trim(0)
