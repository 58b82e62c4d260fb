"""FunctionDef to body and back."""

from __future__ import annotations

from typing import Any

import pytest

import pbslim
from pbslim.errors import GraphError, PbslimError
from pbslim.ir import Function, Graph
from pbslim.ir.functions import used_functions
from pbslim.wire import schema, to_bytes
from tests.functions import load, message
from tests.graphs import show
from tests.shared import SHARED, needs_shared

MAIN = "x = Placeholder()\np = PartitionedCall(x, x, f='F', Tin=['float', 'float'], Tout=['float'])\n-> p"
F = {
    "F(a: float, b: float)": """
        s = Split(d:output:0, a, num_split=2)
        d = Const(0, dtype='int32')
        t = TopKV2(s:output:1, k:output:0, ^d)
        k = Const(2, dtype='int32')
        u = Add(t:values:0, b)
        n = NoOp(^a, ^t)
        -> sum = u:z:0, where: int32 = t:indices:0, same = b, ^done = n
    """
}


def body_of(graph: Graph, name: str = "F") -> Any:
    return graph.library.functions[name].body()


def again(graph: Graph) -> Any:
    found = schema.new("GraphDef")
    found.ParseFromString(to_bytes(graph))
    return found


def test_a_body_is_a_graph_with_its_arguments_in_front() -> None:
    body = body_of(load(MAIN, F))
    assert body.arguments == ("a", "b")
    assert show(body.graph) == sorted(
        [
            "a = Placeholder()",
            "b = Placeholder()",
            "s = Split(d, a, num_split=2)",
            "d = Const(0, dtype=int32)",
            "t = TopKV2(s:1, k, ^d)",
            "k = Const(2, dtype=int32)",
            "u = Add(t, b)",
            "n = NoOp(^a, ^t)",
        ]
    )
    assert body.returns == {"sum": "u", "where": "t:1", "same": "b"}
    assert body.control_returns == {"done": "n"}
    body.check()


def test_looking_changes_no_byte() -> None:
    graph = load(MAIN, F)
    data = to_bytes(graph)
    body_of(graph)
    assert not graph.journal
    assert to_bytes(graph) == data
    graph["x"].set_device("/cpu:0")
    body_of(graph)
    graph["x"].set_device("")
    assert graph.edited
    assert to_bytes(graph) == data


def test_a_changed_body_is_written_with_the_names_of_outputs() -> None:
    graph = load(MAIN, F)
    body = body_of(graph)
    body.graph["u"].set_device("/cpu:0")
    new = body.graph.add("more", "Neg", [body.graph["t"].output(0)])
    body.graph["u"].set_inputs([body.graph["s"].output(0), new.output()])
    wanted = message(MAIN, F)
    (function,) = wanted.library.function
    (u,) = [node for node in function.node_def if node.name == "u"]
    u.device = "/cpu:0"
    u.input[:] = ["s:output:0", "more:y:0"]
    function.node_def.add(name="more", op="Neg", input=["t:values:0"])
    assert again(graph) == wanted


def test_the_name_of_an_output_follows_the_op() -> None:
    graph = load(MAIN, {"F(a: float, b: float)": "m = Mul(a, b)\nr = Relu(m:z:0)\n-> y = r:activations:0, z = m:z:0"})
    body = body_of(graph)
    body.graph["m"].set_op("MatMul")
    (function,) = again(graph).library.function
    assert list(function.node_def[1].input) == ["m:product:0"]
    assert function.ret["z"] == "m:product:0"


def test_changes_are_in_the_journal_of_the_graph() -> None:
    graph = load(MAIN, F)
    data = to_bytes(graph)
    graph["x"].set_device("/cpu:0")
    body_of(graph).graph["u"].set_device("/cpu:0")
    assert graph.changed_since(0) == {"x": {"device"}, "F/u": {"device"}}
    graph.rollback()
    assert to_bytes(graph) == data


def test_a_copy_has_bodies_of_its_own() -> None:
    graph = load(MAIN, F)
    body_of(graph).graph["u"].set_device("/cpu:0")
    copy = graph.copy()
    assert to_bytes(copy) == to_bytes(graph)
    body_of(copy).graph["u"].set_device("/cpu:1")
    assert body_of(graph).graph["u"].device == "/cpu:0"


def test_functions_can_be_dropped_and_come_back() -> None:
    graph = load(MAIN, F | {"G()": "c = Const(1)\n-> c = c:output:0"})
    data = to_bytes(graph)
    graph.drop_functions(["G", "no such"])
    assert [function.signature.name for function in again(graph).library.function] == ["F"]
    graph.rollback()
    assert to_bytes(graph) == data


def test_the_rest_of_library_and_function_survives() -> None:
    given = message(MAIN, F)
    given.library.gradient.add(function_name="F", gradient_func="G")
    given.library.function[0].attr["_noinline"].b = True
    given.library.function[0].arg_attr[0].attr["_x"].i = 3
    graph = pbslim.load(bytes(given.SerializeToString()) + b"\xa2\x06\x04more")
    body_of(graph).graph["u"].set_device("/cpu:0")
    written = to_bytes(graph)
    assert written.endswith(b"\xa2\x06\x04more")
    result = again(graph)
    assert result.library.gradient == given.library.gradient
    (mine,), (theirs,) = result.library.function, given.library.function
    assert (mine.signature, mine.attr, mine.arg_attr) == (theirs.signature, theirs.attr, theirs.arg_attr)
    assert graph.library.pinned == {"F", "G"}


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ("m = Foo(a)\ny = Neg(m:z:0)\n-> y = y:y:0", "the op Foo of 'm' is not known"),
        ("y = Neg(m:y:0)\n-> y = y:y:0", "the graph has no node 'm'"),
        ("y = Neg(^gone, a)\n-> y = y:y:0", "the graph has no node 'gone'"),
        ("y = Neg(a:1)\n-> y = y:y:0", "'a:1' is not an argument"),
        ("y = Neg(a)\n-> y = y:z:0", "'y:z:0' is not an output of 'y' (Neg)"),
        ("y = Neg(a)\n-> y = y", "'y' is not an output of 'y' (Neg)"),
        ("y = Neg(a)\n-> y = y:y:1", "'y:y:1': 'y' of 'y' (Neg) has 1 element"),
        ("y = Neg(a)\n-> y = y:y:x", "has 1 element"),
        ("a = Neg(b)\n-> y = b", "the graph has two nodes named 'a'"),
    ],
)
def test_a_body_that_cannot_be_understood_stays_opaque(body: str, reason: str) -> None:
    graph = load(MAIN, {"F(a: float, b: float)": body})
    data = to_bytes(graph)
    for _ in range(2):
        with pytest.raises(GraphError) as caught:
            body_of(graph)
        assert reason in str(caught.value)
        assert str(caught.value).startswith("function 'F': ")
    graph["x"].set_device("/cpu:0")
    graph["x"].set_device("")
    assert to_bytes(graph) == data


@pytest.mark.parametrize(
    ("names", "says"),
    [
        (["y", "z", "y"], "function 'F' has two nodes named 'y'"),
        (["y", ""], r"node number 1 \(op 'NoOp'\) has no name"),
    ],
)
def test_a_body_with_broken_names_is_refused_on_loading(names: list[str], says: str) -> None:
    message = schema.new("GraphDef")
    message.node.add(name="x", op="Placeholder")
    function = message.library.function.add()
    for name in names:
        function.node_def.add(name=name, op="NoOp")
    function.signature.name = "F"  # the field comes first or last, as the file likes
    with pytest.raises(PbslimError, match=says):
        pbslim.load(message.SerializeToString())


def test_an_output_without_index_stands_for_all_its_ports() -> None:
    text = "d = Const(0)\ns = Split(d:output, a:0, num_split=2)\nn = AddN(s:output, N=2)\n-> y = n:sum"
    body = body_of(load(MAIN, {"F(a: float, b: float)": text}))
    assert "n = AddN(s, s:1, N=2)" in show(body.graph)


def test_lists_among_the_arguments_are_refused() -> None:
    given = message(MAIN, F)
    given.library.function[0].signature.input_arg[0].number_attr = "N"
    with pytest.raises(GraphError, match="'a' in its signature is a list"):
        body_of(pbslim.load(bytes(given.SerializeToString())))


def test_a_call_by_the_name_of_a_function() -> None:
    graph = load(
        "x = Placeholder()\ny = G(x)\n-> y",
        {
            "F(a: float)": "n = Neg(a)\n-> first = n:y:0, second = a",
            "G(a: float)": "f = F(a)\ny = Mul(f:first:0, f:second:0)\n-> y = y:z:0",
        },
    )
    assert "y = Mul(f, f:1)" in show(body_of(graph, "G").graph)


def test_functions_in_use() -> None:
    functions = {
        "F(a: float)": "p = PartitionedCall(a, f='G', Tin=['float'], Tout=['float'])\n-> y = p:output:0",
        "G(a: float)": "i = If(a, a, then_branch='H', else_branch='F')\nk = Kept(i:output:0)\n-> y = a",
        "H(a: float)": "y = Named(a)\n-> y = a",
        "Named(a: float)": "y = Neg(a)\n-> y = y:y:0",
        "Unused(a: float)": "y = H(a)\n-> y = a",
    }
    graph = load(MAIN, functions)
    assert used_functions(graph) == {"F", "G", "H", "Named"}
    with pytest.raises(GraphError, match="is not known"):
        body_of(graph, "G")


@needs_shared
@pytest.mark.parametrize("name", ["tf2_keras_lstm", "vscode_langdetect"])
def test_bodies_of_real_models_are_written_as_they_were(name: str) -> None:
    data = (SHARED / "models" / name / "model.pb").read_bytes()
    graph = pbslim.load(data)
    wanted = again(graph)
    functions: list[Function] = list(graph.library.functions.values())
    assert len(functions) == 2
    for function in functions:
        body = function.body()
        body.check()
        first = next(node for node in body.graph if node.name not in body.arguments)
        body.graph.reorder([node for node in body.graph if node is not first] + [first])
    moved = again(graph)
    assert moved != wanted
    for mine, theirs in zip(moved.library.function, wanted.library.function, strict=True):
        nodes = [*theirs.node_def[1:], theirs.node_def[0]]
        del theirs.node_def[:]
        theirs.node_def.extend(nodes)
        assert mine == theirs


def test_mutated_functions_never_crash() -> None:
    data = to_bytes(load(MAIN, F))
    start = data.index(b"sum")
    for at in range(start - 40, len(data)):
        for value in (0, 0x7F, 0xFF, data[at] ^ 1):
            mutated = data[:at] + bytes([value]) + data[at + 1 :]
            try:
                graph = pbslim.load(mutated)
                for function in graph.library.functions.values():
                    function.body().check()
                used_functions(graph)
                graph["x"].set_device("d")
                to_bytes(graph)
            except PbslimError:
                pass  # the one kind of exception that may come out
