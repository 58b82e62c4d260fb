"""What counts as constant, what stays, which branch is taken; and the same numbers in TensorFlow."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import pbslim
from pbslim.dtypes import FLOAT, Shape
from pbslim.errors import GraphError, TransformError
from pbslim.ir import Graph, SplatTensor
from pbslim.wire import to_bytes
from tests.functions import load, run
from tests.graphs import apply, check_refuses, check_transform, parse, show

SUM = "a = Const(1)\nb = Const(2)\nc = Add(a, b)"


def test_constant_expressions_become_constants() -> None:
    check_transform(
        "fold_constants",
        f"x = Placeholder()\n{SUM}\nd = Neg(c)\ny = Mul(x, d)\n-> y",
        "x = Placeholder()\nd/_0__cf__0 = Const(-3)\ny = Mul(x, d/_0__cf__0)\n-> y",
    )


def test_operands_may_stand_on_either_side() -> None:
    for operands, wanted in (("c, x", "c/_0__cf__0, x"), ("x, c", "x, c/_0__cf__0")):
        check_transform(
            "fold_constants",
            f"x = Placeholder()\n{SUM}\ny = Sub({operands})\n-> y",
            f"x = Placeholder()\nc/_0__cf__0 = Const(3)\ny = Sub({wanted})\n-> y",
        )


@pytest.mark.parametrize("transform", ["fold_constants", "fold_constants(ignore_errors=true)", "quantize_nodes"])
def test_an_input_that_is_not_there_is_an_error(transform: str) -> None:
    graph, _ = parse("x = Placeholder()\ny = Add(x, gone)\n-> y")
    with pytest.raises(GraphError, match="'y' reads 'gone', which is not in the graph"):
        pbslim.transform(graph, transform, ["x"], ["y"])


def test_a_negative_limit_is_none() -> None:
    before = f"x = Placeholder()\n{SUM}\ny = Mul(x, c)\n-> y"
    check_refuses("fold_constants(max_constant_size_in_bytes=3)", before, "over the limit of 3")
    assert "c" not in apply("fold_constants(max_constant_size_in_bytes=-1)", before)[0]


def test_a_constant_output_keeps_its_op() -> None:
    before = f"x = Placeholder()\nr = Relu(x)\n{SUM}\ny = Add(c, a, ^r)\n-> y"
    check_refuses("fold_constants", before, "it is an output of the graph and keeps its op")


def test_what_a_constant_waits_for_stays() -> None:
    check_transform(
        "fold_constants",
        f"x = Placeholder()\nr = Relu(x)\n{SUM}\nd = Neg(c, ^r)\ny = Mul(x, d)\n-> y",
        "x = Placeholder()\nr = Relu(x)\nd/_0__cf__0 = Const(-3, ^r)\ny = Mul(x, d/_0__cf__0)\n-> y",
    )


def test_twice_changes_nothing_more() -> None:
    graph, _ = apply("fold_constants", f"x = Placeholder()\n{SUM}\ny = Mul(x, c)\n-> y")
    before = show(graph)
    pbslim.transform(graph, "fold_constants", ["x"], ["y"])
    assert show(graph) == before


@pytest.mark.parametrize(
    "dtype",
    [
        *("float", "double", "half", "bfloat16", "int8", "uint16", "int64", "bool", "complex64"),
        *("string", "qint8", "quint8", "resource", "variant", "int4"),
    ],
)
@pytest.mark.parametrize("op", ["Placeholder", "PlaceholderV2"])
@pytest.mark.parametrize("fed", [True, False], ids=["input", "no input"])
def test_placeholders_of_any_type(dtype: str, op: str, fed: bool) -> None:
    before = f"x = {op}(dtype={dtype!r})\n{SUM}\ny = Neg(c)\nz = IdentityN(y, x, T=['float', {dtype!r}])\n-> z"
    graph, _ = apply("fold_constants", before, ["x"] if fed else [])
    assert show(graph) == [f"x = {op}()", "y/_0__cf__0 = Const(-3.0)", "z = IdentityN(y/_0__cf__0, x)"]
    assert str(graph["x"].attrs["dtype"]) == dtype


DEFAULT = """
    c = Const(2)
    p = PlaceholderWithDefault(c, dtype='float', shape=[])
    q = Neg(p)
    x = Placeholder()
    y = Mul(x, q)
    -> y
"""


def test_a_default_that_is_not_fed_is_fixed_and_said() -> None:
    graph, (result,) = apply("fold_constants", DEFAULT)
    assert show(graph) == ["q/_0__cf__0 = Const(-2.0)", "x = Placeholder()", "y = Mul(x, q/_0__cf__0)"]
    assert result.notes == ["'p' is not among the inputs: its default value is fixed"]


def test_a_default_that_is_fed_becomes_a_placeholder() -> None:
    graph, (result,) = apply("fold_constants", DEFAULT, ["x", "p"])
    assert "q = Neg(p)" in show(graph)
    assert graph["p"].op == "Placeholder"
    assert str(graph["p"].attrs["dtype"]) == "float"
    assert "c" not in graph
    assert not result.notes


def test_a_default_of_unknown_value_is_not_fixed() -> None:
    before = "x = Placeholder()\nr = Relu(x)\np = PlaceholderWithDefault(r, dtype='float', shape=[])\ny = Neg(p)\n-> y"
    check_transform("fold_constants", before, before)


SHAPE = """
    x = Placeholder(shape={})
    s = Shape(x)
    k = Neg(s, T='int32')
    r = Rank(x)
    y = Reshape(x, k)
    z = Add(y, r)
    -> z
"""


@pytest.mark.parametrize(
    ("shape", "folded"),
    [("[2, 3]", {"k", "r"}), ("[]", {"k", "r"}), ("[0]", {"k", "r"}), ("[-1, 3]", {"r"}), ("None", set())],
)
def test_shapes_that_are_known_are_constants(shape: str, folded: set[str]) -> None:
    graph, _ = apply("fold_constants", SHAPE.format(shape))
    assert {node.name.partition("/")[0] for node in graph if node.op == "Const"} == folded
    assert ("s" in graph) == ("k" not in folded)


CONTROL_FLOW = """
    x = Placeholder()
    c = Const(1)
    t = Const(True, dtype='bool')
    s = Switch({data}, {predicate})
    p = Neg(s)
    q = Relu(s:1)
    m = Merge(p, q, N=2)
    y = Mul(x, m)
    -> y
"""


def test_branches_are_not_constant_and_stay() -> None:
    text = CONTROL_FLOW.format(data="c", predicate="t")
    check_transform("fold_constants", text, text)


def test_loops_are_not_constant() -> None:
    text = """
        x = Placeholder()
        c = Const(0)
        e = Enter(c, frame_name='f')
        m = Merge(e, n, N=2)
        k = Const(3, ^m)
        l = Less(m, k)
        b = LoopCond(l)
        s = Switch(m, b)
        o = Const(1, ^m)
        a = Add(s:1, o)
        n = NextIteration(a)
        z = Exit(s)
        y = Mul(x, z)
        -> y
    """
    check_transform("fold_constants(prune_branches=true)", text, text)


FUNCTIONS = {"F(a: float)": "n = Neg(a)\n-> y = n:y:0", "G(a: float)": "n = Relu(a)\n-> y = n:activations:0"}


@pytest.mark.parametrize(
    "call",
    [
        "PartitionedCall(c, f='F', Tin=['float'], Tout=['float'])",
        "StatefulPartitionedCall(c, f='F', Tin=['float'], Tout=['float'])",
        "F(c)",
        "If(t, c, Tcond='bool', Tin=['float'], Tout=['float'], then_branch='F', else_branch='G')",
        "StatelessIf(t, c, Tcond='bool', Tin=['float'], Tout=['float'], then_branch='F', else_branch='G')",
        "While(c, T=['float'], cond='F', body='G')",
        "StatelessWhile(c, T=['float'], cond='F', body='G')",
        "Case(c, Tin=['float'], Tout=['float'])",
        "MapDefun(c, f='F')",
    ],
)
def test_functions_of_constants_are_not_evaluated(call: str) -> None:
    main = f"x = Placeholder()\nc = Const(1)\nt = Const(True, dtype='bool')\nf = {call}\ny = Mul(x, f)\n-> y"
    graph = run("fold_constants", main, FUNCTIONS)
    assert graph["f"].op == call.partition("(")[0]
    assert graph["y"].inputs[1].node is graph["f"]
    assert list(graph.library.functions) == ["F", "G"]


@pytest.mark.parametrize(
    ("before", "reason"),
    [
        ("x = Placeholder()\nk = Own(c)\ny = Mul(x, k)", "there is no kernel for op Own"),
        ("x = Placeholder()\nd = Const([1, 2])\ne = Const([1, 2, 3])\nk = Add(d, e)\ny = Mul(x, k)", ""),
        ("x = Placeholder()\nk = Tile(c, c)\ny = Mul(x, k)", ""),
    ],
)
def test_what_cannot_be_computed_stays(before: str, reason: str) -> None:
    check_refuses("fold_constants", f"c = Const(1)\n{before}\nz = Add(y, c)\n-> z", reason)


@pytest.mark.parametrize(
    ("inputs", "outputs", "message"),
    [
        (["x"], [], "no outputs are given"),
        (["x"], ["gone"], "output 'gone' is not in the graph"),
        (["gone"], ["y"], "input 'gone' is not in the graph"),
        (["y"], ["y"], "'y' is both an input and an output"),
        (["n"], ["y"], "input 'n' is a Neg, not a Placeholder"),
        (["x:1"], ["y"], "input 'x:1': Placeholder has 1 output"),
        (["x"], ["y:2"], "output 'y:2': Neg has 1 output"),
        (["x"], ["z"], "output 'z': NoOp has 0 outputs"),
        (["x", "x"], ["y"], "input 'x' is named twice"),
    ],
)
def test_wrong_endpoints_are_errors(inputs: list[str], outputs: list[str], message: str) -> None:
    graph, _ = parse("x = Placeholder()\nn = Neg(x)\ny = Neg(n)\nz = NoOp()")
    with pytest.raises(TransformError, match=message):
        pbslim.transform(graph, "fold_constants", inputs, outputs)


# prune_branches


@pytest.mark.parametrize(("value", "kept"), [("True", "Relu"), ("False", "Neg")])
def test_the_branch_that_is_taken_stays(value: str, kept: str) -> None:
    graph, _ = apply(
        "fold_constants(prune_branches=true)",
        CONTROL_FLOW.format(data="x", predicate="t").replace("True", value),
    )
    name = "q" if kept == "Relu" else "p"
    assert show(graph) == sorted(
        ["x = Placeholder()", "s = Identity(x)", f"{name} = {kept}(s)", f"m = Identity({name})", "y = Mul(x, m)"]
    )


def test_a_branch_of_constants_is_folded() -> None:
    graph, _ = apply("fold_constants(prune_branches=true)", CONTROL_FLOW.format(data="c", predicate="t"))
    assert show(graph) == ["m/_0__cf__0 = Const(1.0)", "x = Placeholder()", "y = Mul(x, m/_0__cf__0)"]


def test_a_predicate_that_is_fed_decides_nothing() -> None:
    text = CONTROL_FLOW.format(data="x", predicate="t").replace(
        "Const(True, dtype='bool')", "Placeholder(dtype='bool')"
    )
    text = text.replace("    c = Const(1)\n", "")
    check_transform("fold_constants(prune_branches=true)", text, text)


def test_which_branch_was_taken_is_a_constant() -> None:
    text = CONTROL_FLOW.format(data="x", predicate="t").replace("Mul(x, m)", "Mul(x, m:1)")
    graph, _ = apply("fold_constants(prune_branches=true)", text)
    assert "m/value_index = Const(1, ^m, dtype=int32)" in show(graph)
    assert "y = Mul(x, m/value_index)" in show(graph)


def test_branches_in_branches_and_what_waits_in_them() -> None:
    before = """
        x = Placeholder()
        on = Placeholder(dtype='bool')
        t = Const(True, dtype='bool')
        s = Switch(x, on)
        pivot = Identity(s:1)
        inner = Switch(pivot, t)
        live = Identity(inner:1)
        dead = Identity(inner)
        a = Const(5, ^live)
        b = Const(6, ^dead)
        d = Mul(live, a)
        e = Mul(dead, b)
        m = Merge(e, d, N=2)
        n = Neg(s)
        y = Merge(n, m, N=2)
        -> y
    """
    after = """
        x = Placeholder()
        on = Placeholder(dtype='bool')
        s = Switch(x, on)
        pivot = Identity(s:1)
        inner = Identity(pivot)
        live = Identity(inner)
        a = Const(5, ^live)
        d = Mul(live, a)
        m = Identity(d)
        n = Neg(s)
        y = Merge(n, m, N=2)
        -> y
    """
    check_transform("fold_constants(prune_branches=true)", before, after)


def test_a_loop_in_a_dead_branch_goes() -> None:
    text = """
        x = Placeholder()
        t = Const(False, dtype='bool')
        s = Switch(x, t)
        e = Enter(s:1, frame_name='f')
        m = Merge(e, n, N=2)
        k = Const(3, ^m)
        l = Less(m, k)
        b = LoopCond(l)
        w = Switch(m, b)
        n = NextIteration(w:1)
        z = Exit(w)
        o = Neg(s)
        y = Merge(o, z, N=2)
        u = Neg(y)
        -> u
    """
    graph, _ = apply("fold_constants(prune_branches=true)", text)
    assert show(graph) == ["o = Neg(s)", "s = Identity(x)", "u = Neg(y)", "x = Placeholder()", "y = Identity(o)"]


@pytest.mark.parametrize(
    ("outputs", "reason"),
    [
        ("y, p", "the output 'p' is in a branch that is never taken"),
        ("y, m:1", "'m:1' says which branch was taken and is an output"),
    ],
)
def test_outputs_stay_reachable(outputs: str, reason: str) -> None:
    text = (
        CONTROL_FLOW.format(data="x", predicate="t").replace("-> y", f"-> {outputs}").replace("    c = Const(1)\n", "")
    )
    check_refuses("fold_constants(prune_branches=true)", text, reason)


def test_a_switch_that_is_an_output_stays() -> None:
    text = CONTROL_FLOW.format(data="x", predicate="t").replace("-> y", "-> y, s:1").replace("    c = Const(1)\n", "")
    check_transform("fold_constants(prune_branches=true)", text, text)


def test_a_merge_that_is_an_output_keeps_its_name() -> None:
    text = CONTROL_FLOW.format(data="x", predicate="t").replace("-> y", "-> m")
    graph, _ = apply("fold_constants(prune_branches=true)", text)
    assert "m = Identity(q)" in show(graph)


@pytest.mark.parametrize(("value", "function"), [("True", "F"), ("False", "G")])
@pytest.mark.parametrize(("op", "call"), [("If", "StatefulPartitionedCall"), ("StatelessIf", "PartitionedCall")])
def test_an_if_becomes_a_call(op: str, call: str, value: str, function: str) -> None:
    branches = "Tcond='bool', Tin=['float'], Tout=['float'], then_branch='F', else_branch='G'"
    main = f"x = Placeholder()\nt = Const({value}, dtype='bool')\ny = {op}(t, x, {branches})\n-> y"
    graph = run("fold_constants(prune_branches=true)", main, FUNCTIONS)
    assert graph["y"].op == call
    assert graph["y"].attrs["f"].name == function  # type: ignore[union-attr]
    assert [value.name for value in graph["y"].inputs] == ["x"]
    assert {node.name for node in graph} == {"x", "y"}


def test_an_if_without_branches_stays() -> None:
    graph = load("t = Const(True, dtype='bool')\ny = If(t)\n-> y", {})
    pbslim.transform(graph, "fold_constants(prune_branches=true)", [], ["y"])
    assert graph["y"].op == "If"


# In TensorFlow


def session_run(tf: Any, data: bytes, outputs: list[str], feeds: dict[str, Any]) -> list[Any]:
    with tf.Graph().as_default() as loaded:
        tf.import_graph_def(tf.compat.v1.GraphDef.FromString(data), name="")
        with tf.compat.v1.Session(graph=loaded) as session:
            return list(session.run(outputs, feeds))


def hold_equal(tf: Any, before: list[Any], graph: Graph, outputs: list[str], feeds: dict[str, Any]) -> None:
    """Compare what TensorFlow computes with what it did before."""
    given = {name: value for name, value in feeds.items() if name.partition(":")[0] in graph}
    for first, second in zip(before, session_run(tf, to_bytes(graph), outputs, given), strict=True):
        assert first.dtype == second.dtype
        np.testing.assert_allclose(second, first, rtol=1e-5, atol=1e-6)


class Random:
    """A random graph of small matrices, built by TensorFlow: constants, placeholders, branches, control edges."""

    def __init__(self, tf: Any, seed: int) -> None:
        self.tf, self.random = tf, np.random.default_rng(seed)
        self.values = [self.constant() for _ in range(4)]
        self.x = tf.compat.v1.placeholder(tf.float32, [None, 3], name="x")
        self.n = tf.compat.v1.placeholder_with_default(np.int32(self.random.integers(1, 4)), [], name="n")
        self.unknown = tf.compat.v1.placeholder(tf.float32, None, name="u")
        self.values += [self.x, self.unknown]
        for _ in range(25):
            with tf.control_dependencies([self.pick().op] if self.random.random() < 0.2 else []):
                self.values.append(self.step())

    def constant(self) -> Any:
        return self.tf.constant(self.random.normal(size=(3, 3)).astype(np.float32))

    def pick(self) -> Any:
        return self.values[self.random.integers(len(self.values))]

    def step(self) -> Any:
        tf, a, b = self.tf, self.pick(), self.pick()
        loose = [tf.TensorShape([]), tf.TensorShape(None)]
        steps = [
            lambda: a + b,
            lambda: a * tf.sigmoid(b),
            lambda: tf.tanh(a @ b),
            lambda: tf.maximum(a, 0.5) - tf.transpose(b),
            lambda: tf.split(tf.concat([a, b], 0), 2)[int(self.random.integers(2))],
            lambda: tf.nn.softmax(a),
            lambda: tf.reshape(a, tf.shape(b)),
            lambda: a * tf.cast(tf.shape(b)[self.random.integers(2)] + tf.rank(a), tf.float32),
            lambda: tf.nn.top_k(a, 3)[int(self.random.integers(1))],
            lambda: tf.unstack(tf.stack([a, b]), 2)[int(self.random.integers(2))],
            lambda: tf.cond(self.n > 2, lambda: a + 1.0, lambda: tf.sin(b)),
            lambda: tf.cond(
                tf.reduce_sum(a) > 0, lambda: tf.cond(self.n < 3, lambda: a, lambda: a - b), lambda: b / 2.0
            ),
            lambda: tf.while_loop(lambda i, _: i < self.n, lambda i, v: (i + 1, tf.tanh(v + b)), [0, a], loose)[1],
            lambda: tf.slice(tf.pad(a, [[1, 1], [0, 0]]), [1, 0], tf.shape(b)),
            lambda: tf.reduce_mean(a, 0, keepdims=True) + b,
        ]
        result = steps[self.random.integers(len(steps))]()
        return result if self.random.random() < 0.8 else tf.compat.v1.identity(result)


@pytest.mark.tensorflow
@pytest.mark.parametrize("functional", [False, True], ids=["switch", "if"])
@pytest.mark.parametrize("seed", range(12))
def test_random_graphs_compute_the_same(seed: int, functional: bool) -> None:
    tf = pytest.importorskip("tensorflow")
    toggle = tf.compat.v1.enable_control_flow_v2 if functional else tf.compat.v1.disable_control_flow_v2
    toggle()
    try:
        with tf.Graph().as_default() as graph:
            made = Random(tf, seed)
            outputs = [value.name for value in made.values[-3:] if value.op.type not in ("Const", "Placeholder")]
            data = graph.as_graph_def().SerializeToString()
    finally:
        tf.compat.v1.enable_control_flow_v2()
    both = {"x:0": made.random.normal(size=(3, 3)), "u:0": made.random.normal(size=(3, 3))}
    for feeds in (both, both | {"n:0": 3}):
        before, inputs = session_run(tf, data, outputs, feeds), [name.removesuffix(":0") for name in feeds]
        for options in ("", "prune_branches=true, drop_idle_controls=true, functions=true"):
            graph = pbslim.load(data)
            pbslim.transform(graph, f"fold_constants({options})", inputs, outputs)
            hold_equal(tf, before, graph, outputs, feeds)
            assert "n" not in inputs or graph["n"].op == "Placeholder"
    pruned = pbslim.load(data)
    pbslim.transform(pruned, "fold_constants(prune_branches=true)", ["x", "u"], outputs)
    predicates = {node.inputs[1].node.op for node in pruned if node.op == "Switch"}
    assert "Const" not in predicates
    assert not [node for node in pruned if node.op.endswith("If") and node.inputs[0].node.op == "Const"]


NOTED = """
    x = Placeholder(shape=None)
    s = Shape(x, out_type='int32')
    c = Cast(s, SrcT='int32', DstT='float')
    y = Mul(x, c)
    -> y
"""


def noted(shape: Shape) -> Graph:
    graph, _ = parse(NOTED)
    graph["x"].set_attr("_output_shapes", (shape,))
    graph.forget_changes()
    return graph


def test_shapes_that_are_noted_are_known_where_the_notes_stay() -> None:
    graph = noted(Shape((1, 1, 3)))
    pbslim.transform(graph, "fold_constants(clear_output_shapes=false)", ["x"], ["y"])
    assert sorted(node.op for node in graph) == ["Const", "Mul", "Placeholder"]
    assert graph["y"].inputs[1].node.tensor().numpy().tolist() == [1, 1, 3]
    graph = noted(Shape((1, 1, 3)))
    pbslim.transform(graph, "fold_constants", ["x"], ["y"])
    assert len(graph) == 4
    assert "_output_shapes" not in graph["x"].attrs


def test_notes_that_contradict_the_graph_are_an_error() -> None:
    graph = noted(Shape((1, 1, 3)))
    graph["x"].set_attr("shape", Shape((2, 1, 3)))
    with pytest.raises(TransformError, match="the _output_shapes of 'x' contradict the graph"):
        pbslim.transform(graph, "fold_constants(clear_output_shapes=false)", ["x"], ["y"])


@pytest.mark.parametrize("dtype", ["string", "uint16", "float", "resource"])
@pytest.mark.parametrize("op", ["Shape", "Size"])
def test_shapes_of_a_type_that_they_cannot_have_stay(op: str, dtype: str) -> None:
    text = f"a = Const([1, 2])\ns = {op}(a, out_type={dtype!r})\ny = IdentityN(s, T=[{dtype!r}])\n-> y"
    graph, _ = apply("fold_constants", text, [])
    assert graph["y"].inputs[0].node.op == op


@pytest.mark.parametrize("op", ["Shape", "Size"])
def test_sizes_that_do_not_fit_their_type_stay(op: str) -> None:
    graph, _ = parse(f"a = Const(1)\ns = {op}(a, out_type='int32')\ny = Neg(s, T='int32')\n-> y")
    graph["a"].set_attr("value", SplatTensor(np.float32(1), FLOAT, (1 << 31,)))
    graph.forget_changes()
    pbslim.transform(graph, "fold_constants", [], ["y"])
    assert graph["y"].inputs[0].node.op == op
