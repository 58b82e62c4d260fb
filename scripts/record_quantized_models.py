"""Make tests/data/quantized_models.json: what TensorFlow 1.15.5 makes of the shared models with quantize_nodes.

Run it with a Python that has TensorFlow 2, and name one that has 1.15.5; that one transforms the graphs, this one runs
the results::

    TF_ENABLE_ONEDNN_OPTS=0 python scripts/record_quantized_models.py python3.7
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1]))

from pbslim import load, save
from pbslim.dtypes import FLOAT
from pbslim.errors import PbslimError
from pbslim.ir import ArrayTensor, Graph, Tensor
from pbslim.verification.metrics import snr
from tests.constants import constants, summary
from tests.models.test_quantize_nodes import FLOOR, RECIPES, RECORD, endpoints, results
from tests.shared import models
from tests.structure import structure

# An answer is steady if it keeps so many decibels however the float constants move by more than a processor rounds:
# a float by 6e-8, a sum of a thousand by a few times that.
_STEADY = 2 * FLOOR
_NOISE = 1e-6
_TRIES = 4

REFERENCE = """
import sys
import tensorflow as tf
from tensorflow.tools.graph_transforms import TransformGraph
source, target, inputs, outputs, transforms = sys.argv[1:]
graph = tf.compat.v1.GraphDef()
with open(source, "rb") as file:
    graph.ParseFromString(file.read())
result = TransformGraph(graph, inputs.split(","), outputs.split(","), [transforms])
with open(target, "wb") as file:
    file.write(result.SerializeToString())
"""


def main(python: str) -> None:
    """Record all models; `python` has TensorFlow 1.15.5."""
    recorded = {}
    with tempfile.TemporaryDirectory() as place:
        target = Path(place) / "out.pb"
        for folder in models():
            inputs, outputs = endpoints(folder)
            recorded[folder.name] = found = {}
            for recipe, transforms in RECIPES.items():
                names = ",".join(inputs), ",".join(outputs)
                command = [python, "-c", REFERENCE, str(folder / "model.pb"), str(target), *names, transforms]
                subprocess.run(command, check=True, capture_output=True)
                graph: Graph = load(target)
                found[recipe] = {
                    "structure": structure(graph, {*inputs, *outputs}),
                    "constants": [summary(tensor) for tensor in constants(graph, outputs).values()],
                }
                if recipe == "documented":
                    found["results"] = steady_results(target, folder)
            print(folder.name)
    lines = (f"{json.dumps(name)}:{json.dumps(found, separators=(',', ':'))}" for name, found in recorded.items())
    RECORD.write_text("{\n" + ",\n".join(lines) + "\n}\n")


def steady_results(path: Path, folder: Path) -> dict[str, list[float]]:
    """The results of a graph, where they do not hang on rounding; none where TensorFlow refuses the graph."""
    try:
        found = results(path, folder)
    except PbslimError as error:
        print(error)
        return {}
    for seed in range(_TRIES):
        moved = results(with_noise(path, seed), folder)
        for name in list(found):
            if snr(np.array(found[name]), np.array(moved[name])) <= _STEADY:
                del found[name]
    return found


def with_noise(path: Path, seed: int) -> Path:
    """A graph beside this one in which each float constant is a little off."""
    graph: Graph = load(path)
    random, target = np.random.default_rng(seed), path.with_name("moved.pb")
    for node in graph:
        tensor = node.attrs.get("value")
        if isinstance(tensor, Tensor) and tensor.dtype == FLOAT:
            array = tensor.numpy()
            node.set_attr("value", ArrayTensor(array * (1 + _NOISE * random.standard_normal(array.shape)), FLOAT))
    save(graph, target)
    return target


if __name__ == "__main__":
    main(sys.argv[1])
