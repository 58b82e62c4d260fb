from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pbslim.dtypes import FLOAT, Shape
from pbslim.errors import GraphError
from pbslim.ir import AttrValue, Graph
from pbslim.ir.order import check, execution_order, file_order
from tests.graphs import parse, show

TEXT = """
    x = Placeholder()
    w = Const([1, 2])
    a = Mul(x, w)
    b = Add(a, w, ^a)
    c = Neg(b)
    -> c
"""


def test_what_is_read_cannot_be_erased() -> None:
    graph, _ = parse(TEXT)
    with pytest.raises(GraphError, match="cannot remove 'a': 'b' still uses it"):
        graph.erase([graph["a"]])
    graph.erase([graph["b"], graph["c"]])
    assert [node.name for node in graph] == ["x", "w", "a"]


def test_uses_follow_every_change() -> None:
    graph, _ = parse(TEXT)
    a, x = graph["a"], graph["x"]
    a.output().replace_all_uses_with(x.output())
    a.replace_control_uses_with([x])
    assert graph["b"].inputs[0] == x.output()
    assert graph["b"].controls == (x,)
    assert a.readers == []
    assert {node.name for node in x.readers} == {"a", "b"}


def test_renaming_takes_readers_and_wishes_along_and_keeps_places() -> None:
    graph, _ = parse("""
        a = Placeholder(_class=[b'loc:@z'])
        b = Neg(a, ^a, _class=[b'loc:@a', b'loc:@b', b'note', b'loc:@elsewhere'])
        y = Add(b, a:1)
        -> y
    """)
    graph.rename({graph["a"]: "b", graph["b"]: "a", graph["y"]: "y"})  # a swap
    assert [node.name for node in graph] == ["b", "a", "y"]
    assert [value.name for value in graph["y"].inputs] == ["a", "b:1"]
    assert graph["a"].controls == (graph["b"],)
    assert graph["a"].attrs["_class"] == (b"loc:@b", b"loc:@a", b"note", b"loc:@elsewhere")
    assert graph["b"].attrs["_class"] == (b"loc:@z",)
    assert graph.changed_since(0).keys() == {"a", "b"}


@pytest.mark.parametrize("names", [{"a": "b"}, {"a": "new", "b": "new"}, {"c": "a", "a": "b"}])
def test_a_taken_name_is_refused(names: dict[str, str]) -> None:
    graph, _ = parse(TEXT)
    with pytest.raises(GraphError, match="cannot be the name of both"):
        graph.rename({graph[old]: new for old, new in names.items()})
    assert show(graph) == show(parse(TEXT)[0])
    assert not graph.journal


def test_a_claimed_producer_is_taken_back() -> None:
    graph, _ = parse(TEXT)
    graph.set_producer(0)
    assert not graph.journal
    graph.set_producer(25)
    assert graph.producer == 25
    graph.rollback()
    assert graph.producer == 0


@given(st.lists(st.tuples(st.integers(0, 7), st.integers(0, 4), st.integers(0, 4)), max_size=25))
def test_rollback_restores_everything(steps: list[tuple[int, int, int]]) -> None:
    graph, _ = parse(TEXT)
    before, order = show(graph), [node.name for node in graph]
    names = list(order)
    for kind, i, j in steps:
        one, two = graph.get(names[i]), graph.get(names[j])
        if one is None or two is None:
            continue
        if kind == 0:
            one.output().replace_all_uses_with(two.output())
        elif kind == 1:
            one.set_controls([two])
        elif kind == 2:
            one.become("Const", attrs={"note": i})
        elif kind == 3:
            graph.reorder(list(graph)[::-1])
        elif kind == 4:
            one.set_attr("mark", j)
        elif kind == 5 and not [reader for reader in one.readers if reader is not one]:
            graph.erase([one])
        elif kind == 6:
            graph.add(graph.unique_name(one.name), "Neg", [two.output()])
        elif kind == 7:
            graph.rename({one: two.name, two: one.name} if i < j else {one: graph.unique_name("new")})
    graph.rollback()
    assert show(graph) == before
    assert [node.name for node in graph] == order
    assert not graph.journal
    check(graph)


def test_names_are_unique() -> None:
    graph, _ = parse(TEXT)
    with pytest.raises(GraphError, match="two nodes named 'a'"):
        graph.add("a", "Neg")
    assert graph.unique_name("a") == "a_1"


@pytest.mark.parametrize("name", ["x:0", ":", "^x"])
def test_names_are_names_in_inputs_too(name: str) -> None:
    with pytest.raises(GraphError, match="no input can name a node"):
        Graph().add(name, "NoOp")


def test_a_loop_is_no_cycle() -> None:
    graph, _ = parse("e = Enter(i)\ni = Placeholder()\nm = Merge(e, n)\nn = NextIteration(m)\nx = Exit(m)\n-> x")
    check(graph)
    assert [node.name for node in file_order(graph)] == ["i", "e", "m", "n", "x"]
    assert len(execution_order(graph)) == 5


def test_a_missing_input_is_named() -> None:
    graph, _ = parse("y = Neg(gone)\n-> y")
    with pytest.raises(GraphError, match="node 'y' reads 'gone', which is not in the graph"):
        check(graph)


def test_attributes_are_read_by_kind_with_the_default_of_the_op() -> None:
    graph = Graph()
    attrs: dict[str, AttrValue] = {
        "T": FLOAT,
        "strides": (1, 2),
        "padding": b"SAME",
        "_own": (b"a",),
        "explicit_paddings": b"odd",
    }
    node = graph.add("c", "Conv2D", attrs=attrs)
    assert node.attr("strides", tuple) == (1, 2)
    assert node.attr("data_format", bytes) == b"NHWC"
    assert node.attr("dilations", tuple, ()) == (1, 1, 1, 1)
    assert node.attr("use_cudnn_on_gpu", bool) is True
    assert node.attr("use_cudnn_on_gpu", int) is None
    assert node.attr("explicit_paddings", tuple, ()) == ()
    assert node.attr("_own", tuple) == (b"a",)
    assert node.attr("_other", tuple) is None
    assert graph.add("o", "OwnOp").attr("data_format", bytes, b"NCHW") == b"NCHW"
    assert node.dtype_attr("T") is FLOAT
    assert node.dtype_attr("padding") is None
    assert node.shape_attr("padding") == Shape()
