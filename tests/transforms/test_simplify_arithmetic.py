from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest

from pbslim import api
from pbslim.dtypes import FLOAT
from pbslim.engines.builtin import ENGINE
from pbslim.ir import Graph, SplatTensor
from pbslim.wire import to_bytes
from tests.graphs import apply, check_transform, parse, show

NORM = """
    x = Placeholder(shape=[2, 3])
    m = Placeholder(shape=[2, 1])
    s = Placeholder(shape=[2, 3])
    beta = Const([1, 2, 3])
"""

FEWER = {
    "a layer normalization of Keras": (
        f"{NORM}n = Neg(m)\na = Mul(n, s)\nb = AddV2(a, beta)\nc = Mul(x, s)\ny = AddV2(c, b)\n-> y",
        f"{NORM}n = Sub(x, m)\na = Mul(n, s)\ny = AddV2(a, beta)\n-> y",
    ),
    "a layer normalization of tf.nn.batch_normalization": (
        f"{NORM}a = Mul(m, s)\nb = Sub(beta, a)\nc = Mul(x, s)\ny = Add(c, b)\n-> y",
        f"{NORM}a = Sub(x, m)\nc = Mul(a, s)\ny = Add(c, beta)\n-> y",
    ),
    "the sign in a GELU": (
        "x = Placeholder()\nk = Const(0.5)\nn = Neg(x)\nm = Mul(n, k)\ny = Erfc(m)\n-> y",
        "x = Placeholder()\nk = Const(-0.5)\nm = Mul(x, k)\ny = Erfc(m)\n-> y",
    ),
    "a PReLU": (
        "x = Placeholder()\nk = Const([1, 2])\na = Neg(x)\nb = Relu(a)\nc = Neg(b)\nd = Mul(k, c)\n"
        "e = Relu(x)\ny = Add(e, d)\n-> y",
        "x = Placeholder()\nk = Const([-1, -2])\na = Neg(x)\nb = Relu(a)\nd = Mul(b, k)\n"
        "e = Relu(x)\ny = Add(e, d)\n-> y",
    ),
    "two factors": (
        "x = Placeholder()\na = Const(2)\nb = Const([3, 4])\nm = Mul(x, a)\ny = Mul(b, m)\n-> y",
        "x = Placeholder()\nb = Const([6, 8])\ny = Mul(x, b)\n-> y",
    ),
    "a factor and a divisor": (
        "x = Placeholder()\na = Const(3)\nb = Const(4)\nm = Mul(x, a)\ny = RealDiv(m, b)\n-> y",
        "x = Placeholder()\na = Const(0.75)\ny = Mul(x, a)\n-> y",
    ),
    "three summands": (
        "x = Placeholder()\na = Const(1)\nb = Const([2, 3])\nc = Const(4)\n"
        "p = Sub(x, a)\nq = AddV2(b, p)\ny = Sub(q, c)\n-> y",
        "x = Placeholder()\nb = Const([-3, -2])\ny = AddV2(x, b)\n-> y",
    ),
    "a sum with a sign": (
        "x = Placeholder()\nz = Placeholder()\nn = Neg(x)\ny = AddV2(n, z)\n-> y",
        "x = Placeholder()\nz = Placeholder()\ny = Sub(z, x)\n-> y",
    ),
    "a difference with a sign": (
        "x = Placeholder()\nz = Placeholder()\nn = Neg(x)\ny = Sub(z, n)\n-> y",
        "x = Placeholder()\nz = Placeholder()\ny = Add(z, x)\n-> y",
    ),
    "the sign of a difference": (
        "x = Placeholder()\nz = Placeholder()\nn = Sub(x, z)\ny = Neg(n)\n-> y",
        "x = Placeholder()\nz = Placeholder()\ny = Sub(z, x)\n-> y",
    ),
    "a common factor in three products": (
        "x = Placeholder()\nz = Placeholder()\nw = Placeholder()\ns = Placeholder()\n"
        "a = Mul(x, s)\nb = Mul(s, z)\nc = Mul(w, s)\np = Add(a, b)\ny = Sub(p, c)\n-> y",
        "x = Placeholder()\nz = Placeholder()\nw = Placeholder()\ns = Placeholder()\n"
        "b = Add(x, z)\nc = Sub(b, w)\ny = Mul(c, s)\n-> y",
    ),
}


@pytest.mark.parametrize(("before", "after"), FEWER.values(), ids=FEWER)
def test_fewer_nodes(before: str, after: str) -> None:
    check_transform("simplify_arithmetic", before, after)


@pytest.mark.parametrize("before", [before for before, _ in FEWER.values()], ids=FEWER)
def test_the_same_results(before: str) -> None:
    wanted, found = _answer(parse(before)[0]), _answer(apply("simplify_arithmetic", before)[0])
    # Four roundings of values below 50, each by half a unit in the last place of 24 bits.
    np.testing.assert_allclose(found, wanted, rtol=0, atol=4 * 50 * 2.0**-24)


def _answer(graph: Graph) -> npt.NDArray[np.float32]:
    values = np.random.default_rng(0)
    shapes = {node.name: node.shape_attr("shape").dims or (3, 2) for node in graph if node.op == "Placeholder"}
    feeds = {name: values.uniform(-2, 2, shape).astype(np.float32) for name, shape in sorted(shapes.items())}
    with ENGINE.load(graph) as program:
        answer: npt.NDArray[np.float32] = program.run(feeds, ["y"])[0]
    return answer


KEPT = {
    "an inner value that is read elsewhere": "n = Neg(x)\nm = Mul(n, k)\ny = Add(m, n)\n-> y",
    "an inner value that is an output": "n = Neg(x)\ny = Mul(n, k)\n-> n, y",
    "an inner node that waits": "n = Neg(x, ^z)\ny = Mul(n, k)\n-> y",
    "an inner node that is waited for": "n = Neg(x)\nm = Mul(n, k)\ny = Relu(m, ^n)\n-> y",
    "a constant that something else reads": "n = Neg(x)\nm = Mul(n, k)\nw = Relu(k)\ny = Add(m, w)\n-> y",
    "a constant that would grow": "a = Const([[1], [2]])\nn = Mul(x, a)\ny = Mul(n, k)\n-> y",
    "a product beyond the range of floats": "a = Const(1e30)\nb = Const(1e30)\nn = Mul(x, a)\ny = Mul(n, b)\n-> y",
    "a product too small for a float": "a = Const(1e-30)\nb = Const(1e-30)\nn = Mul(x, a)\ny = Mul(n, b)\n-> y",
    "a divisor of zero": "a = Const(0)\nn = Neg(x)\ny = RealDiv(n, a)\n-> y",
    "a quotient with a constant above": "n = RealDiv(k, x)\ny = Neg(n)\n-> y",
    "products without a common factor": "a = Mul(x, z)\nb = Mul(x2, z2)\ny = Add(a, b)\n-> y",
    "a product of two": "y = Mul(x, z)\n-> y",
    "one constant": "n = Mul(x, k)\ny = Mul(n, z)\n-> y",
    "integers": "i = Placeholder(dtype='int32')\nn = Neg(i, T='int32')\ny = Sub(i, n, T='int32')\n-> y",
    "halves": "h = Placeholder(dtype='half')\nn = Neg(h, T='half')\ny = Sub(h, n, T='half')\n-> y",
}


@pytest.mark.parametrize("nodes", KEPT.values(), ids=KEPT)
def test_left_alone(nodes: str) -> None:
    inputs = "".join(f"{name} = Placeholder(shape=[3, 2])\n" for name in ("x", "x2", "z", "z2"))
    before = f"{inputs}k = Const([1, 2])\n{nodes}"
    assert show(apply("simplify_arithmetic", before)[0]) == show(apply("sort_by_execution_order", before)[0])


def test_an_input_of_the_graph_is_not_looked_through() -> None:
    before = "x = Placeholder()\nk = Const(2)\nn = Neg(x)\ny = Mul(n, k)\n-> y"
    for inputs in (["n"], ["y"]):
        assert len(apply("simplify_arithmetic", before, inputs)[0]) == 4


def test_a_long_sum_becomes_one() -> None:
    names = [f"c{i}" for i in range(100)]
    constants = "\n".join(f"{name} = Const({i})" for i, name in enumerate(names))
    sums = "\n".join(f"s{i + 1} = Add(s{i}, {name})" for i, name in enumerate(names))
    before = f"s0 = Placeholder()\n{constants}\n{sums}\ny = Relu(s100)\n-> y"
    graph, _ = apply("simplify_arithmetic", before)
    assert sorted(node.op for node in graph) == ["Add", "Const", "Placeholder", "Relu"]
    assert next(node for node in graph if node.op == "Const").tensor().numpy() == sum(range(100))


def splat(graph: Graph, name: str, value: float, shape: tuple[int, ...]) -> None:
    """Let a Const hold one value for a whole shape, as files have it."""
    tensor = SplatTensor(np.float32(value), FLOAT, shape)
    graph[name].become("Const", attrs={"dtype": FLOAT, "value": tensor})


def test_one_value_for_a_shape_stays_one_value() -> None:
    graph, outputs = parse("x = Placeholder()\nk = Const(0)\nn = Neg(x)\ny = Mul(n, k)\n-> y")
    splat(graph, "k", 3, (50, 4))
    before = len(to_bytes(graph))
    api.transform(graph, "simplify_arithmetic", ["x"], outputs)
    assert len(to_bytes(graph)) < before
    assert (graph["k"].tensor().numpy() == -3).all()


def test_one_value_for_a_shape_is_not_spelled_out() -> None:
    graph, outputs = parse(
        "x = Placeholder()\nk = Const(0)\nc = Const([1, 2, 3, 4])\nn = Mul(x, k)\ny = Mul(n, c)\n-> y"
    )
    splat(graph, "k", 3, (50, 4))
    api.transform(graph, "simplify_arithmetic", ["x"], outputs)
    assert len(graph) == 5


def test_twice_changes_nothing_more() -> None:
    for before, _ in FEWER.values():
        once, twice = (apply("simplify_arithmetic " * count, before)[0] for count in (1, 2))
        assert show(once) == show(twice)
