"""Graphs that TensorFlow builds and runs, and that the builtin engine must run to the same values."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

import pbslim
from pbslim.engines import engine


def build(make: Callable[[Any], Any], *, old: bool) -> tuple[Any, list[str]]:
    """The GraphDef that `make` builds, and the names of the tensors that it returns.

    Args:
        make: gets TensorFlow's module.
        old: with Switch and Merge, and not with functions.
    """
    import tensorflow as tf

    v1 = tf.compat.v1
    (v1.disable_control_flow_v2 if old else v1.enable_control_flow_v2)()
    try:
        with tf.Graph().as_default() as graph:
            names = [tensor.name for tensor in make(tf)]
            return graph.as_graph_def(), names
    finally:
        v1.enable_control_flow_v2()


def check(graph_def: Any, fetches: Sequence[str], feeds: Mapping[str, Any], *, tolerance: float = 1e-6) -> None:
    """Both give the same for these feeds: dtype, shape and values."""
    graph = pbslim.load(bytes(graph_def.SerializeToString()))
    assert engine("builtin").unsupported(graph, fetches, list(feeds)) == []
    with engine("tensorflow").load(graph) as program:
        expected = program.run(feeds, fetches)
    with engine("builtin").load(graph) as program:
        for _ in range(2):  # a plan serves many runs
            found = program.run(feeds, fetches)
            for name, mine, theirs in zip(fetches, found, expected, strict=True):
                assert mine.dtype == theirs.dtype, name
                assert mine.shape == theirs.shape, name
                if mine.dtype.kind in "fc":
                    largest = float(np.abs(theirs).max(initial=0))
                    np.testing.assert_allclose(mine, theirs, rtol=0, atol=tolerance * max(largest, 1))
                else:
                    np.testing.assert_array_equal(mine, theirs)
