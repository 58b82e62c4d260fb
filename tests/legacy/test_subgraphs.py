from __future__ import annotations

from collections.abc import Collection

import pytest

from pbslim.errors import GraphError
from pbslim.ir.extraction import extract_sub_graph
from pbslim.ir.order import check
from pbslim.legacy.subgraphs import remove_training_nodes
from tests.graphs import parse, show


def check_removal(before: str, after: str, protected: Collection[str] = ()) -> None:
    graph, _ = parse(before)
    remove_training_nodes(graph, protected)
    check(graph)
    assert show(graph) == show(parse(after)[0])
    mark = len(graph.journal)
    remove_training_nodes(graph, protected)
    assert not graph.changed_since(mark)


def check_unchanged(text: str, protected: Collection[str] = ()) -> None:
    check_removal(text, text, protected)


def test_readers_take_the_source_with_its_port() -> None:
    check_removal(
        "x = Placeholder()\ns = Split(x, x)\nc = CheckNumerics(s:1)\ni = Identity(c)\nj = Identity(i)\ny = Neg(j)",
        "x = Placeholder()\ns = Split(x, x)\ny = Neg(s:1)",
    )


@pytest.mark.parametrize(
    "order", ["c = CheckNumerics(x)\nd = CheckNumerics(c)", "d = CheckNumerics(c)\nc = CheckNumerics(x)"]
)
def test_chains_in_any_order(order: str) -> None:
    check_removal(f"x = Placeholder()\n{order}\ny = Neg(d)", "x = Placeholder()\ny = Neg(x)")


def test_nothing_waits_for_a_check() -> None:
    check_removal(
        "x = Placeholder()\nc = CheckNumerics(x)\ni = Identity(x, ^c)\ny = Neg(i)", "x = Placeholder()\ny = Neg(x)"
    )


def test_what_a_check_waits_for_is_kept() -> None:
    check_removal(
        "x = Placeholder()\na = Assert(x)\nc = CheckNumerics(x, ^a)\ny = Neg(c)",
        "x = Placeholder()\na = Assert(x)\ny = Neg(x, ^a)",
    )


def test_what_stays() -> None:
    check_unchanged("x = Placeholder()\ni = Identity(x)\ny = Neg(x, ^i)")
    check_unchanged("x = Placeholder()\na = NoOp()\ni = Identity(x, ^a)\ny = Neg(i)")
    check_unchanged("x = Placeholder()\nc = CheckNumerics(x)\ni = Identity(c)\ny = Neg(i)", {"c", "i"})
    check_unchanged("x = Placeholder()\ns = Switch(x, x)\nc = CheckNumerics(s:1)\nk = Const([1], ^c)\ny = Mul(s:1, k)")


def test_a_wish_to_stand_beside_a_removed_node_goes() -> None:
    graph, _ = parse("x = Placeholder()\ni = Identity(x)\ny = Neg(i, _class=[b'loc:@i', b'loc:@x'])")
    remove_training_nodes(graph)
    assert graph["y"].attrs["_class"] == (b"loc:@x",)


def test_extraction_follows_data_controls_and_colocation_in_file_order() -> None:
    graph, _ = parse("""
        z = Neg(y)
        y = Add(x, b, ^n, _class=[b'loc:@k', b'loc:@gone'])
        n = NoOp()
        k = Const([1])
        x = Placeholder()
        b = Split(x)
        unused = Neg(x)
    """)
    graph.producer = 27
    extract_sub_graph(graph, ["y"])
    assert [node.name for node in graph] == ["y", "n", "k", "x", "b"]
    assert graph["y"].attrs["_class"] == (b"loc:@k",)
    assert graph.producer == 27


def test_extraction_refuses_what_is_not_there() -> None:
    graph, _ = parse("x = Placeholder()\ny = Neg(gone)")
    with pytest.raises(GraphError, match="no node 'nope'"):
        extract_sub_graph(graph, ["x", "nope"])
    with pytest.raises(GraphError, match="'y' reads 'gone'"):
        extract_sub_graph(graph, ["y"])
    assert len(graph) == 2
