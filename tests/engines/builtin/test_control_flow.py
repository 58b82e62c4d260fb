"""Branches and loops, of both generations, run as in TensorFlow."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from tests.engines.builtin.against_tensorflow import build, check

pytestmark = pytest.mark.tensorflow

pytest.importorskip("tensorflow")

X = np.array([[1, -2, 3], [0.5, 4, -1]], np.float32)
Build = Callable[[Any], Any]


def _inputs(tf: Any) -> tuple[Any, Any]:
    return tf.compat.v1.placeholder("float32", [None, 3], "x"), tf.compat.v1.placeholder("int32", [], "n")


def counter(tf: Any) -> Any:
    x, n = _inputs(tf)
    return tf.while_loop(lambda i, _: i < n, lambda i, v: (i + 1, v * 0.5 + x), (0, x))


def swapped(tf: Any) -> Any:
    x, n = _inputs(tf)
    return tf.while_loop(lambda i, _a, _b: i < n, lambda i, a, b: (i + 1, b, a + 1), (0, x, -x))


def growing(tf: Any) -> Any:
    x, n = _inputs(tf)
    shapes = (tf.TensorShape([]), tf.TensorShape([None, 3]))
    return tf.while_loop(
        lambda i, _: i < n, lambda i, v: (i + 1, tf.concat([v, x[:1]], 0)), (0, x), shape_invariants=shapes
    )


def nested(tf: Any) -> Any:
    x, n = _inputs(tf)

    def body(i: Any, v: Any) -> Any:
        inner = tf.while_loop(lambda j, _: j < i, lambda j, w: (j + 1, w + tf.cast(i * j, "float32")), (0, v))
        return i + 1, inner[1] * 0.5

    return tf.while_loop(lambda i, _: i < n, body, (0, x))


def branch(tf: Any) -> Any:
    x, n = _inputs(tf)
    chosen = tf.cond(n > 1, lambda: (x * 2, tf.constant([7, 8])), lambda: (x + 1, tf.constant([9, 9])))
    return [*chosen, tf.add(chosen[0], x)]


def branch_in_loop(tf: Any) -> Any:
    x, n = _inputs(tf)

    def body(i: Any, v: Any) -> Any:
        return i + 1, tf.cond(tf.equal(i % 2, 0), lambda: v + 1, lambda: v * tf.constant(3.0))

    return tf.while_loop(lambda i, _: i < n, body, (0, x))


def loop_in_branch(tf: Any) -> Any:
    x, n = _inputs(tf)

    def loop() -> Any:
        return tf.while_loop(lambda i, _: i < n, lambda i, v: (i + 1, v + x), (0, x))[1]

    return [tf.cond(n > 1, loop, lambda: x), tf.cond(n > 1, lambda: -x, loop)]


def cases(tf: Any) -> Any:
    x, n = _inputs(tf)
    return [tf.switch_case(n, [lambda: x, lambda: x * 10, lambda: -x]) + 1]


def rows(tf: Any) -> Any:
    x, _ = _inputs(tf)
    return [tf.map_fn(lambda row: row * row[0], x), tf.scan(lambda a, b: a + b, x), tf.foldr(lambda a, b: a * b, x)]


def recurrent(tf: Any) -> Any:
    x, n = _inputs(tf)
    sequence = tf.reshape(x, [1, -1, 3])
    array = tf.TensorArray("float32", size=tf.shape(sequence)[1], element_shape=[1, 3])
    steps = tf.TensorArray("float32", size=tf.shape(sequence)[1]).unstack(tf.transpose(sequence, [1, 0, 2]))
    _, state, array = tf.while_loop(
        lambda i, *_: i < tf.minimum(n, tf.shape(sequence)[1]),
        lambda i, s, a: (i + 1, tf.tanh(s + steps.read(i)), a.write(i, s)),
        (0, tf.zeros([1, 3]), array),
    )
    return [state, array.stack(), array.size()]


def arrays(tf: Any) -> Any:
    x, _ = _inputs(tf)
    array = tf.TensorArray("float32", size=0, dynamic_size=True, infer_shape=False, clear_after_read=False)
    array = array.write(0, x).write(1, x[:1])
    parts = tf.TensorArray("float32", size=2, infer_shape=False).split(x, [0, tf.shape(x)[0]])
    scattered = tf.TensorArray("float32", size=4, element_shape=[3]).scatter([2, 0], x[:2])
    return [array.concat(), array.read(1), array.read(1), array.size(), parts.concat(), scattered.gather([2, 1, 0])]


BUILDERS = [counter, swapped, growing, nested, branch, branch_in_loop, loop_in_branch, cases, rows, recurrent, arrays]


@pytest.mark.parametrize("old", [True, False], ids=["old", "functions"])
@pytest.mark.parametrize("make", BUILDERS, ids=lambda make: str(make.__name__))
def test_same_as_tensorflow(make: Build, old: bool) -> None:
    graph_def, names = build(make, old=old)
    for n in (0, 1, 4) if make not in (rows, arrays) else (1,):
        placeholders = {node.name for node in graph_def.node if node.op == "Placeholder"}
        feeds = {name: value for name, value in (("x", X), ("n", np.int32(n))) if name in placeholders}
        check(graph_def, names, feeds)


def test_functions_that_call_functions() -> None:
    def make(tf: Any) -> Any:
        x, n = _inputs(tf)

        @tf.function  # type: ignore[untyped-decorator, unused-ignore]
        def scaled(value: Any, by: Any) -> Any:
            return value * by, tf.reduce_sum(value)

        @tf.function  # type: ignore[untyped-decorator, unused-ignore]
        def twice(value: Any) -> Any:
            first, total = scaled(value, 2.0)
            tf.debugging.assert_greater(tf.size(value), 0)
            return scaled(first, total)

        return [*twice(x), tf.identity(n)]

    graph_def, names = build(make, old=False)
    check(graph_def, names, {"x": X, "n": np.int32(3)})
