"""Freeze a SavedModel of several GiB and shrink it by the eight-bit recipe; tell time and memory.

    python benchmarks/large_saved_model.py FOLDER [--gib 3]

FOLDER is where the model and the results are written. TensorFlow makes the model, and loads the small graph in the end;
it needs about twice the size of the model in memory for that, pbslim does not.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

_MAKE = """
import sys
import numpy as np, tensorflow as tf

class Model(tf.Module):
    def __init__(self, count):
        random = np.random.default_rng(1)
        piece = random.standard_normal((8192, 8192), np.float32) / 90
        self.weights = [tf.Variable(piece * (1 + k / 8), name=f"w{k}") for k in range(count)]

    @tf.function(input_signature=[tf.TensorSpec([None, 8192], tf.float32, name="x")])
    def call(self, x):
        for weight in self.weights:
            x = tf.nn.tanh(tf.matmul(x, weight))
        return {"y": x}

model = Model(int(sys.argv[2]))
tf.saved_model.save(model, sys.argv[1], signatures=model.call)
"""
_LOAD = """
import sys
import numpy as np, tensorflow as tf

graph_def = tf.compat.v1.GraphDef()
graph_def.ParseFromString(open(sys.argv[1], "rb").read())
with tf.compat.v1.Graph().as_default():
    tf.import_graph_def(graph_def, name="")
    with tf.compat.v1.Session() as session:
        found = session.run("Identity:0", {"x:0": np.ones((1, 8192), np.float32)})
print("TensorFlow loads it:", found.shape, bool(np.isfinite(found).all()))
"""
_BYTES = 8192 * 8192 * 4


def measured(*command: str) -> str:
    """Run `pbslim` with these arguments; gives seconds and the most memory that it took."""
    started = time.perf_counter()
    process = subprocess.Popen([sys.executable, "-m", "pbslim", *command])
    _, status, used = os.wait4(process.pid, 0)
    if status:
        raise SystemExit(f"pbslim {' '.join(command)} failed")
    return f"{time.perf_counter() - started:.0f} s, {used.ru_maxrss / 1024:.0f} MB"


def main(argv: Sequence[str] | None = None) -> None:
    """Make the model if it is not there, and go through it."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--gib", type=int, default=3)
    options = parser.parse_args(argv)
    model, frozen, small = (options.folder / name for name in ("model", "frozen.pb", "small.pb"))
    if not model.exists():
        count = str(-(-options.gib * 2**30 // _BYTES))
        subprocess.run([sys.executable, "-c", _MAKE, str(model), count], check=True)
    print("freeze:", measured("freeze", str(model), "-o", str(frozen)))
    recipe = ("--recipe", "eight-bit", "--no-verify")
    print("freeze and eight-bit:", measured("shrink", str(model), "-o", str(small), *recipe))
    print("bytes:", frozen.stat().st_size, small.stat().st_size, flush=True)
    subprocess.run([sys.executable, "-c", _LOAD, str(small)], check=True)


if __name__ == "__main__":
    main()
