"""Calls and the bodies in their place: names, control edges, effects, and equal numbers in TensorFlow."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest

import pbslim
from pbslim.errors import TransformError
from pbslim.ir import FunctionRef, Graph
from tests.functions import load, run
from tests.graphs import show

CALL = "PartitionedCall({}, f='F', Tin=['float', 'float'], Tout=['float'])"


def lines(*texts: str) -> list[str]:
    return sorted(texts)


def steps(graph: Graph, transforms: str, outputs: list[str], inputs: list[str] | None = None) -> list[str]:
    """Why places were skipped."""
    return [
        f"{skipped.node}: {skipped.reason}"
        for step in pbslim.transform(graph, transforms, inputs or [], outputs)
        for skipped in step.skipped
    ]


def test_the_example_of_the_original() -> None:
    graph = run(
        "inline_partitionedcall",
        f"""
        y = Placeholder()
        sub/y = Const(1)
        P = {CALL.format("y, sub/y")}
        add/y = Const(1)
        add = AddV2(P, add/y)
        Identity = Identity(add)
        -> Identity
        """,
        {
            "F(x: float, y: float)": """
            mul = Mul(x, y)
            add/y = Const(2)
            add = AddV2(mul:z:0, add/y:output:0)
            Identity = Identity(add:z:0)
            -> identity = Identity:output:0
            """
        },
    )
    assert [node.name for node in graph] == [
        *("y", "sub/y", "P/mul", "P/add/y", "P/add", "P/Identity", "add/y", "add", "Identity")
    ]
    assert show(graph) == lines(
        "y = Placeholder()",
        "sub/y = Const(1.0)",
        "P/mul = Mul(y, sub/y)",
        "P/add/y = Const(2.0)",
        "P/add = AddV2(P/mul, P/add/y)",
        "P/Identity = Identity(P/add)",
        "add/y = Const(1.0)",
        "add = AddV2(P/Identity, add/y)",
        "Identity = Identity(add)",
    )
    assert list(graph.library.functions) == ["F"]


SWAP = {"F(a: float, b: float)": "n = Neg(a)\n-> first = b, second = n:y:0, third = a"}
SWAPPED = "p = StatefulPartitionedCall(x, c, f='F', Tin=['float', 'float'], Tout=['float', 'float', 'float'])"


def test_several_outputs_and_arguments_that_are_returned() -> None:
    graph = run(
        "inline_partitionedcall", f"x = Placeholder()\nc = Const(1)\n{SWAPPED}\ny = AddN(p, p:1, p:2, N=3)\n-> y", SWAP
    )
    assert show(graph) == lines("x = Placeholder()", "c = Const(1.0)", "p/n = Neg(x)", "y = AddN(c, p/n, x, N=3)")


def test_a_call_that_is_an_output_keeps_its_name() -> None:
    graph = run("inline_partitionedcall", f"x = Placeholder()\nc = Const(1)\n{SWAPPED}\ny = Neg(p)\n-> p, y", SWAP)
    assert "p = Identity(c)" in show(graph)
    assert "y = Neg(c)" in show(graph)


def test_any_output_of_a_call_keeps_its_port() -> None:
    graph = run("inline_partitionedcall", f"x = Placeholder()\nc = Const(1)\n{SWAPPED}\ny = Neg(p:1)\n-> p:2, y", SWAP)
    assert "p = IdentityN(c, p/n, x)" in show(graph)
    assert "y = Neg(p/n)" in show(graph)
    assert [str(dtype) for dtype in graph["p"].attrs["T"]] == ["float"] * 3  # type: ignore[union-attr]


def test_stateful_calls_can_stay() -> None:
    graph = load(f"x = Placeholder()\nc = Const(1)\n{SWAPPED}\n-> p", SWAP)
    pbslim.transform(graph, "inline_partitionedcall(stateful=false)", ["x"], ["p"])
    assert not graph.journal


def test_names_that_are_taken_get_a_number() -> None:
    graph = run(
        "inline_partitionedcall",
        f"x = Placeholder()\nP = {CALL.format('x, x')}\nP/n = Relu(x)\ny = Add(P, P/n)\n-> y",
        {"F(a: float, b: float)": "n = Neg(a)\n-> y = n:y:0"},
    )
    assert "P/n_1 = Neg(x)" in show(graph)
    assert "y = Add(P/n_1, P/n)" in show(graph)


def test_control_edges_in_and_out() -> None:
    graph = run(
        "inline_partitionedcall",
        f"""
        x = Placeholder()
        before = Relu(x)
        P = {CALL.format("x, x, ^before")}
        after = Neg(x, ^P)
        y = Add(P, after)
        -> y
        """,
        {
            "F(a: float, b: float)": """
            c = Const(1)
            m = Mul(a, c:output:0)
            n = Neg(b)
            k = NoOp(^a, ^n)
            -> y = m:z:0, ^done = k
            """
        },
    )
    assert show(graph) == lines(
        "x = Placeholder()",
        "before = Relu(x)",
        "P/c = Const(1.0, ^before)",
        "P/m = Mul(x, P/c)",
        "P/n = Neg(x, ^before)",
        "P/k = NoOp(^P/n, ^x)",
        "after = Neg(x, ^P/k)",
        "y = Add(P/m, after)",
    )


def test_who_waits_for_a_call_without_promises_waits_for_its_results() -> None:
    main = f"x = Placeholder()\nP = {CALL.format('x, x')}\ny = Neg(x, ^P)\n-> y"
    graph = run("inline_partitionedcall", main, {"F(a: float, b: float)": "n = Neg(a)\n-> y = n:y:0, z = n:y:0"})
    assert "y = Neg(x, ^P/n)" in show(graph)
    graph = run("inline_partitionedcall", main, {"F(a: float, b: float)": "n = NoOp()\n-> y = b"})
    assert "y = Neg(x, ^x)" in show(graph)


def test_an_argument_that_is_returned_still_waits() -> None:
    graph = run(
        "inline_partitionedcall",
        f"x = Placeholder()\nbefore = NoOp()\nP = {CALL.format('x, x, ^before')}\ny = Neg(P)\n-> y",
        {"F(a: float, b: float)": "-> y = b"},
    )
    assert show(graph) == lines("x = Placeholder()", "before = NoOp()", "P = Identity(x, ^before)", "y = Neg(P)")


EFFECT = {"F(a: float, b: float)": "s = Print(a, T='float', U=[])\nn = Neg(b)\n-> y = n:y:0, z = s:output:0, ^done = s"}


def test_effects_happen_before_a_result_is_read() -> None:
    call = "P = PartitionedCall(x, x, f='F', Tin=['float', 'float'], Tout=['float', 'float'])"
    graph = run("inline_partitionedcall", f"x = Placeholder()\n{call}\ny = Neg(P)\n-> y", EFFECT)
    assert "P = Identity(P/n, ^P/s)" in show(graph)
    assert "y = Neg(P)" in show(graph)
    graph = run("inline_partitionedcall", f"x = Placeholder()\n{call}\ny = Neg(P:1)\n-> y", EFFECT)
    assert "P" not in graph
    assert "y = Neg(P/s)" in show(graph)


def test_nested_calls_are_inlined_to_the_end() -> None:
    functions = {
        "F(a: float, b: float)": f"G = {CALL.replace('F', 'G').format('b, a')}\nn = Neg(G:output:0)\n-> y = n:y:0",
        "G(a: float, b: float)": "h = H(b)\n-> y = h:y:0",
        "H(a: float)": "r = Relu(a)\n-> y = r:activations:0",
    }
    graph = run("inline_partitionedcall", f"x = Placeholder()\nP = {CALL.format('x, x')}\ny = Neg(P)\n-> y", functions)
    assert [node.name for node in graph] == ["x", "P/G/h/r", "P/n", "y"]
    assert "P/n = Neg(P/G/h/r)" in show(graph)


def test_unused_functions_go_when_asked() -> None:
    functions = {
        "F(a: float, b: float)": "i = If(a, b, then_branch='G', else_branch='H', Tcond='float')\n-> y = a",
        "G(a: float)": "-> y = a",
        "H(a: float)": "u = K(a)\n-> y = a",
        "K(a: float)": "-> y = a",
        "L(a: float)": "-> y = a",
    }
    main = f"x = Placeholder()\nP = {CALL.format('x, x')}\ny = Neg(P)\n-> y"
    graph = run("inline_partitionedcall(remove_unused_functions=true)", main, functions)
    assert list(graph.library.functions) == ["G", "H", "K"]
    graph = run("inline_partitionedcall", main, functions)
    assert len(graph.library.functions) == 5


def test_open_attributes_are_filled_in() -> None:
    functions = {
        "F<SrcT>(a: SrcT)": "g = G(a, SrcT='$SrcT')\nn = Neg(g:y:0, T='$SrcT')\n-> y: SrcT = n:y:0",
        "G<SrcT>(a: SrcT)": "n = Neg(a, T='$SrcT')\n-> y: SrcT = n:y:0",
    }
    graph = run("inline_partitionedcall", "x = Placeholder(dtype='double')\ny = F(x, SrcT='double')\n-> y", functions)
    assert show(graph) == lines("x = Placeholder()", "y/g/n = Neg(x)", "y/n = Neg(y/g/n)", "y = Identity(y/n)")
    assert {str(graph[name].attrs["T"]) for name in ("y", "y/n", "y/g/n")} == {"double"}


def test_the_device_of_the_call_fills_gaps() -> None:
    graph = run(
        "inline_partitionedcall",
        f"x = Placeholder()\nP = {CALL.replace('f=', 'device={!r}, f=').format('x, x', '/gpu:0')}\ny = Neg(P)\n-> y",
        {"F(a: float, b: float)": "n = Neg(a, device='/cpu:0')\nm = Neg(n:y:0)\n-> y = m:y:0"},
    )
    assert (graph["P/n"].device, graph["P/m"].device) == ("/cpu:0", "/gpu:0")


def test_wishes_and_frames_move_along() -> None:
    graph = run(
        "inline_partitionedcall",
        f"x = Placeholder()\nP = {CALL.format('x, x')}\ny = Neg(P)\n-> y",
        {
            "F(a: float, b: float)": """
            e = Enter(a, frame_name='loop')
            n = Neg(a, _class=['loc:@e', 'loc:@b', 'other'])
            m = Neg(a, _class=['loc:@a'])
            x = Exit(e:output:0)
            -> y = x:output:0
            """
        },
    )
    assert graph["P/e"].attrs["frame_name"] == b"P/loop"
    assert graph["P/n"].attrs["_class"] == (b"loc:@P/e", b"other")
    assert "_class" not in graph["P/m"].attrs


def test_constants_stay_in_the_branch_of_the_call() -> None:
    graph = run(
        "inline_partitionedcall",
        f"""
        x = Placeholder()
        on = Placeholder(dtype='bool')
        s = Switch(x, on)
        P = {CALL.format("s, s")}
        Q = {CALL.format("s:1, s:1")}
        y = Merge(P, Q, N=2)
        -> y
        """,
        {"F(a: float, b: float)": "c = Const(1)\nn = Mul(c:output:0, c:output:0)\n-> y = n:z:0"},
    )
    assert {"P/a = Identity(s)", "P/c = Const(1.0, ^P/a)", "Q/c = Const(1.0, ^Q/a)"} < set(show(graph))


@pytest.mark.parametrize(
    ("main", "functions", "reason"),
    [
        ("P = PartitionedCall(x)", {}, "P: it does not say which function it calls"),
        ("P = PartitionedCall(x, f='G')", SWAP, "P: function 'G' is not in the library"),
        ("P = PartitionedCall(x, f='F')", SWAP, "P: it has 1 input, function 'F' takes 2"),
        ("P = PartitionedCall(x, x, f='F')\nq = Neg(P:3)", SWAP, "P: more outputs are read than function 'F' has"),
        (
            "P = PartitionedCall(x, f='F')",
            {"F(a: float)": "o = Own(a)\n-> y = o:y:0"},
            "P: function 'F': the op Own of 'o' is not known",
        ),
        ("P = F(x)", {"F<U>(a: U)": "-> y = a"}, "P: it does not say what attribute 'U' of function 'F' is"),
    ],
)
def test_refusals(main: str, functions: Mapping[str, str], reason: str) -> None:
    graph = load(f"x = Placeholder()\n{main}\n-> P", functions)
    reasons = steps(graph, "inline_partitionedcall", ["P"])
    assert any(reason in text for text in reasons), reasons
    assert not graph.journal


def test_a_call_that_is_fed_stays() -> None:
    graph = load(f"x = Placeholder()\nP = {CALL.format('x, x')}\ny = Neg(P)\n-> y", SWAP)
    assert steps(graph, "inline_partitionedcall", ["y"], ["P"]) == ["P: it is an input of the graph"]


@pytest.mark.parametrize("ring", [["F"], ["F", "G"], ["F", "G", "H"]])
def test_recursion_is_refused(ring: list[str]) -> None:
    functions = {}
    for name, other in zip(ring, [*ring[1:], ring[0]], strict=True):
        functions[f"{name}(a: float, b: float)"] = f"c = {CALL.replace('F', other).format('a, b')}\n-> y = c:output:0"
    graph = load(f"x = Placeholder()\nP = {CALL.format('x, x')}\n-> P", functions)
    with pytest.raises(TransformError) as caught:
        pbslim.transform(graph, "inline_partitionedcall", ["x"], ["P"])
    path = " → ".join(f"'{name}'" for name in [*ring, "F"])
    assert str(caught.value) == f"inline_partitionedcall: functions call each other without end: {path}"
    assert not graph.journal


def test_doubling_without_end_is_refused() -> None:
    functions = {"F0(a: float)": "n = Neg(a)\n-> y = n:y:0"}
    for level in range(1, 200):
        functions[f"F{level}(a: float)"] = f"b = F{level - 1}(a)\nc = F{level - 1}(b:y:0)\n-> y = c:y:0"
    graph = load("x = Placeholder()\nP = F199(x)\n-> P", functions)
    with pytest.raises(TransformError, match="more nodes"):
        pbslim.transform(graph, "inline_partitionedcall", ["x"], ["P"])


def test_deep_nesting_is_no_recursion() -> None:
    functions = {"F0(a: float)": "n = Neg(a)\n-> y = n:y:0"}
    for level in range(1, 1500):
        functions[f"F{level}(a: float)"] = f"f = F{level - 1}(a)\n-> y = f:y:0"
    graph = run("inline_partitionedcall", "x = Placeholder()\ny = F1499(x)\n-> y", functions)
    assert [node.op for node in graph] == ["Placeholder", "Neg", "Identity"]


def test_twice_changes_nothing_more() -> None:
    graph = run("inline_partitionedcall", f"x = Placeholder()\nc = Const(1)\n{SWAPPED}\n-> p:2", SWAP)
    mark = len(graph.journal)
    pbslim.transform(graph, "inline_partitionedcall", ["x"], ["p:2"])
    assert len(graph.journal) == mark


# In TensorFlow


def frozen(tf: Any, function: Any, *specs: Any) -> tuple[Any, list[str], list[str]]:
    """The GraphDef of a tf.function in which the calls are still there, and its input and output names."""
    concrete = tf.function(function).get_concrete_function(*specs)
    graph = concrete.graph
    inputs, outputs = ([tensor.name for tensor in each] for each in (graph.inputs, graph.outputs))
    return graph.as_graph_def(), inputs, outputs


def compare(tf: Any, given: Any, inputs: list[str], outputs: list[str], *feeds: Any) -> Graph:
    """Inline, and hold the results against those of the graph with its calls."""
    graph = pbslim.load(given.SerializeToString())
    pbslim.transform(graph, "inline_partitionedcall(remove_unused_functions=true)", inputs, outputs)
    assert not {"PartitionedCall", "StatefulPartitionedCall"} & {node.op for node in graph}
    from pbslim.wire import to_bytes

    results = []
    for data in (given.SerializeToString(), to_bytes(graph)):
        definition = tf.compat.v1.GraphDef.FromString(data)
        with tf.Graph().as_default() as loaded:
            tf.import_graph_def(definition, name="")
            with tf.compat.v1.Session(graph=loaded) as session:
                results.append(session.run(outputs, dict(zip(inputs, feeds, strict=True))))
    for first, second in zip(*results, strict=True):
        np.testing.assert_array_equal(first, second)
    return graph


@pytest.mark.tensorflow
def test_equal_numbers_in_tensorflow() -> None:
    tf = pytest.importorskip("tensorflow")

    @tf.function  # type: ignore[untyped-decorator, unused-ignore]
    def inner(x: Any, y: Any) -> Any:
        values, places = tf.math.top_k(x, 3)
        return values + y, places, x

    @tf.function  # type: ignore[untyped-decorator, unused-ignore]
    def outer(x: Any) -> Any:
        values, places, same = inner(x, tf.constant(2.0))
        return tf.cast(places, tf.float32) * values, same

    @tf.function  # type: ignore[untyped-decorator, unused-ignore]
    def loop(x: Any) -> Any:
        return tf.while_loop(lambda i, _: i < 3, lambda i, v: (i + 1, outer(v)[0]), [0, x])[1]

    def main(x: Any) -> Any:
        first, same = outer(x)
        again, _ = outer(-same)
        chosen = tf.cond(tf.reduce_sum(x) > 0, lambda: outer(x)[0], lambda: again)
        parts = tf.split(first + again, 3, axis=1)
        return parts[2] - parts[0], again, same, chosen, loop(first)

    given, inputs, outputs = frozen(tf, main, tf.TensorSpec([None, 5], tf.float32))
    values = np.random.default_rng(0).normal(size=(4, 5)).astype(np.float32)
    graph = compare(tf, given, inputs, outputs, values)
    compare(tf, given, inputs, outputs, -np.abs(values))
    assert "If" in {node.op for node in graph} | {node.op.removeprefix("Stateless") for node in graph}
    assert graph.library.functions  # bodies of If and While stay, those of calls in the graph go


@pytest.mark.tensorflow
def test_asserts_still_hold() -> None:
    tf = pytest.importorskip("tensorflow")

    @tf.function  # type: ignore[untyped-decorator, unused-ignore]
    def checked(x: Any) -> Any:
        tf.debugging.assert_positive(x)
        return tf.sqrt(x)

    given, inputs, outputs = frozen(tf, lambda x: checked(x) + 1, tf.TensorSpec([None], tf.float32))
    compare(tf, given, inputs, outputs, np.array([4, 9], np.float32))
    with pytest.raises(tf.errors.InvalidArgumentError, match="assert"):
        compare(tf, given, inputs, outputs, np.array([4, -9], np.float32))


@pytest.mark.tensorflow
def test_a_function_of_old_inside_a_loop() -> None:
    tf = pytest.importorskip("tensorflow")
    from tensorflow.python.framework import function

    @function.Defun(tf.float32)  # type: ignore[untyped-decorator, unused-ignore]
    def step(x: Any) -> Any:
        return x * tf.constant(2.0) + tf.constant(1.0)

    with tf.Graph().as_default() as graph:
        tf.compat.v1.disable_control_flow_v2()
        try:
            x = tf.compat.v1.placeholder(tf.float32, [], name="x")
            same = lambda i, v: (i + 1, step(v))  # noqa: E731
            loop = tf.compat.v1.while_loop(lambda i, _: i < 4, same, [0, x], [tf.TensorShape([]), tf.TensorShape(None)])
            both = tf.cond(x > 0, lambda: step(x), lambda: step(-x))
            tf.add(loop[1], both, name="y")
        finally:
            tf.compat.v1.enable_control_flow_v2()
        given = graph.as_graph_def()
    assert given.library.function
    for value in (3.0, -2.0):
        result = compare(tf, given, ["x:0"], ["y:0"], value)
    assert not result.library.functions
    assert not {node.op for node in result} & {definition.signature.name for definition in given.library.function}
    assert any(isinstance(value, FunctionRef) for node in result for value in node.attrs.values()) is False


@pytest.mark.tensorflow
def test_a_frozen_model() -> None:
    tf = pytest.importorskip("tensorflow")
    from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2

    weights = tf.Variable(np.random.default_rng(1).normal(size=(5, 4)).astype(np.float32))

    @tf.function  # type: ignore[untyped-decorator, unused-ignore]
    def dense(x: Any) -> Any:
        return tf.nn.relu(x @ weights)

    concrete = tf.function(lambda x: (dense(x), dense(2 * x))).get_concrete_function(tf.TensorSpec([None, 5]))
    done = convert_variables_to_constants_v2(concrete, lower_control_flow=False, aggressive_inlining=False)
    given = done.graph.as_graph_def()
    inputs, outputs = ([tensor.name for tensor in each] for each in (done.graph.inputs, done.graph.outputs))
    compare(tf, given, inputs, outputs, np.random.default_rng(2).normal(size=(3, 5)).astype(np.float32))


def doubling(levels: int) -> Mapping[str, str]:
    functions = {"F0(a: float)": "n = Neg(a)\n-> y = n:y:0"}
    for level in range(1, levels + 1):
        functions[f"F{level}(a: float)"] = f"b = F{level - 1}(a)\nc = F{level - 1}(b:y:0)\n-> y = c:y:0"
    return functions


@pytest.mark.slow
def test_the_limit_of_nodes_grows_with_the_file_and_can_be_raised() -> None:
    main = "x = Placeholder()\nP = F12(x)\n-> P"
    with pytest.raises(TransformError, match="the graph would have 20477 more nodes, 18944 are allowed"):
        run("inline_partitionedcall", main, doubling(12))
    assert len(run("inline_partitionedcall(max_growth_in_nodes=30000)", main, doubling(12))) == 4098
    more = "\n".join(f"x{k} = Placeholder()" for k in range(30))
    assert len(run("inline_partitionedcall", f"{more}\n{main}", doubling(12), inputs=["x"])) == 4128
    with pytest.raises(TransformError, match="more nodes, 5 are allowed; raise max_growth_in_nodes"):
        run("inline_partitionedcall(max_growth_in_nodes=5)", main.replace("12", "2"), doubling(2))


def test_names_that_become_too_long_are_refused() -> None:
    functions = {"F0(a: float)": "n = Neg(a)\n-> y = n:y:0"}
    for level in range(1, 400):
        name = "f" * 1000
        functions[f"F{level}(a: float)"] = f"{name} = F{level - 1}(a)\n-> y = {name}:y:0"
    with pytest.raises(TransformError, match="the names of 800 new nodes would have"):
        run("inline_partitionedcall", "x = Placeholder()\ny = F399(x)\n-> y", functions)
