"""Nodes of Keras applications after the recipe `optimize` and after TensorFlow's own optimizer, Grappler.

Usage:
    python benchmarks/keras_nodes.py [--fixed] [NAME ...]

Each application is made with random weights, frozen with convert_variables_to_constants_v2, and optimized by both.
Grappler runs with the optimizers that a session has by default, for a graph of which only the output is fetched; oneDNN
is off, as its fused ops are internal to TensorFlow. The last columns say how many bytes the recipe saves, and how far
results move, relative to the largest. Needs TensorFlow: pip install 'pbslim[tensorflow]'.
"""

from __future__ import annotations

import argparse
import os
import tempfile
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ["TF_ENABLE_ONEDNN_OPTS"] = "0"

import keras
import numpy as np
import numpy.typing as npt
import tensorflow as tf
from tensorflow.core.protobuf import config_pb2
from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2
from tensorflow.python.grappler import tf_optimizer

from pbslim import shrink
from pbslim.engines import tensorflow

NAMES = ["MobileNetV2", "ResNet50", "EfficientNetB0", "NASNetMobile", "ConvNeXtTiny", "DenseNet121"]


def frozen(name: str, batch: int | None) -> Any:
    """The GraphDef of an application; its batch norms have statistics as if it had been trained."""
    keras.utils.set_random_seed(7)
    values = np.random.default_rng(7)
    model = getattr(keras.applications, name)(weights=None)
    for layer in model.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            shape = layer.moving_mean.shape
            named = {
                "gamma": (0.5, 1.5),
                "beta": (-0.3, 0.3),
                "moving_mean": (-0.3, 0.3),
                "moving_variance": (0.5, 1.5),
            }
            for key, bounds in named.items():
                if getattr(layer, key) is not None:
                    getattr(layer, key).assign(values.uniform(*bounds, shape))
    spec = tf.TensorSpec((batch, *model.input_shape[1:]), tf.float32, name="x")
    function = tf.function(lambda x: model(x, training=False)).get_concrete_function(spec)
    return convert_variables_to_constants_v2(function).graph.as_graph_def()


def grappler(graph_def: Any) -> int:
    """How many nodes TensorFlow's optimizer leaves."""
    with tf.Graph().as_default() as graph:
        tf.import_graph_def(graph_def, name="")
    meta = tf.compat.v1.train.export_meta_graph(graph_def=graph.as_graph_def(), graph=graph)
    meta.collection_def["train_op"].node_list.value.append("Identity")
    return len(tf_optimizer.OptimizeGraph(config_pb2.ConfigProto(), meta).node)


def run(path: Path, images: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """What the graph at `path` answers."""
    answer: npt.NDArray[np.float32] = tensorflow.run(path, {"x": images}, ["Identity"])[0]
    return answer


def main() -> None:
    """Print a row for each application."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", default=NAMES, metavar="NAME")
    parser.add_argument("--fixed", action="store_true", help="a batch of one instead of one of any size")
    options = parser.parse_args()
    print(f"{'application':16} {'frozen':>7} {'Grappler':>9} {'optimize':>9} {'bytes':>10} {'difference':>11}")
    with tempfile.TemporaryDirectory() as folder:
        before, after = Path(folder) / "frozen.pb", Path(folder) / "optimized.pb"
        for name in options.names:
            graph_def = frozen(name, 1 if options.fixed else None)
            before.write_bytes(graph_def.SerializeToString())
            result = shrink(before, after, "optimize")
            size = graph_def.node[0].attr["shape"].shape.dim[1].size
            images = np.random.default_rng(1).uniform(0, 1, (1, size, size, 3)).astype(np.float32)
            answers = [run(path, images) for path in (before, after)]
            difference = np.abs(answers[1] - answers[0]).max() / np.abs(answers[0]).max()
            saved = result.after.size - result.before.size
            counts = f"{result.before.nodes:7} {grappler(graph_def):9} {result.after.nodes:9}"
            print(f"{name:16} {counts} {saved:+10} {difference:11.1e}", flush=True)


if __name__ == "__main__":
    main()
