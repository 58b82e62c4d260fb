from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from pbslim.engines import tensorflow
from pbslim.ir import Graph
from pbslim.wire import save
from tests.graphs import apply, check_refuses, check_transform, parse, show

FOLD = "fold_subdivmul_batch_norms"
STATISTICS = """
    mean = Const([1, 2])
    std = Const([2, 4])
    gamma = Const([3, 8])
    beta = Const([10, 20])
"""
BEFORE = f"""
    x = Placeholder()
    w = Const([[[[1, 2], [3, 4], [5, 6]]]])
    conv = Conv2D(x, w, strides=[1, 1, 1, 1], padding='SAME')
    {STATISTICS}
    sub = Sub(conv, mean)
    div = RealDiv(sub, std)
    mul = Mul(div, gamma)
    y = BiasAdd(mul, beta)
"""
AFTER = """
    x = Placeholder()
    w = Const([[[[1.5, 4], [4.5, 8], [7.5, 12]]]])
    conv = Conv2D(x, w, strides=[1, 1, 1, 1], padding='SAME')
    beta = Const([8.5, 16])
    y = BiasAdd(conv, beta)
"""


@pytest.mark.parametrize("factors", ["div, gamma", "gamma, div"])
def test_folds(factors: str) -> None:
    check_transform(FOLD, BEFORE.replace("div, gamma", factors) + "-> y", AFTER + "-> y")


def test_the_order_of_the_nodes_and_a_second_run() -> None:
    graph, _ = apply(FOLD, BEFORE + "z = Neg(y)\n-> z")
    assert [node.name for node in graph] == ["x", "w", "conv", "beta", "y", "z"]
    assert show(apply(f"{FOLD} {FOLD}", BEFORE + "-> y")[0]) == show(apply(FOLD, BEFORE + "-> y")[0])


@pytest.mark.tensorflow
def test_the_same_values(tmp_path: Path) -> None:
    pytest.importorskip("tensorflow")
    random = np.random.default_rng(0)
    feeds = {"x": random.normal(size=(2, 5, 4, 3)).astype(np.float32)}

    def run(name: str, graph: Graph) -> np.ndarray:
        save(graph, tmp_path / name)
        return tensorflow.run(tmp_path / name, feeds, ["y"])[0]

    text = BEFORE.replace("[[[[1, 2], [3, 4], [5, 6]]]]", str(random.normal(size=(3, 3, 3, 2)).tolist())) + "-> y"
    want = run("before.pb", parse(text)[0])
    graph, _ = apply(FOLD, text)
    assert len(graph) == 5
    np.testing.assert_allclose(run("after.pb", graph), want, rtol=0, atol=1e-5 * np.abs(want).max())


def test_the_arithmetic_is_the_reference_tools() -> None:
    random = np.random.default_rng(1)
    w, *vectors = (random.normal(size=shape).astype(np.float32) for shape in [(2, 2, 5, 7), *[(7,)] * 4])
    text = BEFORE.replace("[[[[1, 2], [3, 4], [5, 6]]]]", str(w.tolist()))
    for name, vector in zip(("mean", "std", "gamma", "beta"), vectors, strict=True):
        line = next(line for line in STATISTICS.splitlines() if f" {name} =" in line)
        text = text.replace(line, f"{name} = Const({vector.tolist()})")
    mean, std, gamma, beta = vectors
    graph, _ = apply(FOLD, text + "-> y")
    np.testing.assert_array_equal(graph["w"].tensor().numpy(), (w * gamma) / std)
    np.testing.assert_array_equal(graph["beta"].tensor().numpy(), (((0 - mean) * gamma) / std) + beta)


def test_vectors_that_are_shared_stay() -> None:
    graph, _ = apply(FOLD, BEFORE + "z = Neg(mean)\n-> y, z, gamma")
    assert {"mean", "gamma"} < {node.name for node in graph}
    assert "std" not in graph


def test_control_edges_stay() -> None:
    text = BEFORE.replace("Sub(conv, mean", "Sub(conv, mean, ^a").replace("Mul(div, gamma", "Mul(div, gamma, ^b")
    text = text.replace("BiasAdd(mul, beta", "BiasAdd(mul, beta, ^c").replace("[10, 20]", "[10, 20], ^d")
    graph, _ = apply(FOLD, "".join(f"{name} = NoOp()\n" for name in "abcd") + text + "-> y, a, b, c, d")
    assert {node.name for node in graph["y"].controls} == {"a", "b", "c"}
    assert [node.name for node in graph["beta"].controls] == ["d"]


@pytest.mark.parametrize(
    ("graph", "reason"),
    [
        (BEFORE + "z = Neg(conv)\n-> y, z", "'conv' is read by 'z'"),
        (BEFORE + "z = Neg(sub)\n-> y, z", "'sub' is read by 'z'"),
        (BEFORE + "z = Neg(w)\n-> y, z", "'w' is read by 'z'"),
        (BEFORE + "z = Neg(beta)\n-> y, z", "'beta' is read by 'z'"),
        (BEFORE + "-> y, mul", "'mul' is an output"),
        (BEFORE.replace("mul, beta", "mul, beta, ^sub") + "-> y", "'y' waits for 'sub'"),
        (BEFORE.replace("padding", "data_format='NCHW', padding") + "-> y", "channels of 'conv', which are first"),
        (BEFORE.replace("mul, beta", "mul, beta, data_format='NCHW'") + "-> y", "channels of 'y', which are first"),
        (BEFORE.replace("[2, 4]", "[2]") + "-> y", "std has shape [1], expected [2]"),
        (BEFORE.replace("[[[[1, 2], [3, 4], [5, 6]]]]", "[1, 2]") + "-> y", "weights have shape [2]"),
        (BEFORE.replace("[2, 4]", "[2, 0]") + "-> y", "not finite"),
        (BEFORE.replace("[3, 8]", "[3, 8], dtype='double'") + "-> y", "gamma are double"),
    ],
)
def test_refuses(graph: str, reason: str) -> None:
    check_refuses(FOLD, graph, reason)


def test_an_inner_node_that_is_fed() -> None:
    graph, results = apply(FOLD, BEFORE + "-> y", inputs=["x", "div"])
    assert show(graph) == show(parse(BEFORE)[0])
    assert "'div' is an input" in results[0].skipped[0].reason
