"""Engines are chosen by name, and the builtin one runs graphs without loops."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import pbslim
from pbslim.engines import ENGINES, choose, engine
from pbslim.errors import UsageError
from tests import graphs
from tests.shared import SHARED, needs_shared

PRODUCT = """
    x = Placeholder(shape=[2, 2])
    w = Const([[1, 2], [3, 4]])
    y = MatMul(x, w)
    z = Relu(y)
    -> z
"""
UNKNOWN = "x = Placeholder()\ny = Frobnicate(x)\nz = Relu(x)"


@pytest.mark.tensorflow
@pytest.mark.parametrize("name", ENGINES)
def test_each_engine_runs_a_graph_and_a_file(name: str, tmp_path: Path) -> None:
    chosen = engine(name)
    if problem := chosen.missing():
        pytest.skip(problem)
    graph = graphs.parse(PRODUCT)[0]
    pbslim.save(graph, tmp_path / "g.pb")
    x = np.array([[1, -2], [0, 1]], np.float32)
    for source in (graph, tmp_path / "g.pb"):
        with chosen.load(source) as program:
            found = program.run({"x": x}, ["z", "y:0"])
            np.testing.assert_array_equal(found[0], [[0, 0], [3, 4]])
            np.testing.assert_array_equal(found[1], [[-5, -6], [3, 4]])
            if not chosen.inner_tensors:
                continue
            [cut] = program.run({"y": x}, ["z"])
            np.testing.assert_array_equal(cut, [[1, 0], [0, 1]])


def test_auto_is_the_builtin_engine_where_it_has_all_kernels() -> None:
    assert choose("auto", graphs.parse(PRODUCT)[0], ["z"]).name == "builtin"
    assert choose("auto", graphs.parse(UNKNOWN)[0], ["z"]).name == "builtin"  # the op without a kernel is not needed


def test_what_an_engine_cannot_run_is_said_by_node_and_op() -> None:
    graph = graphs.parse(UNKNOWN)[0]
    [blocked] = engine("builtin").unsupported(graph, ["y", "z"])
    assert str(blocked) == "node 'y' (Frobnicate): there is no kernel for this op"
    with pytest.raises(UsageError, match="the builtin engine cannot run node 'y'"):
        choose("auto", graph, ["y"])


def test_an_unknown_engine_and_an_unknown_name() -> None:
    with pytest.raises(UsageError, match=r"unknown engine 'torch' \(known: auto, builtin"):
        engine("torch")
    with pytest.raises(UsageError, match="the graph has no node 'nowhere'"):
        choose("builtin", graphs.parse(PRODUCT)[0], ["nowhere"])


def test_a_feed_that_is_missing() -> None:
    with (
        engine("builtin").load(graphs.parse(PRODUCT)[0]) as program,
        pytest.raises(UsageError, match="no value is fed for input 'x'"),
    ):
        program.run({}, ["z"])


@needs_shared
def test_a_model_without_loops() -> None:
    folder = SHARED / "models" / "digits_conv"
    with np.load(folder / "feeds.npz") as feeds, np.load(folder / "expected.npz") as expected:
        with engine("builtin").load(folder / "model.pb") as program:
            found = program.run(dict(feeds), list(expected))
        for name, got in zip(expected, found, strict=True):
            np.testing.assert_allclose(got, expected[name], rtol=0, atol=1e-4)
