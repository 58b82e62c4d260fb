"""How long each engine takes to load a model and to run it, on one thread.

Usage:
    python benchmarks/engine_speed.py FOLDER [FOLDER ...] [--engines builtin,tensorflow] [--runs 50]

Each FOLDER holds a model.pb, a feeds.npz whose keys are the tensors to feed, and an expected.npz whose keys are the
outputs. Each engine runs each model in a process of its own; one that is not installed or cannot run a model is told
so in its row. Where other processes keep the machine busy, the processor time ("cpu", best run) says more than the
clock.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np

from pbslim.engines import ENGINES, engine
from pbslim.errors import PbslimError

ONE_THREAD = (
    *("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"),
    *("TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS", "OPENCV_FOR_THREADS_NUM"),
)
WARM_UP = 3


def measure(name: str, folder: Path, runs: int) -> dict[str, Any]:
    """Seconds to load the model, of the first run, and of later ones; or the reason why it does not run."""
    feeds = {key: _strings(value) for key, value in np.load(folder / "feeds.npz").items()}
    outputs = list(np.load(folder / "expected.npz"))
    chosen = engine(name)
    if reason := chosen.missing():
        return {"reason": reason}
    try:
        started = time.perf_counter()
        program = chosen.load(folder / "model.pb")
        loaded = time.perf_counter()
        program.run(feeds, outputs)
        first = time.perf_counter()
        times, processor = [], []
        for _ in range(runs + WARM_UP):
            before, before_processor = time.perf_counter(), time.process_time()
            program.run(feeds, outputs)
            times.append(time.perf_counter() - before)
            processor.append(time.process_time() - before_processor)
    except PbslimError as error:
        return {"reason": str(error)}
    times = times[WARM_UP:]
    return {
        "load": loaded - started,
        "first": first - loaded,
        "best": min(times),
        "median": statistics.median(times),
        "cpu": min(processor[WARM_UP:]),
    }


def _strings(value: Any) -> Any:
    return value.astype(object) if value.dtype.kind == "S" else value


def measure_apart(name: str, folder: Path, runs: int) -> dict[str, Any]:
    """As `measure`, in a process with one thread."""
    command = [sys.executable, __file__, str(folder), "--measure", name, "--runs", str(runs)]
    result = subprocess.run(
        command, env=os.environ | dict.fromkeys(ONE_THREAD, "1"), stdout=subprocess.PIPE, text=True, check=False
    )
    if result.returncode:
        sys.exit(f"failed: {name} with {folder}")
    found: dict[str, Any] = json.loads(result.stdout.splitlines()[-1])
    return found


def main() -> None:
    """Print a row for each model and engine."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, nargs="+")
    parser.add_argument("--engines", default=",".join(ENGINES))
    parser.add_argument("--runs", type=int, default=50)
    parser.add_argument("--measure", metavar="ENGINE", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.measure:
        print(json.dumps(measure(options.measure, options.folder[0], options.runs)))
        return
    columns = ("load", "first", "best", "median", "cpu")
    print(f"{'model':28} {'engine':12}" + "".join(f"{column:>10}" for column in columns), "ms")
    for folder in options.folder:
        for name in options.engines.split(","):
            row = measure_apart(name, folder, options.runs)
            shown = row.get("reason") or "".join(f"{row[column] * 1e3:10.1f}" for column in columns)
            print(f"{folder.name:28} {name:12}{shown}", flush=True)


if __name__ == "__main__":
    main()
