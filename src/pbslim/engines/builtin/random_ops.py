"""Ops that draw random numbers, from TensorFlow's generator with the op's seeds.

A node with no seeds gets some by its name: its numbers differ from those of others, but not from run to run.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable
from typing import Any, TypeAlias

import numpy as np

from pbslim.dtypes import FLOAT, INT64
from pbslim.engines.builtin.actions import action
from pbslim.engines.builtin.scope import Action, CannotRun, Scope
from pbslim.ir import Node
from pbslim.kernels.checks import Array, checked_shape, require, scalar, vector
from pbslim.kernels.philox import Philox, normal, truncated_normal, uniform, uniform_integers

Draw: TypeAlias = Callable[[Philox, int, "np.dtype[Any]"], Array]
_DRAWS: dict[str, Draw] = {
    "RandomUniform": uniform,
    "RandomStandardNormal": normal,
    "TruncatedNormal": truncated_normal,
}


_SET_ASIDE = 256  # blocks for each number that an op draws, whether it needs them or not


class _Stream:
    """The numbers of one node: each time it runs it goes on, and a new run of the program begins anew."""

    def __init__(self, node: Node, scope: Scope) -> None:
        attrs = scope.attributes(node)
        self._node, self._shared = node, scope.shared
        seeds = attrs.integer("seed", 0), attrs.integer("seed2", 0)
        self._start = Philox.seeded(*(seeds if any(seeds) else (zlib.crc32(node.name.encode()), 1)))

    def take(self, count: int) -> Philox:
        """Where the next `count` numbers come from."""
        drawn = self._shared.run.draws
        done = drawn.get(self._node, 0)
        drawn[self._node] = done + count * _SET_ASIDE
        return self._start.skipped(done)

    def numpy(self, count: int) -> np.random.Generator:
        """The same for distributions that TensorFlow draws in another way."""
        stream = self.take(count)
        return np.random.default_rng([stream.key, stream.counter])


@action(*_DRAWS)
def _random(node: Node, scope: Scope) -> Action:
    dtype, draw = scope.attributes(node).array_dtype("dtype", FLOAT), _DRAWS[node.op]
    if dtype.kind not in "fV" and dtype.name != "bfloat16":
        raise CannotRun(node, f"it draws no {dtype}")
    stream = _Stream(node, scope)

    def run(values: list[Any]) -> list[Any]:
        shape = checked_shape(vector(values[0], "shape"))
        count = int(np.prod(shape, dtype=np.int64))
        return [draw(stream.take(count), count, dtype).reshape(shape)]

    return run


@action("RandomUniformInt")
def _random_integers(node: Node, scope: Scope) -> Action:
    stream = _Stream(node, scope)

    def run(values: list[Any]) -> list[Any]:
        shape = checked_shape(vector(values[0], "shape"))
        count = int(np.prod(shape, dtype=np.int64))
        low, high = int(scalar(values[1], "minval")), int(scalar(values[2], "maxval"))
        return [uniform_integers(stream.take(count), count, low, high, values[1].dtype).reshape(shape)]

    return run


@action("RandomShuffle")
def _shuffle(node: Node, scope: Scope) -> Action:
    """Rows in another order; every order is as likely."""
    stream = _Stream(node, scope)
    return lambda values: [stream.numpy(len(values[0])).permutation(values[0])] if values[0].ndim else values


@action("Multinomial")
def _multinomial(node: Node, scope: Scope) -> Action:
    """Classes by their unnormalized log probabilities, so many for each row."""
    dtype = scope.attributes(node).array_dtype("output_dtype", INT64)
    stream = _Stream(node, scope)

    def run(values: list[Any]) -> list[Any]:
        logits, count = values[0], int(scalar(values[1], "num_samples"))
        require(logits.ndim == 2 and logits.shape[1] and count >= 0, "logits must be a matrix, num_samples positive")
        rows, classes = logits.shape
        checked_shape([rows, count, classes])
        gumbel = stream.numpy(rows * count).gumbel(size=(rows, count, classes))
        return [(logits[:, None].astype(np.float64) + gumbel).argmax(-1).astype(dtype)]

    return run


@action("RandomGamma")
def _gamma(node: Node, scope: Scope) -> Action:
    stream = _Stream(node, scope)

    def run(values: list[Any]) -> list[Any]:
        shape = checked_shape([*vector(values[0], "shape"), *values[1].shape])
        return [stream.numpy(int(np.prod(shape))).gamma(values[1], size=shape).astype(values[1].dtype)]

    return run


@action("RandomPoisson", "RandomPoissonV2")
def _poisson(node: Node, scope: Scope) -> Action:
    dtype = scope.attributes(node).array_dtype("dtype", INT64)
    stream = _Stream(node, scope)

    def run(values: list[Any]) -> list[Any]:
        shape = checked_shape([*vector(values[0], "shape"), *values[1].shape])
        return [stream.numpy(int(np.prod(shape))).poisson(values[1], size=shape).astype(dtype)]

    return run
