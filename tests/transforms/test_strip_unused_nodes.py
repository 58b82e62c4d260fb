from __future__ import annotations

import pytest

import pbslim
from pbslim.dtypes import FLOAT, Shape
from pbslim.errors import PbslimError, TransformError, UsageError
from pbslim.ir import Graph
from tests.graphs import apply, check_transform, parse, show

BEFORE = """
    file = Placeholder()
    decoded = DecodeJpeg(file)
    y = Neg(decoded)
    summary = HistogramSummary(y)
    -> y
"""


def test_cuts_at_the_input_and_drops_the_rest() -> None:
    after = "decoded = Placeholder(shape=[1, 4])\ny = Neg(decoded)\n-> y"
    check_transform('strip_unused_nodes(shape="1,4")', before=BEFORE, after=after, inputs=["decoded"])


def test_an_existing_placeholder_keeps_its_shape() -> None:
    before = "x = Placeholder(shape=[2])\ny = Neg(x)\n-> y"
    check_transform('strip_unused_nodes(shape="256*64")', before=before, after=before)


@pytest.mark.parametrize(
    ("text", "dims"), [("256*64", (256, 64)), ("1, 2,3", (1, 2, 3)), ("-1,8", (-1, 8)), ("7", (7,))]
)
def test_shapes(text: str, dims: tuple[int, ...]) -> None:
    graph, results = apply(f'strip_unused_nodes(shape="{text}")', BEFORE, ["decoded"])
    assert graph["decoded"].shape_attr("shape").dims == dims
    assert bool(results[0].notes) == ("*" in text)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ('shape="1,b"', 'shape "1,b" is not a list of whole numbers such as "1,224,224,3"'),
        ('shape=""', 'shape "" is not a list of whole numbers such as "1,224,224,3"'),
        ("type=floaty", "unknown data type 'floaty'"),
        ("name=decoded", "name, type_for_name and shape_for_name must be given equally often"),
    ],
)
def test_errors(arguments: str, message: str) -> None:
    with pytest.raises(PbslimError) as caught:
        apply(f"strip_unused_nodes({arguments})", BEFORE, ["decoded"])
    assert message in str(caught.value)


def test_an_unknown_output_is_an_error() -> None:
    with pytest.raises(PbslimError, match="output 'nope' is not in the graph"):
        apply("strip_unused_nodes", BEFORE.replace("-> y", "-> nope"))


def test_what_an_output_waits_for_stays_and_twice_is_once() -> None:
    before = (
        "x = Placeholder()\nc = Const(3, dtype='int32')\nn = NoOp(^c)\ns = Split(c, x, ^n, num_split=2)\nz = Neg(s)\n"
    )
    graph, results = apply("strip_unused_nodes strip_unused_nodes", before + "-> s:1")
    assert {node.name for node in graph} == {"x", "c", "n", "s"}
    assert not results[1].changed


ITERATOR = """
    it = IteratorV2(shared_name='', container='', output_types=['int64', 'float'], output_shapes=[])
    next = IteratorGetNext(it, output_types=['int64', 'float'], _output_shapes=[])
    y = Neg(next:1)
    loss = Cast(next, SrcT='int64', DstT='float')
    -> y
"""
NEW_PRODUCER = 27


def graph_of(text: str, transforms: str, inputs: list[str], outputs: list[str], producer: int = NEW_PRODUCER) -> Graph:
    graph, _ = parse(text)
    graph.producer = producer
    pbslim.transform(graph, transforms, inputs, outputs)
    return graph


@pytest.mark.parametrize(
    ("reader", "dtype"),
    [
        ("y = Gather(a, x, Tparams='float', Tindices='int32')", "int32"),
        ("y = Switch(a, x)", "bool"),
        ("y = StringToHashBucketFast(x, num_buckets=3)", "string"),
        ("y = Mystery(x)", "float"),
    ],
)
@pytest.mark.parametrize("arguments", ["", "(type=float)"])
def test_the_type_is_the_one_that_readers_expect(reader: str, dtype: str, arguments: str) -> None:
    text = f"a = Placeholder()\nx = Mystery(a)\n{reader}\n-> y"
    graph = graph_of(text, f"strip_unused_nodes{arguments}", ["a", "x"], ["y"])
    assert str(graph["x"].attrs["dtype"]) == dtype
    assert "shape" not in graph["x"].attrs


def test_the_shape_is_the_one_that_the_graph_knows() -> None:
    text = "a = Placeholder(shape=[-1, 4])\nb = Const([1, 2, 3, 4])\nx = Mul(a, b)\ny = Neg(x)\n-> y"
    assert graph_of(text, "strip_unused_nodes", ["x"], ["y"])["x"].shape_attr("shape") == Shape((-1, 4))
    old = graph_of(text, "strip_unused_nodes", ["x"], ["y"], producer=21)
    assert old["x"].shape_attr("shape") == Shape(())  # which is an unknown one there, as in the reference
    old = graph_of(text, 'strip_unused_nodes(input="x")', ["x"], ["y"], producer=21)
    assert old["x"].shape_attr("shape") == Shape((-1, 4))


def test_a_type_for_all_inputs_is_not_meant_for_those_of_another_type() -> None:
    text = """
        i = Mystery()
        p = PlaceholderWithDefault(q, dtype='bool', shape=[])
        q = Const(True, dtype='bool')
        y = Switch(i, p)
        -> y
    """
    graph, _ = parse(text)
    (result,) = pbslim.transform(graph, 'strip_unused_nodes(type=float, shape="1,8")', ["i", "p"], ["y"])
    assert graph["i"].shape_attr("shape") == Shape((1, 8))
    assert (str(graph["p"].attrs["dtype"]), graph["p"].shape_attr("shape")) == ("bool", Shape(()))
    assert result.notes == ["input 'p' is bool to those that read it, not float"]


@pytest.mark.parametrize("name", ["next", "next:1"])
def test_an_output_that_is_not_needed_is_no_obstacle(name: str) -> None:
    graph, _ = parse(ITERATOR)
    results = pbslim.transform(graph, "strip_unused_nodes fold_constants", [name], ["y"])
    assert show(graph) == ["next = Placeholder(shape=Shape(dims=()))", "y = Neg(next)"]
    assert graph["next"].dtype_attr("dtype") is FLOAT
    assert results[0].notes == ["input 'next:1' is now 'next'"]
    assert results[1].inputs == ("next",)


def test_two_outputs_of_one_node_are_two_inputs() -> None:
    graph, _ = parse(ITERATOR)
    inputs = ["next:1", "next:0"]
    (result,) = pbslim.transform(graph, 'strip_unused_nodes(input="next:1:float[2,?]")', inputs, ["y", "loss"])
    assert result.inputs == ("next_1", "next")
    assert [node.name for node in graph] == ["next_1", "next", "y", "loss"]
    assert graph["next_1"].shape_attr("shape") == Shape((2, -1))
    assert str(graph["next"].attrs["dtype"]) == "int64"


def test_an_output_that_is_needed_must_be_named() -> None:
    with pytest.raises(TransformError, match=r"'next' has several outputs that are read; name each: next:0, next:1"):
        graph_of(ITERATOR, "strip_unused_nodes", ["next:1"], ["y", "loss"])
    with pytest.raises(TransformError, match=r"input 'next:2': IteratorGetNext has 2 outputs"):
        graph_of(ITERATOR, "strip_unused_nodes", ["next:2"], ["y"])


def test_what_is_said_of_a_placeholder_counts_and_notes_that_contradict_it_go() -> None:
    text = "x = Placeholder(shape=[1, 8])\ny = Neg(x)\n-> y"
    graph, _ = parse(text)
    for name in "xy":
        graph[name].set_attr("_output_shapes", (Shape((1, 8)),))
    pbslim.transform(graph, 'strip_unused_nodes(input="x:float[?,16]")', ["x"], ["y"])
    assert graph["x"].shape_attr("shape") == Shape((-1, 16))
    assert "_output_shapes" not in graph["y"].attrs


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("x:flot", "unknown data type 'flot'"),
        ("x[a]", "'a' is not a dimension; write a whole number, or [?] if it is not known"),
        ("x[3", r"write NAME\[:PORT\]\[:DTYPE\]\[SHAPE\]"),
    ],
)
def test_an_input_that_cannot_be_read(text: str, says: str) -> None:
    with pytest.raises(UsageError, match=says):
        graph_of("x = Placeholder()\ny = Neg(x)", f'strip_unused_nodes(input="{text}")', ["x"], ["y"])
