"""The size of a file when it is deflated, as in a zip file or an APK."""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from pathlib import Path

_LEVEL = 6
_EXACT_BYTES = 1 << 20
_WINDOW, _HISTORY, _WINDOWS = 1 << 16, 1 << 15, 24


@dataclass(frozen=True)
class ZipSize:
    """Bytes after deflating at level 6, and whether that was measured or estimated."""

    bytes: int
    exact: bool


def zipped_size(path: Path, *, exact: bool = False) -> ZipSize:
    """How large the file gets in a zip.

    A file of up to 1 MiB is deflated whole, a larger one only with `exact`; else 24 windows of 64 KiB, evenly spread,
    stand for it. Each window starts with the 32 KiB before it as dictionary, as it would in the whole file.
    """
    size = path.stat().st_size
    with path.open("rb") as file:
        if exact or size <= _EXACT_BYTES:
            packer = zlib.compressobj(_LEVEL, zlib.DEFLATED, -15)
            total = 0
            while piece := file.read(_EXACT_BYTES):
                total += len(packer.compress(piece))
            return ZipSize(total + len(packer.flush()), True)
        packed = read = 0
        for i in range(_WINDOWS):
            start = (size - _WINDOW) * i // (_WINDOWS - 1)
            before = min(start, _HISTORY)
            file.seek(start - before)
            history, window = file.read(before), file.read(_WINDOW)
            packer = zlib.compressobj(_LEVEL, zlib.DEFLATED, -15, zdict=history)
            packed += len(packer.compress(window)) + len(packer.flush())
            read += len(window)
    return ZipSize(round(size * packed / read), False)
