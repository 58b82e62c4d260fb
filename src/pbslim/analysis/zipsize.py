"""How big a file becomes inside an APK or a zip: the figure that matters for a download.

Deflate is too slow to run over every large model just to print a number, so big files are sampled. A window
of 16 KiB is compressed at one place in each of 96 equally long strata of the file, primed with the 32 KiB
before it (all that deflate can look back), so that a window compresses as it does in its place; what it
saved or not stands for its whole stratum. The place moves from stratum to stratum by the golden ratio:
evenly spread, never in step with layers that repeat at a regular distance, and the same in every run.
Windows are compressed by the quickest level, and each third one by the usual level as well, which shows how
much better that is: a third of the time for data that compress well, and nearly as exact.

Measured on nine trained models of 2 to 17 MB, as trained and with weights rounded to 256 levels: within 2.1 %, on
average 0.7 %.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from pbslim.wire.sources import Source, open_source

Data = bytes | memoryview

_LEVEL = 6  # what zip and the Android build tools use
_QUICK = 1
_THOROUGH = 3  # one window of so many is compressed by both levels
_CHUNK = 1 << 20
_HISTORY = 1 << 15
_WINDOW = 1 << 14
_STRATA = 96
_EXACT_BELOW = _STRATA * _WINDOW  # sampling would compress as many bytes
_GOLDEN = 0.6180339887498949


@dataclass(frozen=True)
class ZipSize:
    """A size in bytes, and whether it was counted or estimated."""

    bytes: int
    exact: bool


def zipped_size(file: Path | Source, *, exact: bool = False) -> ZipSize:
    """The size of the raw deflate stream (level 6) of a file or its bytes, without a zip's headers.

    Files up to 1.5 MiB are compressed as a whole. Bigger ones are estimated from 1.5 MiB of samples.

    Args:
        exact: compress all of it, whatever its size.

    Raises:
        DecodeError: the file cannot be read.
    """
    source = open_source(file) if isinstance(file, Path) else file
    size = len(source)
    if exact or size <= _EXACT_BELOW:
        chunks = (source[at : min(at + _CHUNK, size)] for at in range(0, size, _CHUNK))
        return ZipSize(_deflated(chunks), exact=True)
    return ZipSize(round(_estimate(source)), exact=False)


def _estimate(source: Source) -> float:
    size = len(source)
    samples: list[tuple[Data, Data]] = []
    weights: list[float] = []
    for i in range(_STRATA):
        start, end = size * i // _STRATA, size * (i + 1) // _STRATA
        at = start + int((end - start - _WINDOW) * (i * _GOLDEN % 1))
        samples.append((source[at : at + _WINDOW], source[max(0, at - _HISTORY) : at]))
        weights.append((end - start) / _WINDOW)
    with ThreadPoolExecutor() as pool:  # zlib lets go of the interpreter while it works
        quick = list(pool.map(lambda sample: _window(sample, _QUICK), samples))
        # In the order of their sizes, so that all kinds of content are among them.
        some = sorted(range(_STRATA), key=quick.__getitem__)[_THOROUGH // 2 :: _THOROUGH]
        thorough = list(pool.map(lambda i: _window(samples[i], _LEVEL), some))
    better = sum(thorough) / sum(quick[i] for i in some)
    return better * sum(size * weight for size, weight in zip(quick, weights, strict=True))


def _window(sample: tuple[Data, Data], level: int) -> int:
    content, history = sample
    return _deflated(iter([content]), level, history)


def _deflated(chunks: Iterator[Data], level: int = _LEVEL, history: Data = b"") -> int:
    deflate = zlib.compressobj(level, zlib.DEFLATED, -zlib.MAX_WBITS, zdict=history)
    return sum(len(deflate.compress(chunk)) for chunk in chunks) + len(deflate.flush())
