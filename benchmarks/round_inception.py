"""Time and memory of the recipe `round-legacy` on a large model, side by side with the reference tool.

Usage:
    python benchmarks/round_inception.py MODEL.pb [--reference PYTHON] [--runs 3]

MODEL.pb is any frozen graph, for instance an InceptionV3 of 95 MB; inputs and outputs are found from it. PYTHON is an
interpreter that has TensorFlow 1.15.5; with it the reference runs the same transforms in a process of its own. On a
graph that it does not accept it folds no constants, and so does less: `pbslim ops MODEL.pb --since 1.15` says what
to drop first.
Each figure is for a whole process, start-up included: the best of the runs, and the peak of the resident memory.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path

from processes import measure

from pbslim.shrinking.recipes import transforms_of

REFERENCE = """
import sys
import tensorflow as tf
from tensorflow.tools.graph_transforms import TransformGraph
source, target, inputs, outputs, transforms = sys.argv[1:]
graph = tf.compat.v1.GraphDef()
with open(source, 'rb') as file:
    graph.ParseFromString(file.read())
graph = TransformGraph(graph, inputs.split(','), outputs.split(','), [transforms])
with open(target, 'wb') as file:
    file.write(graph.SerializeToString())
"""


def main() -> None:
    """Print a row for each tool."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", type=Path)
    parser.add_argument("--reference", help="an interpreter with TensorFlow 1.15.5")
    parser.add_argument("--runs", type=int, default=3)
    options = parser.parse_args()
    # In a process of its own: the peak of a child counts what its parent holds when it starts.
    inspect = [sys.executable, "-m", "pbslim", "inspect", str(options.model), "--json"]
    facts = json.loads(subprocess.run(inspect, check=True, capture_output=True).stdout)
    names = [",".join(endpoint["name"] for endpoint in facts[each]) for each in ("inputs", "outputs")]
    # The reference does not know the parameter that the recipe adds, and ignores it.
    transforms = transforms_of("round-legacy")
    with tempfile.TemporaryDirectory() as folder:
        pbslim = [sys.executable, "-m", "pbslim"]
        shrink = ["shrink", str(options.model), "-o", f"{folder}/a.pb", "--recipe", "round-legacy", "--no-verify"]
        rows = {"pbslim shrink --no-verify": measure([*pbslim, *shrink], options.runs)}
        transform = ["transform_graph", f"--in_graph={options.model}", f"--out_graph={folder}/b.pb"]
        transform += [f"--inputs={names[0]}", f"--outputs={names[1]}", f"--transforms={transforms}"]
        rows["pbslim transform_graph"] = measure([*pbslim, *transform], options.runs)
        rows["pbslim --version"] = measure([*pbslim, "--version"], options.runs)
        if options.reference:
            command = [options.reference, "-c", REFERENCE, str(options.model), f"{folder}/c.pb", *names, transforms]
            rows["TensorFlow 1.15.5"] = measure(command, options.runs)
    for name, (seconds, megabytes) in rows.items():
        print(f"{name:24} {seconds:8.2f} s {megabytes:8.0f} MB")


if __name__ == "__main__":
    main()
