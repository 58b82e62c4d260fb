from __future__ import annotations

import pytest

from pbslim.errors import PbslimError
from tests.graphs import apply, check_refuses, check_transform


def test_readers_take_the_source_with_its_port() -> None:
    check_transform(
        "remove_nodes(op=Identity)",
        before="""
            x = Placeholder()
            s = Split(x, x)
            i = Identity(s:1)
            j = Identity(i)
            y = Neg(j)
            -> y
        """,
        after="""
            x = Placeholder()
            s = Split(x, x)
            y = Neg(s:1)
            -> y
        """,
    )


def test_control_edges_move_to_the_source() -> None:
    check_transform(
        "remove_nodes(op=CheckNumerics)",
        before="""
            x = Placeholder()
            c = CheckNumerics(x)
            y = Neg(c, ^c)
            -> y
        """,
        after="""
            x = Placeholder()
            y = Neg(x, ^x)
            -> y
        """,
    )


def test_an_output_stays() -> None:
    check_refuses("remove_nodes(op=Identity)", "x = Placeholder()\ny = Identity(x)\n-> y", "input or output")


def test_a_pivot_behind_a_switch_stays() -> None:
    check_refuses(
        "remove_nodes(op=Identity)",
        """
            x = Placeholder()
            s = Switch(x, x)
            t = Identity(s:1)
            c = Const([1], ^t)
            y = Mul(t, c)
            -> y
        """,
        "two branches",
    )


def test_a_second_output_that_is_read_keeps_the_node() -> None:
    check_refuses(
        "remove_nodes(op=Split)",
        "x = Placeholder()\ns = Split(x)\ny = Add(s, s:1)\n-> y",
        "more than its first output",
    )


def test_further_inputs_that_are_needed_elsewhere_stay() -> None:
    graph, _ = apply(
        "remove_nodes(op=Reshape, max_inputs=2)",
        "x = Placeholder()\nd = Const([1], dtype='int32')\nr = Reshape(x, d)\ny = Pad(r, d)\n-> y",
    )
    assert "d" in graph
    assert "r" not in graph


def test_any_number_of_inputs() -> None:
    graph, _ = apply(
        "remove_nodes(op=AddN, max_inputs=2147483647)", "x = Placeholder()\ny = AddN(x, x, N=2)\nz = Neg(y)\n-> z"
    )
    assert "y" not in graph


def test_no_op_is_an_error() -> None:
    with pytest.raises(PbslimError, match="needs 'op'"):
        apply("remove_nodes", "x = Placeholder()\n-> x")


def test_twice_is_once() -> None:
    text = "x = Placeholder()\ni = Identity(x)\ny = Neg(i)\n-> y"
    graph, results = apply("remove_nodes(op=Identity) remove_nodes(op=Identity)", text)
    assert not results[1].changed
    assert len(graph) == 2
