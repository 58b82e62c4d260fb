"""Weights in loops, branches and functions: what multiplies them, which bias repairs them, and what they read."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import pbslim
from pbslim.analysis.weight_sites import Site, find_sites
from pbslim.compression.model import Model
from pbslim.compression.moments import Moments
from pbslim.engines import Feeds, engine
from pbslim.ir import Graph
from tests.compression.networks import recurrent
from tests.engines.builtin.against_tensorflow import build
from tests.functions import load

TURNS = 4
MATRIX = np.random.default_rng(0).standard_normal((16, 16)).round(3).tolist()
VECTOR = list(range(16))
DOUBLED = {"F(x: float, w: float)": "y = MatMul(x, w)\n-> y = y:product:0"}
DOUBLED["G(x: float, w: float)"] = "y = Add(x, x)\n-> y = y:z:0"
BRANCH = f"""
    x = Placeholder(dtype='float', shape=[-1, 16])
    p = Placeholder(dtype='bool', shape=[])
    w = Const({MATRIX})
    b = Const({VECTOR})
    y = If(p, x, w, then_branch='F', else_branch='G', Tcond='bool', Tin=['float', 'float'], Tout=['float'])
    z = BiasAdd(y, b)
    -> z
"""
OLD_BRANCH = f"""
    x = Placeholder(dtype='float', shape=[-1, 16])
    p = Placeholder(dtype='bool', shape=[])
    w = Const({MATRIX})
    s = Switch(x, p)
    y = MatMul(s:1, w)
    z = Merge(s, y, N=2)
    -> z
"""
LOOP = f"""
    x = Placeholder(dtype='float', shape=[-1, 16])
    w = Const({MATRIX})
    y = While(x, w, T=['float', 'float'], cond='C', body='B')
    z = MatMul(y, w)
    -> z
"""
SMALL = "k = Const(100)\naxes = Const([0, 1], dtype='int32')\ns = Sum(x, axes:output:0)\n"
SMALL += "y = Less(s:output:0, k:output:0)\n-> y: bool = y:z:0"


def _cell(tf: Any) -> Any:
    """A recurrent cell: two products and a bias in each turn."""
    random = np.random.default_rng(1)
    x, n = tf.compat.v1.placeholder("float32", [None, 24], "x"), tf.compat.v1.placeholder("int32", [], "n")
    v, w, b = (tf.constant(random.standard_normal(s) / 4, "float32") for s in ([24, 16], [16, 16], [16]))

    def turn(i: Any, state: Any) -> Any:
        return i + 1, tf.tanh(tf.nn.bias_add(tf.matmul(x, v) + tf.matmul(state, w), b))

    return [tf.identity(tf.while_loop(lambda i, _: i < n, turn, (0, tf.zeros([tf.shape(x)[0], 16])))[1], "y")]


def _model(graph: Graph, outputs: list[str], name: str = "builtin") -> Model:
    inputs = [node.name for node in graph if node.op == "Placeholder"]
    return Model.of(graph, engine(name).load(graph), inputs, outputs, engine=name)


def _sites(main: str, functions: dict[str, str]) -> dict[str, Site]:
    return {site.name: site for site in find_sites(load(main, functions))}


@pytest.mark.tensorflow
@pytest.mark.parametrize("old", [True, False], ids=["old", "functions"])
def test_moments_in_a_loop_are_those_of_all_turns(old: bool) -> None:
    pytest.importorskip("tensorflow")
    graph = pbslim.load(bytes(build(_cell, old=old)[0].SerializeToString()))
    random = np.random.default_rng(0)
    samples = [{"x": random.standard_normal((3, 24)).astype("f4"), "n": np.array(TURNS)} for _ in range(2)]
    model = _model(graph, ["y"])
    found = {site.size: (site, model.moments(samples)[site.name]) for site in model.sites}
    with engine("tensorflow").load(graph) as program:
        states = [program.run({**each, "n": np.array(k)}, ["y"])[0] for each in samples for k in range(TURNS)]
    rows = {16 * 16: np.concatenate(states), 24 * 16: np.concatenate([each["x"] for each in samples])}
    assert found.keys() == rows.keys()
    for size, (site, moments) in found.items():
        assert site.bias is not None
        assert moments.rows == 2 * 3 * TURNS
        np.testing.assert_allclose(moments.mean, rows[size].mean(axis=0), atol=1e-5)
        np.testing.assert_allclose(moments.second[0], np.cov(rows[size].T, bias=True), atol=1e-4)
    assert len({site.bias for site, _ in found.values()}) == 1
    assert _model(graph, ["y"], "tensorflow").moments(samples) == {}


@pytest.mark.tensorflow
@pytest.mark.parametrize("old", [True, False], ids=["old", "functions"])
def test_a_bias_repairs_the_mean_of_all_products_that_it_is_added_to(old: bool) -> None:
    pytest.importorskip("tensorflow")
    graph = pbslim.load(bytes(build(_cell, old=old)[0].SerializeToString()))
    x = 1 + np.random.default_rng(0).standard_normal((256, 24)).astype("f4") / 2
    sample: Feeds = {"x": x, "n": np.array(2)}
    model = _model(graph, ["y"])
    rounded = {each.site.name: each.round(1.0) for each in model.rounders(model.moments([sample]))}
    (bias,) = model.biases(rounded)
    shifts = [each.shift for each in rounded.values() if each.shift is not None]
    before = graph[bias].tensor().numpy()
    assert len(shifts) == 2
    np.testing.assert_allclose(model.biases(rounded)[bias] - before, sum(shifts), atol=0.05 * np.abs(shifts).max())
    with engine("tensorflow").load(graph) as program:
        content = model.content(rounded, alone=True)
        changed: list[Feeds] = [{}, content, {**content, bias: before}]
        runs = [program.run({**sample, **feeds}, ["y"])[0] for feeds in changed]
    right, repaired, plain = (run.mean(axis=0) for run in runs)
    assert np.abs(repaired - right).mean() < 0.7 * np.abs(plain - right).mean()


@pytest.mark.parametrize("main", [BRANCH, OLD_BRANCH], ids=["functions", "old"])
def test_a_branch_that_is_not_taken_has_no_moments(main: str) -> None:
    graph = load(main, DOUBLED)
    model, x = _model(graph, ["z"]), np.random.default_rng(0).standard_normal((5, 16)).astype("f4")
    assert model.moments([{"x": x, "p": np.array(False)}]) == {}
    found = model.moments([{"x": x, "p": np.array(False)}, {"x": 2 * x, "p": np.array(True)}])
    assert found["w"].rows == 5
    np.testing.assert_allclose(found["w"].second[0], 4 * x.T @ x / 5, rtol=1e-4, atol=1e-4)


def test_what_a_node_reads_may_be_overwritten_afterwards() -> None:
    """The engine reuses the memory of what nothing else reads."""
    graph = recurrent()
    model, x = _model(graph, ["y"]), np.random.default_rng(0).standard_normal((3, 32)).astype("f4")
    weights, state = graph["weights"].tensor().numpy(), graph["start"].tensor().numpy()
    rows = []
    for row in x:
        rows.append(state)
        state = np.tanh(state @ weights + row)
    found: Moments = model.moments([{"x": x}])["weights"]
    np.testing.assert_allclose(found.mean, np.concatenate(rows).mean(axis=0), atol=1e-5)
    assert found.rows == 3


def test_a_product_that_no_result_needs_is_not_seen() -> None:
    body = {"B(x: float, w: float)": "y = MatMul(x, w)\none = Const(1)\nz = Add(x, one:output:0)\n-> z = z:z:0, w = w"}
    graph = load(LOOP, body | {"C(x: float, w: float)": SMALL})
    model = _model(graph, ["z"])
    inner = graph.library.functions["B"].body().graph["y"]
    assert {use.node for use in model.site("w").uses} == {inner, graph["z"]}
    found = model.moments([{"x": np.zeros((1, 16), np.float32)}])["w"]
    assert found.rows == 1
    np.testing.assert_array_equal(found.mean, np.full(16, 7.0))  # the last of 7 turns is the first beyond 100


@pytest.mark.parametrize(
    ("returned", "kind"),
    [
        ("-> y = y:product:0, w = w", "dense"),
        ("i = Identity(w)\n-> y = y:product:0, w = i:output:0", "dense"),
        ("-> y = y:product:0, w = x", "other"),
        ("t = Tanh(w)\n-> y = y:product:0, w = t:y:0", "other"),
    ],
)
def test_a_loop_may_change_its_weights(returned: str, kind: str) -> None:
    functions = {"B(x: float, w: float)": f"y = MatMul(x, w)\n{returned}", "C(x: float, w: float)": SMALL}
    assert _sites(LOOP, functions)["w"].kind == kind


def test_weights_that_a_function_returns_are_read_by_more_than_is_seen() -> None:
    functions = {**DOUBLED, "G(x: float, w: float)": "i = Identity(w)\n-> y = i:output:0"}
    assert _sites(BRANCH, DOUBLED)["w"].kind == "dense"
    assert _sites(BRANCH, functions)["w"].kind == "other"


@pytest.mark.parametrize(
    ("second", "biases"),
    [
        ("z = Tanh(y)", {"w": "b"}),
        ("z = PartitionedCall(y, v, c, f='F', TYPES)", {"w": None, "v": None}),
        ("z = PartitionedCall(y, v, b, f='F', TYPES)", {"w": None, "v": None}),
        ("p = MatMul(y, w)\nz = BiasAdd(p, c)", {"w": None}),
        ("p = MatMul(y, v)\nz = BiasAdd(p, c)", {"w": "b", "v": "c"}),
    ],
    ids=["one call", "all others", "another matrix", "another bias", "no call"],
)
def test_a_bias_of_a_function_is_repaired_if_it_is_called_once(second: str, biases: dict[str, str | None]) -> None:
    inner = {"H(x: float, w: float, b: float)": "m = MatMul(x, w)\ny = BiasAdd(m:product:0, b)\n-> y = y:output:0"}
    types = "Tin=['float', 'float', 'float'], Tout=['float']"
    outer = {"F(x: float, w: float, b: float)": f"y = PartitionedCall(x, w, b, f='H', {types})\n-> y = y:output:0"}
    nodes = f"x = Placeholder(dtype='float', shape=[-1, 16])\nw = Const({MATRIX})\nv = Const({MATRIX[::-1]})"
    nodes += f"\nb = Const({VECTOR})\nc = Const({VECTOR[::-1]})"
    found = _sites(
        f"{nodes}\ny = PartitionedCall(x, w, b, f='F', {types})\n{second}".replace("TYPES", types), inner | outer
    )
    assert {name: site.bias for name, site in found.items()} == biases


@pytest.mark.parametrize(
    ("lines", "bias"),
    [
        ("s = Add(y, x)\nz = BiasAdd(s, b)", "b"),
        ("s = Add(y, x)\nz = Mul(s, x)\nv = BiasAdd(z, b)", None),
        ("s = Add(y, x)\nz = BiasAdd(s, b)\nv = Tanh(s)", None),
        ("s = Add(y, y)\nz = BiasAdd(s, b)", None),
        ("s = Add(y, x)\nz = BiasAdd(s, b)\nv = BiasAdd(x, b)", None),
    ],
    ids=["a sum", "a product", "read before", "twice", "shared"],
)
def test_a_bias_may_follow_a_sum(lines: str, bias: str | None) -> None:
    nodes = f"x = Placeholder(dtype='float', shape=[-1, 16])\nw = Const({MATRIX})\nb = Const({VECTOR})"
    assert _sites(f"{nodes}\ny = MatMul(x, w)\n{lines}", {})["w"].bias == bias
