"""Time and memory of turning a large graph into a memory-mapped package and back, beside a copy of the file.

Usage:
    python benchmarks/convert_to_package.py [--megabytes 500] [--runs 3] [--folder FOLDER]

A graph with constants of many sizes is made in FOLDER (a temporary one if not given; the files take three times the
megabytes). Each figure is for a whole process, start-up included: the best of the runs, and the peak of the resident
memory. All wait until the disk has the bytes.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from functools import partial
from pathlib import Path

from processes import measure

MAKE = """
import sys
import numpy as np
from pbslim import save
from pbslim.dtypes import FLOAT, Shape
from pbslim.ir import DeferredTensor, Graph
graph, left, width, seed = Graph(), int(sys.argv[2]) * 1_000_000, 4096, 0
value = graph.add("x", "Placeholder", attrs={"dtype": FLOAT, "shape": Shape((-1, width))}).output()
while left > 0:  # from 16 KB to 64 MB, as wide as the one before
    rows, width = width, [4096, 1024, 4096, 256, 1024, 16][seed % 6]
    def elements(rows=rows, width=width, seed=seed):
        return np.random.default_rng(seed).standard_normal((rows, width), np.float32)
    tensor = DeferredTensor(elements, FLOAT, (rows, width))
    weights = graph.add(f"w{seed}", "Const", attrs={"dtype": FLOAT, "value": tensor}).output()
    value = graph.add(f"y{seed}", "MatMul", [value, weights], {"T": FLOAT}).output()
    left, seed = left - tensor.nbytes, seed + 1
save(graph, sys.argv[1])
"""
COPY = """
import os, shutil, sys
with open(sys.argv[1], 'rb') as source, open(sys.argv[2], 'wb') as target:
    shutil.copyfileobj(source, target, 1 << 20)
    target.flush()
    os.fsync(target.fileno())
"""


def clear(path: Path) -> None:
    """Take away what the run before has written, and let the disk finish."""
    path.unlink(missing_ok=True)
    os.sync()


def main() -> None:
    """Print a row for each way."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--megabytes", type=int, default=500)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--folder", type=Path)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=options.folder) as folder:
        graph, package, back = (Path(folder) / name for name in ("g.pb", "g.pbmm", "back.pb"))
        # In a process of its own: the peak of a child counts what its parent holds when it starts.
        subprocess.run([sys.executable, "-c", MAKE, str(graph), str(options.megabytes)], check=True)
        pbslim = [sys.executable, "-m", "pbslim"]
        convert = [*pbslim, "convert_graphdef_memmapped_format", f"--in_graph={graph}", f"--out_graph={package}"]
        ways = {
            "copy of the file": ([sys.executable, "-c", COPY, str(graph), str(back)], back),
            "convert": (convert, package),
            "convert --reference": ([*convert, "--reference"], package),
            "unmap": ([*pbslim, "unmap", str(package), "-o", str(back)], back),
        }
        print(f"{graph.stat().st_size / 1e6:.0f} MB, the largest constant {4 * 4096 * 4096 / 1e6:.0f} MB")
        for name, (command, made) in ways.items():
            seconds, megabytes = measure(command, options.runs, partial(clear, made))
            print(f"{name:20} {seconds:8.2f} s {megabytes:8.0f} MB")


if __name__ == "__main__":
    main()
