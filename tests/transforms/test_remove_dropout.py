"""Dropout that drops nothing."""

from __future__ import annotations

import pytest

from pbslim import api
from tests import functions
from tests.graphs import apply, check_transform, parse, show

START = """
    x = Placeholder(shape=[-1, 4])
    s = Shape(x)
    r = RandomUniform(s, dtype='float', T='int32')
    n = RandomStandardNormal(s, dtype='float', T='int32')
    one = Const(1)
    zero = Const(0)
    half = Const(0.5)
"""
CAST = "m = Cast(g, SrcT='bool', DstT='float')"
DONE = "x = Placeholder(shape=[-1, 4])\nz = Neg(x)"


def left(text: str, inputs: list[str] | None = None) -> list[str]:
    """What is left of the nodes that are not constants and that an output needs."""
    graph, _ = apply(
        "remove_dropout strip_unused_nodes", START + text.replace("CAST", CAST) + "\nz = Neg(y)\n-> z", inputs
    )
    return show(graph)


@pytest.mark.parametrize(
    "text",
    [
        "a = Add(one, r)\nm = Floor(a)\ny = Mul(x, m)",
        "a = AddV2(r, one)\nm = Floor(a)\nd = RealDiv(x, one)\ny = Mul(d, m)",
        "u = Mul(r, one)\nv = Add(u, zero)\ng = GreaterEqual(v, zero)\nCAST\ny = Mul(m, x)",
        "k = Sub(one, zero)\ng = Less(r, k)\nm = Cast(g, SrcT='bool', DstT='float')\nq = RealDiv(one, k)\n"
        "d = Mul(x, q)\ny = Mul(d, m)",
        "g = GreaterEqual(r, zero)\ny = SelectV2(g, x, zero)",
        "g = LessEqual(zero, r)\ny = SelectV2(g, x, zero)",
        "g = Less(r, zero)\ny = SelectV2(g, zero, x)",
        "g = GreaterEqual(r, zero)\no = ZerosLike(x)\ny = Select(g, x, o)",
        "g = Less(r, zero)\nl = LogicalNot(g)\nm = Cast(l, SrcT='bool', DstT='float')\ny = Mul(x, m)",
        "m = Mul(n, zero)\ny = Add(x, m)",
        "m = Mul(n, zero)\na = Add(m, one)\ny = Mul(x, a)",
        "g = GreaterEqual(r, zero)\nCAST\nk = Sub(one, m)\na = Mul(k, half)\ny = Add(x, a)",
        "h = Mul(x, half)\nt = Shape(h)\nq = StatelessRandomUniform(t, e, dtype='float', T='int32', Tseed='int64')\n"
        "e = Const([1, 2], dtype='int64')\na = Add(one, q)\nm = Floor(a)\ny = Mul(x, m)",
    ],
)
def test_spellings(text: str) -> None:
    assert left(text) == show(parse(DONE)[0])


@pytest.mark.parametrize(
    "shape",
    [
        "s = Const([4], dtype='int32')",
        "s = Const([1, 4], dtype='int32')",
        "s = Const([1], dtype='int32')",
        "t = Shape(x)\nb = Const([0], dtype='int32')\ne = Const([1], dtype='int32')\ni = Const(1, dtype='int32')\n"
        "p = StridedSlice(t, b, e, e, T='int32', Index='int32', shrink_axis_mask=1)\ns = Pack(p, i, T='int32', N=2)",
    ],
)
def test_shapes_that_fit(shape: str) -> None:
    text = START.replace("s = Shape(x)", shape) + "a = Add(one, r)\nm = Floor(a)\ny = Mul(x, m)\nz = Neg(y)\n-> z"
    graph, _ = apply("remove_dropout strip_unused_nodes", text)
    assert show(graph) == show(parse(DONE)[0])


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (("s = Shape(x)", "s = Const([3, 4], dtype='int32')"), "'r' may have more elements than 'x'"),
        (("s = Shape(x)", "s = Const([2, 1, 4], dtype='int32')"), "'r' may have more elements than 'x'"),
        (("s = Shape(x)", "w = Placeholder()\ns = Shape(w)"), "'r' may have more elements than 'x'"),
        (("one = Const(1)", "one = Const(0.9)"), ""),
        (("one = Const(1)", "one = Placeholder(shape=[])"), ""),
        (("one = Const(1)", "c = Const(1)\none = PlaceholderWithDefault(c, dtype='float', shape=[])"), ""),
        (("Mul(x, m)", "Mul(x, half)"), ""),
    ],
)
def test_what_may_matter_stays(change: tuple[str, str], reason: str) -> None:
    text = (START + "a = Add(one, r)\nm = Floor(a)\ny = Mul(x, m)\nz = Neg(y)\n-> z").replace(*change)
    graph, results = apply("remove_dropout", text)
    assert show(graph) == show(parse(text)[0])
    assert [skipped.reason for skipped in results[0].skipped] == ([reason] if reason else [])


def test_an_output_keeps_its_name_and_what_waits_keeps_its_edges() -> None:
    before = START + "a = Add(one, r)\nm = Floor(a)\ny = Mul(x, m)\n-> y"
    graph, _ = apply("remove_dropout strip_unused_nodes", before)
    assert show(graph) == show(parse("x = Placeholder(shape=[-1, 4])\ny = Identity(x)")[0])
    before = START + "k = NoOp()\na = Add(one, r)\nm = Floor(a)\ny = Mul(x, m, ^k)\nz = Neg(y)\n-> z"
    graph, _ = apply("remove_dropout strip_unused_nodes", before)
    assert show(graph) == ["k = NoOp()", "x = " + show(parse(DONE)[0])[0][4:], "y = Identity(x, ^k)", "z = Neg(y)"]


def test_in_a_loop_what_enters_counts() -> None:
    text = (
        START
        + """
        e = Enter(x, frame_name='f')
        k = Enter(one, frame_name='f', is_constant=True)
        m = Merge(e, n2, N=2)
        l = LoopCond(q)
        q = Less(m, k)
        w = Switch(m, l)
        i = Identity(w:1)
        t = Shape(i)
        u = RandomUniform(t, dtype='float', T='int32')
        a = Add(k, u)
        f = Floor(a)
        y = Mul(i, f)
        n2 = NextIteration(y)
        o = Exit(w)
        -> o
    """
    )
    graph, _ = apply("remove_dropout", text)
    assert "u" not in graph
    assert graph["n2"].inputs == (graph["i"].output(),)


def test_the_recipes_do_it_in_functions_too() -> None:
    main = "x = Placeholder()\nc = PartitionedCall(x, f='f_drop', Tin=['float'], Tout=['float'])\n-> c"
    body = """
        s = Shape(a, T='float', out_type='int32')
        r = RandomUniform(s:output:0, dtype='float', T='int32')
        k = Const(1)
        v = Add(k:output:0, r:output:0)
        m = Floor(v:z:0)
        y = Mul(a, m:y:0)
        z = Neg(y:z:0)
        -> o = z:y:0
    """
    graph = functions.run("remove_dropout(functions=true)", main, {"f_drop(a: float)": body})
    inner = graph.library.functions["f_drop"].body().graph
    assert {node.op for node in inner if node.name != "a"} <= {"Neg", "RandomUniform", "Shape"}
    assert inner["z"].inputs == (inner["a"].output(),)


def test_nothing_more_to_do() -> None:
    check_transform("remove_dropout remove_dropout", DONE + "\n-> z", DONE)
    graph, _ = parse(START + "a = Add(one, r)\nm = Floor(a)\ny = Mul(x, m)\nz = Neg(y)")
    results = api.transform(graph, "remove_dropout remove_dropout", ["x"], ["z"])
    assert results[0].changed
    assert not results[1].changed
