"""The blocks of which today's image models are made: no more nodes are left than TensorFlow's own optimizer leaves.

``benchmarks/keras_nodes.py`` does the same for whole applications.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import pbslim

tf = pytest.importorskip("tensorflow")
pytestmark = pytest.mark.tensorflow

CHANNELS = 8
Block = Callable[[Any], Any]


def weights(*shape: int) -> Any:
    return tf.constant(np.random.default_rng(sum(shape)).normal(0, 0.4, shape), tf.float32)


def normalized(x: Any) -> Any:
    """A batch norm as Keras 3 freezes it."""
    scale, shift = (tf.identity(weights(1, 1, 1, CHANNELS) + k) for k in (1.0, 0.1))
    factor = tf.math.rsqrt(tf.abs(scale) + 1e-3) * scale
    return x * factor + (shift - shift * factor)


def swish(x: Any) -> Any:
    """Convolution, batch norm and swish, with the multiplication by a beta of one and the IdentityN."""
    return tf.nn.silu(normalized(tf.nn.conv2d(x, weights(3, 3, CHANNELS, CHANNELS), 1, "SAME")))


def squeeze_and_excite(x: Any) -> Any:
    """Squeeze, excite: the reshape to a computed shape that brings two dimensions back."""
    squeezed = tf.reduce_mean(x, [1, 2])
    squeezed = tf.reshape(squeezed, tf.stack([tf.shape(squeezed)[0], 1, 1, CHANNELS]))
    reduced = tf.nn.bias_add(tf.nn.conv2d(squeezed, weights(1, 1, CHANNELS, 4), 1, "SAME"), weights(4))
    excited = tf.nn.conv2d(tf.nn.silu(reduced), weights(1, 1, 4, CHANNELS), 1, "SAME")
    return x * tf.sigmoid(tf.nn.bias_add(excited, weights(CHANNELS)))


def layer_norm(x: Any) -> Any:
    mean, variance = tf.nn.moments(x, [-1], keepdims=True)
    factor = tf.math.rsqrt(variance + 1e-6) * weights(1, 1, 1, CHANNELS)
    return x * factor + (-mean * factor + weights(1, 1, 1, CHANNELS))


def dense(x: Any) -> Any:
    """A Dense layer on four dimensions: transposes, shapes, products of shapes and reshapes; then a GELU."""
    product = tf.tensordot(x, weights(CHANNELS, CHANNELS), [[3], [0]])
    return tf.nn.gelu(tf.nn.bias_add(product, weights(CHANNELS)))


def preprocessing(x: Any) -> Any:
    """Rescaling and normalization that change nothing, as Keras makes them without weights."""
    return (x * 1.0 + 0.0 - tf.zeros([1, 1, 1, CHANNELS])) / tf.ones([1, 1, 1, CHANNELS])


def shared(x: Any) -> Any:
    """Branches that begin alike."""
    branches = [tf.nn.conv2d(tf.nn.relu(x), weights(1, 1, CHANNELS, CHANNELS) + k, 1, "SAME") for k in range(3)]
    return tf.concat(branches, 3)[..., :CHANNELS]


BLOCKS: list[Block] = [swish, squeeze_and_excite, layer_norm, dense, preprocessing, shared]


def frozen(*blocks: Block) -> Any:
    with tf.Graph().as_default() as graph:
        x = tf.compat.v1.placeholder(tf.float32, [None, 6, 6, CHANNELS], "x")
        y = tf.nn.relu(x)
        for block in blocks:
            y = block(y)
        tf.identity(tf.nn.relu(y), "y")
    return graph.as_graph_def()


def grappler(graph_def: Any) -> int:
    from tensorflow.core.protobuf import config_pb2
    from tensorflow.python.grappler import tf_optimizer

    with tf.Graph().as_default() as graph:
        tf.import_graph_def(graph_def, name="")
    meta = tf.compat.v1.train.export_meta_graph(graph_def=graph_def, graph=graph)
    meta.collection_def["train_op"].node_list.value.append("y")
    return len(tf_optimizer.OptimizeGraph(config_pb2.ConfigProto(), meta).node)


@pytest.mark.parametrize(
    "blocks", [*((block,) for block in BLOCKS), tuple(BLOCKS)], ids=[*(b.__name__ for b in BLOCKS), "all"]
)
def test_no_more_nodes_than_grappler_leaves(blocks: tuple[Block, ...], tmp_path: Path) -> None:
    from pbslim.engines import tensorflow

    graph_def = frozen(*blocks)
    before, after = tmp_path / "before.pb", tmp_path / "after.pb"
    before.write_bytes(graph_def.SerializeToString())
    result = pbslim.shrink(before, after, "optimize", outputs=["y"])
    assert result.after.nodes <= grappler(graph_def)
    assert result.after.size <= result.before.size
    assert not [node.op for node in pbslim.load(after) if node.op.startswith("_")]
    images = np.random.default_rng(0).uniform(-1, 1, (2, 6, 6, CHANNELS)).astype(np.float32)
    wanted, found = (tensorflow.run(path, {"x": images}, ["y"])[0] for path in (before, after))
    np.testing.assert_allclose(found, wanted, rtol=0, atol=1e-5 * float(np.abs(wanted).max()))
