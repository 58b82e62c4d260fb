"""The builtin engine runs random graphs, with loops and branches within each other, to TensorFlow's values."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from pbslim.engines import engine
from pbslim.ir.order import ancestors
from pbslim.ops.families import PLACES
from tests.engines.builtin.against_tensorflow import build, check
from tests.property.random_graphs import RandomGraph
from tests.repeating import seeds

pytestmark = pytest.mark.tensorflow

SHAPE = (2, 3)


@pytest.mark.parametrize("seed", seeds(6))
def test_every_tensor_of_a_random_graph(seed: int) -> None:
    made = RandomGraph(seed, steps=20)
    fetches = [node.name for node in made.graph if node.outputs and not any(a.op in PLACES for a in ancestors([node]))]
    with engine("tensorflow").load(made.graph) as program:
        expected = program.run(made.feeds, fetches)
    with engine("builtin").load(made.graph) as program:
        found = program.run(made.feeds, fetches)
    for name, mine, theirs in zip(fetches, found, expected, strict=True):
        assert (mine.dtype, mine.shape) == (theirs.dtype, theirs.shape), name
        if mine.dtype.kind == "f":
            largest = max(float(np.abs(theirs).max(initial=0)), 1)
            np.testing.assert_allclose(mine, theirs, rtol=0, atol=1e-5 * largest, err_msg=name)
        else:
            np.testing.assert_array_equal(mine, theirs, err_msg=name)


class Program:
    """Tensors of one shape, made of each other by random arithmetic, branches and loops."""

    def __init__(self, tf: Any, seed: int) -> None:
        self.tf, self.random = tf, random.Random(seed)  # noqa: S311 - nothing secret

    def tensors(self) -> list[Any]:
        """What the whole program computes from the placeholders ``x`` and ``n``."""
        v1 = self.tf.compat.v1
        x, n = v1.placeholder("float32", SHAPE, "x"), v1.placeholder("int32", [], "n")
        made = [x]
        for _ in range(5):
            made.append(self.step(made, n, 2))
        return made[1:]

    def step(self, made: list[Any], n: Any, depth: int) -> Any:
        """One more tensor."""
        steps: list[Callable[[list[Any], Any, int], Any]] = [self.arithmetic] * 2
        if depth:
            steps += [self.branch, self.loop, self.array, self.choice]
        return self.random.choice(steps)(made, n, depth)

    def block(self, made: list[Any], n: Any, depth: int) -> Any:
        """Some steps, of which the last one counts."""
        inner = list(made)
        for _ in range(self.random.randint(1, 3)):
            inner.append(self.step(inner, n, depth))
        return inner[-1]

    def arithmetic(self, made: list[Any], _n: Any, _depth: int) -> Any:
        """A sum, a product, or a constant."""
        a, b = self.random.choice(made), self.random.choice(made)
        kind = self.random.randrange(5)
        if kind == 4:
            return self.tf.constant(np.full(SHAPE, self.random.uniform(-1, 1), np.float32))
        return self.tf.tanh([a + b, a * b, a - 0.5, self.tf.reverse(a, [1])][kind])

    def branch(self, made: list[Any], n: Any, depth: int) -> Any:
        """A block or another, by a sign."""
        sign = self.tf.reduce_sum(self.random.choice(made)) > self.random.uniform(-1, 1)
        return self.tf.cond(sign, lambda: self.block(made, n, depth - 1), lambda: self.block(made, n, depth - 1) * 0.5)

    def choice(self, made: list[Any], n: Any, depth: int) -> Any:
        """One of three blocks, by a number that may be out of range."""
        blocks = [lambda: self.block(made, n, depth - 1), lambda: made[-1], lambda: self.block(made, n, 0)]
        return self.tf.switch_case(n, blocks)

    def loop(self, made: list[Any], n: Any, depth: int) -> Any:
        """A block over and over."""
        start = self.random.choice(made)
        body = lambda i, v: (i + 1, self.block([*made, v], n, depth - 1) + 0.1)  # noqa: E731
        return self.tf.while_loop(lambda i, _: i < n, body, (0, start))[1]

    def array(self, made: list[Any], n: Any, depth: int) -> Any:
        """What a loop leaves in a TensorArray, added up."""
        start = self.tf.TensorArray("float32", size=n + 1, element_shape=SHAPE)

        def body(i: Any, array: Any) -> Any:
            return i + 1, array.write(i, self.block(made, n, depth - 1) * self.tf.cast(i + 1, "float32"))

        return self.tf.reduce_mean(self.tf.while_loop(lambda i, _: i <= n, body, (0, start))[1].stack(), 0)


@pytest.mark.parametrize("old", [True, False], ids=["old", "functions"])
@pytest.mark.parametrize("seed", seeds(6))
def test_random_control_flow(seed: int, old: bool) -> None:
    graph_def, names = build(lambda tf: Program(tf, seed).tensors(), old=old)
    placeholders = {node.name for node in graph_def.node if node.op == "Placeholder"}
    for n in (0, 1, 3):
        x = np.random.default_rng(seed + n).normal(0, 1, SHAPE).astype(np.float32)
        feeds = {name: value for name, value in (("x", x), ("n", np.int32(n))) if name in placeholders}
        check(graph_def, names, feeds, tolerance=1e-5)
