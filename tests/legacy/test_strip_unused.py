from __future__ import annotations

import pytest

import pbslim
from pbslim.dtypes import DTYPES, Shape
from pbslim.errors import GraphError, UsageError
from tests.graphs import parse, show

PIPELINE = """
    file = Placeholder(dtype='string')
    image = DecodeJpeg(file)
    pre = Cast(image, SrcT='uint8', DstT='float')
    w = Const([1, 2])
    y = Mul(pre, w)
    summary = Neg(y)
    -> y
"""


def test_what_is_before_the_inputs_and_behind_the_outputs_goes() -> None:
    graph, _ = parse(PIPELINE)
    graph.producer = 21
    pbslim.strip_unused(graph, ["pre"], ["y"])
    after = "pre = Placeholder()\nw = Const([1, 2])\ny = Mul(pre, w)"
    assert show(graph) == show(parse(after)[0])
    assert graph.producer == 21
    mark = len(graph.journal)
    pbslim.strip_unused(graph, ["pre"], ["y"])
    assert set(graph.changed_since(mark)) <= {"pre"}


def test_the_type_is_that_of_the_node_unless_another_is_asked_for() -> None:
    graph, _ = parse(PIPELINE)
    pbslim.strip_unused(graph, ["image"], ["y"])
    assert str(graph["image"].attrs["dtype"]) == "uint8"
    graph, _ = parse(PIPELINE)
    pbslim.strip_unused(graph, ["image"], ["y"], 3)
    assert graph["image"].attrs["dtype"] is DTYPES[3]
    graph, _ = parse("a = Mystery()\nb = Mystery()\ny = Add(a, b)")
    result = pbslim.strip_unused(graph, ["a", "b"], ["y"], [9, 3, 1])
    assert [str(graph[name].attrs["dtype"]) for name in "ab"] == ["int64", "int32"]
    assert result.notes == ["3 types given for 2 inputs; the first of them count"]


def test_a_placeholder_keeps_its_type_and_shape() -> None:
    graph, _ = parse(
        "x = Placeholder(dtype='int32', shape=[2, -1], device='/cpu:0')\nn = NoOp()\ny = Neg(x, ^n, T='int32')"
    )
    result = pbslim.strip_unused(graph, ["x"], ["y"], 1)
    assert dict(graph["x"].attrs) == {"dtype": DTYPES[3], "shape": Shape((2, -1))}
    assert graph["x"].device == ""
    assert [node.name for node in graph["y"].controls] == ["n"]
    assert result.notes == ["input 'x' is a placeholder of type int32 and stays one"]


def test_of_an_input_named_twice_the_first_type_counts() -> None:
    graph, _ = parse("a = Mystery()\ny = Neg(a)")
    pbslim.strip_unused(graph, ["a", "a"], ["y"], [3, 1])
    assert str(graph["a"].attrs["dtype"]) == "int32"


@pytest.mark.parametrize(
    ("inputs", "outputs", "kind", "says"),
    [
        (["nope"], ["y"], None, "no node 'nope'"),
        (["pr"], ["y"], None, "did you mean 'pre'"),
        (["pre"], ["z"], None, "no node 'z'"),
        (["pre:0"], ["y"], None, "'pre:0' is a tensor; name the node 'pre'"),
        (["pre"], ["y:0"], None, "'y:0' is a tensor; name the node 'y'"),
        (["pre"], [], None, "at least one output"),
        (["pre"], ["y"], 77, "no data type has the number 77"),
        (["pre", "w"], ["y"], [1], "1 type for 2 inputs"),
    ],
)
def test_refusals(inputs: list[str], outputs: list[str], kind: int | list[int] | None, says: str) -> None:
    graph, _ = parse(PIPELINE)
    with pytest.raises(UsageError, match=says):
        pbslim.strip_unused(graph, inputs, outputs, kind)
    assert show(graph) == show(parse(PIPELINE)[0])


def test_what_is_stripped_may_be_broken() -> None:
    graph, _ = parse("m = Neg(gone)\ny = Neg(m)\nz = Neg(away)\na = Neg(b)\nb = Neg(a)")
    pbslim.strip_unused(graph, ["m"], ["y"])
    assert show(graph) == ["m = Placeholder()", "y = Neg(m)"]


def test_an_input_with_two_outputs_and_a_broken_graph() -> None:
    graph, _ = parse("x = Placeholder()\ns = Split(x)\ny = Add(s, s:1)")
    with pytest.raises(UsageError, match="several outputs that are read"):
        pbslim.strip_unused(graph, ["s"], ["y"])
    graph, _ = parse("x = Placeholder()\ny = Add(x, gone)")
    with pytest.raises(GraphError, match="'y' reads 'gone'"):
        pbslim.strip_unused(graph, ["x"], ["y"])


def test_other_outputs_that_are_not_needed_are_no_obstacle() -> None:
    graph, _ = parse("x = Placeholder()\ns = Mystery(x, _output_shapes=[])\ny = Neg(s:1)\nz = Neg(s)")
    graph["s"].set_attr("_output_shapes", (Shape((1,)), Shape((2, -1))))
    pbslim.strip_unused(graph, ["s"], ["y"])
    assert [node.name for node in graph] == ["s", "y"]
    assert graph["y"].inputs == (graph["s"].output(),)
    assert graph["s"].attrs["_output_shapes"] == (Shape((2, -1)),)


def test_one_type_for_all_is_not_meant_for_an_input_of_another() -> None:
    graph, _ = parse("a = Mystery()\nb = Mystery()\ny = Switch(a, b)")
    result = pbslim.strip_unused(graph, ["a", "b"], ["y"], 1)
    assert [str(graph[name].attrs["dtype"]) for name in "ab"] == ["float", "bool"]
    assert result.notes == ["input 'b' is bool to those that read it, not float"]
