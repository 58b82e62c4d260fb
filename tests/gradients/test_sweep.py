"""Where gradients come from, and where none are known."""

from __future__ import annotations

import numpy as np

from pbslim.engines import engine
from pbslim.gradients import Tape, add_gradients
from pbslim.ir import Graph
from tests.graphs import parse

_GRAPH = """
x = Placeholder()
a = Neg(x)
b = KIND(a)
c = Square(b)
d = Mul(a, c)
-> d
"""


def _gradients(kind: str, *at: str, of: str = "d") -> tuple[Graph, dict[str, str], str]:
    graph = parse(_GRAPH.replace("KIND", kind))[0]
    tape = Tape(graph)
    seed = tape.placeholder()
    found = add_gradients(tape, {graph[of].output(): seed}, {graph[name].output() for name in at})
    return graph, {value.name: gradient.name for value, gradient in found.items()}, seed.name


def test_gradients_of_values_of_which_one_needs_another() -> None:
    graph, found, seed = _gradients("Exp", "a", "b", "c")
    x = np.array([1, -2], np.float32)
    with engine("builtin").load(graph) as program:
        a, b, c = program.run({"x": x, seed: np.ones(2, np.float32)}, [found[name] for name in "abc"])
    np.testing.assert_allclose(c, -x)
    np.testing.assert_allclose(b, -x * 2 * np.exp(-x), rtol=1e-6)
    np.testing.assert_allclose(a, np.exp(-x) ** 2 - x * 2 * np.exp(-x) ** 2, rtol=1e-6)


def test_what_lies_before_an_op_without_a_rule_is_left_out() -> None:
    _, found, _ = _gradients("Digamma", "a", "b", "c")
    assert found.keys() == {"b", "c"}


def test_what_changes_nothing_adds_nothing() -> None:
    graph, found, seed = _gradients("Floor", "a")
    with engine("builtin").load(graph) as program:
        gradient = program.run({"x": np.array([1.5], np.float32), seed: np.ones(1, np.float32)}, [found["a"]])[0]
    assert gradient == 4  # of a * floor(a)^2 with floor(-1.5) = -2


def test_what_nothing_depends_on_is_left_out() -> None:
    assert _gradients("Exp", "a", "d", of="b")[1].keys() == {"a"}


def test_names_are_new() -> None:
    graph = parse(_GRAPH.replace("KIND", "Exp").replace("b", "gradients/1"))[0]
    tape = Tape(graph)
    add_gradients(tape, {graph["d"].output(): tape.placeholder()}, {graph["a"].output()})
    assert all(node.name.startswith("gradients_1/") for node in list(graph)[5:])
