"""Weights whose range is empty or so narrow that TensorFlow, which flushes denormals, cannot tell its levels apart."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import pbslim
from pbslim.errors import TransformError
from pbslim.ir import ArrayTensor, Graph
from tests.graphs import check_refuses, parse

MODEL = """
    x = Placeholder(shape=[2, 32])
    w = Const([[0]])
    b = Const([0])
    m = MatMul(x, w, transpose_a=False, transpose_b=False)
    a = BiasAdd(m, b)
    y = Tanh(a)
    -> y
"""
WEIGHTS = {
    "zero": np.zeros(1024),
    "denormal": np.linspace(-1e-39, 1e-39, 1024),
    "smallest normal": np.full(1024, 1.2e-38),
    "positive": np.linspace(0, 1e-37, 1024),
    "negative": np.linspace(-3e-37, -1e-37, 1024),
    "around zero": np.linspace(-1e-36, 1e-36, 1024),
    "just wide enough": np.linspace(-1e-29, 1e-29, 1024),
}
TRANSFORMS = {
    "weights": "quantize_weights",
    "ops": "quantize_weights quantize_nodes strip_unused_nodes",
    "biases too": "quantize_weights(minimum_size=16) quantize_nodes strip_unused_nodes",
}


def model(name: str) -> Graph:
    graph, _ = parse(MODEL)
    graph["w"].set_attr("value", ArrayTensor(WEIGHTS[name].astype(np.float32).reshape(32, 32)))
    graph["b"].set_attr("value", ArrayTensor(np.zeros(32, np.float32)))
    return graph


@pytest.mark.tensorflow
@pytest.mark.parametrize("name", WEIGHTS)
def test_they_decode_to_zero(name: str, tmp_path: Path) -> None:
    pytest.importorskip("tensorflow")
    from pbslim.engines import tensorflow

    graphs = []
    for text in TRANSFORMS.values():
        graphs.append(model(name))
        pbslim.transform(graphs[-1], text, ["x"], ["y"])
    for mode in ("weights", "eightbit", "weights_rounded"):
        graphs.append(model(name))
        pbslim.quantize_graph(graphs[-1], ["y"], mode)
    feeds = {"x": np.linspace(-2, 2, 64, dtype=np.float32).reshape(2, 32)}
    for graph in graphs:
        pbslim.save(graph, tmp_path / "graph.pb")
        (result,) = tensorflow.run(tmp_path / "graph.pb", feeds, ["y"])
        assert np.abs(result).max() < 1e-27  # NaN fails


def test_a_fake_quantization_to_such_a_range_stays() -> None:
    text = """
        x = Placeholder()
        low = Const(0)
        high = Const(1e-37)
        y = FakeQuantWithMinMaxVars(x, low, high)
        -> y
    """
    check_refuses("quantize_nodes", text, "its range from 0 to 1e-37 is too narrow for codes")


@pytest.mark.parametrize("name", ["input", "fallback"])
def test_such_a_range_cannot_be_given(name: str) -> None:
    graph, outputs = parse("x = Placeholder()\ny = Relu(x)\n-> y")
    with pytest.raises(TransformError, match=f"{name}_min=0 and {name}_max=1e-37 are too close together for codes"):
        pbslim.transform(graph, f"quantize_nodes({name}_min=0, {name}_max=1e-37)", ["x"], outputs)
