"""Read damaged packages in every way there is, and print in JSON what came of it.

Usage:
    python read_damaged.py FOLDER FIRST COUNT

FOLDER holds sound packages; what the seeds from FIRST on make of them is read.
"""

from __future__ import annotations

import gc
import json
import resource
import signal
import sys
import traceback
from collections import Counter
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter
from types import FrameType

from pbslim import api
from pbslim.errors import PbslimError
from pbslim.wire.memmapped import lay_out, package_of
from tests.commands import run
from tests.corpus.damage import damaged

SECONDS = 10
BYTES_PER_UNIT = 1 if sys.platform == "darwin" else 1024  # of ru_maxrss


def does(*args: object) -> bool:
    """Whether the command line does it; if not, it must say why in one line."""
    done = run(*args)
    assert done.code == 0 or done.refused, done
    return done.code == 0


def examine(path: Path, folder: Path) -> str:
    """What `path` turns out to be."""
    inspected, unmapped = does("inspect", path), does("unmap", path, "-o", folder / "g.pb")
    try:
        graph = api.load(path)
    except PbslimError:
        assert not inspected
        assert not unmapped
        assert not list(folder.iterdir())
        return "refused"
    package = package_of(graph)
    if package is None:
        assert not unmapped
        return "a graph"
    end = 0
    for region in package.regions:
        assert end <= region.offset <= region.end <= package.directory_offset, region
        end = region.end
    lay_out(path, folder)
    if unmapped:
        again = api.load(folder / "g.pb")
        assert [(node.name, node.op) for node in again] == [(node.name, node.op) for node in graph]
    return "a package" if inspected and unmapped else "a package with a broken graph"


def out_of_time(_signal: int, _frame: FrameType | None) -> None:
    """What the alarm does."""
    raise TimeoutError


def peak() -> float:
    """The most memory that this process has had, in MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * BYTES_PER_UNIT / 1e6


def main() -> None:
    """Examine them all."""
    packages = [file.read_bytes() for file in sorted(Path(sys.argv[1]).glob("*.pbmm"))]
    first, count = int(sys.argv[2]), int(sys.argv[3])
    signal.signal(signal.SIGALRM, out_of_time)
    found: Counter[str] = Counter()
    failures: list[str] = []
    slowest, largest, before = 0.0, 0, peak()
    for seed in range(first, first + count):
        data = damaged(seed, packages)
        with TemporaryDirectory() as scratch:
            path, folder = Path(scratch) / "damaged", Path(scratch) / "out"
            path.write_bytes(data)
            folder.mkdir()
            started = perf_counter()
            signal.alarm(SECONDS)
            try:
                found[examine(path, folder)] += 1
            except Exception:  # noqa: BLE001 - that is what is looked for
                failures.append(f"seed {seed}: {traceback.format_exc()}")
            signal.alarm(0)
        gc.collect()
        slowest, largest = max(slowest, perf_counter() - started), max(largest, len(data))
    figures = {"seconds": slowest, "largest": largest / 1e6, "grown": peak() - before}
    print(json.dumps({"found": found, "failures": failures, **figures}))  # noqa: T201


main()
