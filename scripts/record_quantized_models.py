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

sys.path.insert(0, str(Path(__file__).parents[1]))

from pbslim import load
from pbslim.errors import PbslimError
from pbslim.ir import Graph
from tests.models.test_quantize_nodes import RECIPES, RECORD, endpoints, results
from tests.shared import models
from tests.structure import structure

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
                found[recipe] = structure(graph, {*inputs, *outputs})
                if recipe == "documented":
                    found["results"] = runs(target, folder)
            print(folder.name)
    RECORD.write_text(json.dumps(recorded, indent=1) + "\n")


def runs(path: Path, folder: Path) -> dict[str, list[float]] | None:
    """The results of a graph, None where the reference made one that TensorFlow refuses."""
    try:
        return results(path, folder)
    except PbslimError as error:
        print(error)
        return None


if __name__ == "__main__":
    main(sys.argv[1])
