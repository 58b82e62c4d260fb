"""Branches and loops of functions become branches and loops of nodes, which give the same."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest

import pbslim
from pbslim.engines import engine
from pbslim.errors import PbslimError
from pbslim.ops.families import CALLS, FUNCTIONAL
from tests import functions, graphs

BRANCHES = {
    "F(a: float)": """
        k = Const(3)
        y = Mul(a, k:output:0)
        -> result = y:z:0
    """,
    "G(a: float)": """
        -> result = a
    """,
}
BRANCH = """
    p = Placeholder(dtype='bool')
    x = Placeholder()
    y = If(p, x, Tcond='bool', Tin=['float'], Tout=['float'], then_branch='F', else_branch='G')
    -> y
"""
LOOPS = {
    "C(i: int32, a: float)": """
        n = Const(4, dtype='int32')
        less = Less(i, n:output:0, T='int32')
        -> result: bool = less:z:0
    """,
    "B(i: int32, a: float)": """
        one = Const(1, dtype='int32')
        j = AddV2(i, one:output:0, T='int32')
        big = Const(10)
        q = Greater(a, big:output:0)
        b = If(q:z:0, a, Tcond='bool', Tin=['float'], Tout=['float'], then_branch='G', else_branch='F')
        -> i: int32 = j:z:0, a = b:output:0
    """,
    **BRANCHES,
}
LOOP = """
    x = Placeholder()
    zero = Const(0, dtype='int32')
    w = While(zero, x, T=['int32', 'float'], cond='C', body='B')
    y = Neg(w:1)
    -> y
"""


def _lowered(main: str, library: Mapping[str, str], feeds: Mapping[str, Any]) -> pbslim.Graph:
    """The graph after the transform, which gives the same and changes nothing the second time."""
    outputs = graphs.parse(main)[1]
    before = pbslim.run(functions.load(main, library), feeds, outputs, engine="builtin")
    graph = functions.run("lower_control_flow", main, library)
    after = pbslim.run(graph, feeds, outputs, engine="builtin")
    for name in outputs:
        np.testing.assert_array_equal(after[name], before[name])
    again = graphs.show(graph)
    pbslim.transform(graph, "lower_control_flow", list(feeds), outputs)
    assert graphs.show(graph) == again
    return graph


@pytest.mark.parametrize("taken", [True, False])
def test_branches(taken: bool) -> None:
    graph = _lowered(BRANCH, BRANCHES, {"p": np.array(taken), "x": np.float32(2)})
    assert {node.op for node in graph} >= {"Switch", "Merge"}
    assert not {node.op for node in graph} & (FUNCTIONAL | CALLS)
    assert not graph.library.functions


def test_loops_with_branches_inside() -> None:
    graph = _lowered(LOOP, LOOPS, {"x": np.float32(1.5)})
    assert {node.op for node in graph} >= {"Enter", "Exit", "LoopCond", "NextIteration", "Switch", "Merge"}
    assert not graph.library.functions


@pytest.mark.tensorflow
def test_tensorflow_gives_the_same() -> None:
    cases: list[tuple[str, Mapping[str, str], dict[str, Any]]] = [
        (BRANCH, BRANCHES, {"p": np.array(False), "x": np.float32(2)}),
        (LOOP, LOOPS, {"x": np.float32(1.5)}),
    ]
    for main, library, feeds in cases:
        graph = functions.run("lower_control_flow", main, library)
        builtin = pbslim.run(graph, feeds, ["y"], engine="builtin")
        with engine("tensorflow").load(graph) as program:
            np.testing.assert_array_equal(program.run(feeds, ["y"])[0], builtin["y"])


def _reasons(main: str, library: Mapping[str, str]) -> list[str]:
    graph, outputs = functions.load(main, library), graphs.parse(main)[1]
    [result] = pbslim.transform(graph, "lower_control_flow", [n.name for n in graph if n.op == "Placeholder"], outputs)
    assert any(node.op in FUNCTIONAL for node in graph)
    return [each.reason for each in result.skipped]


def test_a_predicate_that_is_no_bool_stays() -> None:
    main = BRANCH.replace("dtype='bool'", "dtype='int32'").replace("Tcond='bool'", "Tcond='int32'")
    assert _reasons(main, BRANCHES) == ["its predicate is not a bool"]


def test_a_function_that_is_not_there_stays() -> None:
    [reason] = _reasons(BRANCH.replace("then_branch='F'", "then_branch='H'"), BRANCHES)
    assert reason == "its 'then_branch' is no function of the graph"


def test_an_output_that_it_does_not_have_stays() -> None:
    main = BRANCH.replace("-> y", "z = Neg(y:3)\n    -> z")
    assert _reasons(main, BRANCHES) == ["more outputs are read than it has"]


def test_recursion_is_refused() -> None:
    library = {
        **BRANCHES,
        "F(a: float)": """
            q = Const(True, dtype='bool')
            y = If(q:output:0, a, Tcond='bool', Tin=['float'], Tout=['float'], then_branch='F', else_branch='G')
            -> result = y:output:0
        """,
    }
    with pytest.raises(PbslimError, match="'F' → 'F'"):
        functions.run("lower_control_flow", BRANCH, library)
