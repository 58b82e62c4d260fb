"""The gradients that are added to a graph are those that TensorFlow computes, op by op."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import pbslim
from pbslim.engines import engine
from pbslim.gradients import Tape, add_gradients
from pbslim.gradients.registry import RULES, WITHOUT_GRADIENT
from pbslim.ir import Graph

pytestmark = pytest.mark.tensorflow

pytest.importorskip("tensorflow")

SHAPE = (2, 6, 8, 4)
Build = Callable[[Any, Any], Any]


def _numbers(*shape: int, seed: int = 1) -> Any:
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)


def _cell(x: Any) -> Any:
    return x[:, 0, 0]


def _activation(op: str, operand: str) -> Build:
    return lambda tf, x: getattr(tf.raw_ops, op)(**{operand: x})


ACTIVATIONS = {
    op: _activation(op, "features") for op in ("Relu", "Relu6", "Elu", "Selu", "Softplus", "Softsign", "LeakyRelu")
} | {op: _activation(op, "x") for op in ("Sigmoid", "Tanh", "Exp", "Square", "Abs", "Neg")}
ARITHMETIC: dict[str, Build] = {
    "steeper leaky relu": lambda tf, x: tf.nn.leaky_relu(x, 0.3),
    "positive numbers": lambda tf, x: tf.math.log(tf.sqrt(x * x + 1)) + tf.raw_ops.Reciprocal(x=tf.exp(x)),
    "reciprocal roots": lambda tf, x: tf.math.rsqrt(x * x + 1),
    "sums": lambda tf, x: tf.add_n([x, tf.raw_ops.Add(x=x, y=x), tf.nn.bias_add(x, _numbers(4)), tf.identity(x)]),
    "a vector meets images": lambda _, x: (_cell(x)[:, None, None] - x) * _cell(x)[:1],
    "broadcast both ways": lambda _, x: x[:, :1] * x[:, :, :1] - x[:, :1, :1],
    "quotients": lambda tf, x: x / (tf.square(x[:, :1]) + 1) + tf.raw_ops.Div(x=x, y=x[:1] + 5),
    "larger and smaller": lambda tf, x: tf.maximum(x, x[:1] * 0.5) + tf.minimum(x, -0.3),
    "squared differences": lambda tf, x: tf.math.squared_difference(x, x[:1] * 0.5),
    "clipped": lambda tf, x: (
        tf.clip_by_value(x, -0.5, 0.7) + tf.raw_ops.ClipByValue(t=x, clip_value_min=-0.2, clip_value_max=0.9)
    ),
    "softmax": lambda tf, x: tf.nn.softmax(x) + tf.nn.log_softmax(x * 2),
    "reductions": lambda tf, x: tf.reduce_sum(x, [1, 2]) + tf.reduce_mean(x, [1, 2]) * tf.reduce_max(x, [1, 2]),
    "kept dimensions": lambda tf, x: tf.reduce_mean(x, [1, 2], keepdims=True) * tf.reduce_min(x, -1, keepdims=True),
    "products": lambda tf, x: tf.reshape(x, [-1, 4]) @ _numbers(4, 5),
    "products of both": lambda tf, x: tf.matmul(_cell(x), x[0, 0], transpose_b=True) @ x[0, 0],
    "turned products": lambda tf, x: tf.matmul(_cell(x), x[0, :2, 0], True),
    "products turned twice": lambda tf, x: tf.matmul(x[0, 0], _cell(x) @ _numbers(4, 8), True, True),
    "batches of products": lambda tf, x: (
        tf.matmul(x, x, transpose_b=True) + tf.raw_ops.BatchMatMul(x=x, y=tf.transpose(x, [0, 1, 3, 2]))
    ),
    "batches turned": lambda tf, x: tf.matmul(x, x, transpose_a=True),
    "without gradient": lambda tf, x: x * tf.cast(tf.greater(x, 0.1), "float32") + tf.stop_gradient(x) * tf.floor(x),
    "cast to itself": lambda tf, x: tf.raw_ops.Cast(x=x, DstT=tf.float32) * 2,
    "checked": lambda tf, x: (
        tf.debugging.check_numerics(x, "") + tf.raw_ops.PlaceholderWithDefault(input=x, shape=SHAPE)
    ),
}
ARRAYS: dict[str, Build] = {
    "shapes": lambda tf, x: tf.squeeze(tf.expand_dims(tf.reshape(x, [2, -1]), 1), 1),
    "turned": lambda tf, x: tf.transpose(x, [3, 0, 2, 1]),
    "padded": lambda tf, x: (
        tf.pad(x, [[0, 0], [1, 2], [3, 0], [0, 1]])
        + tf.pad(x, tf.constant([[0, 0], [2, 1], [0, 3], [1, 0]], "int64"), constant_values=1.0)
    ),
    "mirrored": lambda tf, x: tf.pad(x, [[0, 0], [1, 2], [3, 0], [0, 0]], "REFLECT"),
    "a part": lambda tf, x: (
        tf.slice(x, [0, 1, 2, 0], [2, 3, 4, -1])
        * tf.slice(x, tf.constant([0, 2, 0, 0], "int64"), tf.constant([2, 3, 4, 4], "int64"))
    ),
    "parts with strides": lambda tf, x: x[:, ::2, 1::3] + x[:, -1:0:-2, tf.newaxis, 2, :],
    "joined": lambda tf, x: tf.concat([x, x[:, :2] * 2, x], 1),
    "joined at the end": lambda tf, x: tf.concat([x, x[..., :2]], -1),
    "joined in the old way": lambda tf, x: tf.raw_ops.Concat(concat_dim=2, values=[x, x * 3]),
    "split": lambda tf, x: tf.split(x, 2, axis=3)[1] * 2,
    "split unevenly": lambda tf, x: tf.split(x, [1, 2, 3], axis=1)[2] + tf.split(x, [1, 2, 3], axis=1)[0],
    "stacked": lambda tf, x: tf.stack([x, x * 2], axis=2),
    "unstacked": lambda tf, x: tf.unstack(x, axis=1)[3] * 2,
    "blocks": lambda tf, x: tf.nn.space_to_depth(x, 2),
    "blocks back": lambda tf, x: tf.nn.depth_to_space(x, 2),
    "batches": lambda tf, x: tf.space_to_batch(x, [2, 2], [[1, 1], [0, 2]]),
    "batches back": lambda tf, x: tf.batch_to_space(tf.concat([x, x], 0), [2, 2], [[1, 0], [0, 1]]),
    "chosen": lambda tf, x: tf.where(x > 0, x * 2, x * x) + tf.compat.v1.where(x > 1, x, x * 3),
}
NEURAL: dict[str, Build] = {
    "convolution": lambda tf, x: tf.nn.conv2d(x, _numbers(3, 3, 4, 5), 2, "SAME"),
    "padded explicitly": lambda tf, x: tf.nn.conv2d(x, _numbers(3, 3, 4, 5), 2, [[0, 0], [1, 0], [2, 1], [0, 0]]),
    "depthwise": lambda tf, x: tf.nn.depthwise_conv2d(x, _numbers(3, 3, 4, 2), [1, 2, 2, 1], "SAME"),
    "transposed": lambda tf, x: tf.nn.conv2d_transpose(x, _numbers(3, 3, 5, 4), [2, 12, 16, 5], 2),
    "mean pool": lambda tf, x: tf.nn.avg_pool2d(x, 3, 2, "SAME"),
    "max pool": lambda tf, x: tf.nn.max_pool2d(x, [2, 3], [2, 1], "VALID"),
    "normalized": lambda tf, x: (
        tf.compat.v1.nn.fused_batch_norm(
            x, *np.abs(_numbers(2, 4)), *np.abs(_numbers(2, 4, seed=2)), is_training=False
        )[0]
        + tf.raw_ops.FusedBatchNorm(
            x=x, scale=[1.0, 2, 3, 4], offset=[0.0] * 4, mean=[0.0] * 4, variance=[1.0, 2, 3, 4], is_training=False
        ).y
        + tf.raw_ops.FusedBatchNormV2(
            x=x, scale=[1.0, 2, 3, 4], offset=[0.0] * 4, mean=[0.0] * 4, variance=[1.0, 2, 3, 4], is_training=False
        ).y
    ),
    "larger": lambda tf, x: (
        tf.compat.v1.image.resize_bilinear(x, [9, 13]) + tf.compat.v1.image.resize_nearest_neighbor(x, [9, 13])
    ),
    "smaller": lambda tf, x: (
        tf.compat.v1.image.resize_bilinear(x, [3, 5], align_corners=True)
        + tf.compat.v1.image.resize_nearest_neighbor(x, [3, 5], half_pixel_centers=True)
    ),
}
CASES = ACTIVATIONS | ARITHMETIC | ARRAYS | NEURAL


def _built(build: Build) -> tuple[Graph, Any, Any]:
    """The graph of a function of x, and its value and gradient for some numbers by TensorFlow, with the seeds."""
    import tensorflow as tf

    with tf.Graph().as_default() as made, tf.compat.v1.Session() as session:
        x = tf.compat.v1.placeholder("float32", SHAPE, "x")
        y = tf.identity(build(tf, tf.identity(x, "start")), "y")
        plain = bytes(made.as_graph_def().SerializeToString())
        seeds = tf.compat.v1.placeholder("float32", y.shape)
        gradient = tf.compat.v1.gradients(y, made.get_tensor_by_name("start:0"), seeds)[0]
        weights = _numbers(*y.shape, seed=3)
        expected = session.run(gradient, {x: 2 * _numbers(*SHAPE), seeds: weights})
    return pbslim.load(plain), expected, weights


@pytest.mark.parametrize("case", CASES)
def test_gradients_are_those_of_tensorflow(case: str) -> None:
    graph, expected, weights = _built(CASES[case])
    tape = Tape(graph)
    seed, start = tape.placeholder(), graph["start"].output()
    found = add_gradients(tape, {graph["y"].output(): seed}, {start})[start]
    for name in ("builtin", "tensorflow"):
        with engine(name).load(graph) as program:
            gradient = program.run({"x": 2 * _numbers(*SHAPE), seed.name: weights}, [found.name])[0]
        np.testing.assert_allclose(gradient, expected, rtol=0, atol=2e-5 * np.abs(expected).max())


def test_each_rule_has_a_case() -> None:
    used = {node.op for build in CASES.values() for node in _built(build)[0]}
    assert RULES.keys() - used == set()
    assert not RULES.keys() & WITHOUT_GRADIENT
