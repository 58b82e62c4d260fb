"""What runs, what is dead, what is freed, and what is refused before anything runs."""

from __future__ import annotations

import weakref
from typing import Any

import numpy as np
import pytest

from pbslim.dtypes import Shape
from pbslim.engines import engine
from pbslim.errors import PbslimError, UsageError
from pbslim.ir import Graph
from tests import functions, graphs

BUILTIN = engine("builtin")
X = np.array([1.0, -2.0], np.float32)

BRANCH = """
    x = Placeholder()
    p = Placeholder(dtype='bool')
    s = Switch(x, p)
    yes = Identity(s:1)
    no = Neg(s:0)
    seven = Const([7], ^yes)
    two = Pack(no, no)
    m = Merge(yes, no)
    late = Merge(seven, no)
    done = NoOp(^seven)
    after = Identity(x, ^done)
    z = Identity(m)
    which = Identity(m:1, T='int32')
"""

LOOP = """
    zero = Const(0, dtype='int32')
    one = Const(1, dtype='int32')
    n = Placeholder(dtype='int32')
    x = Placeholder()
    i = Enter(zero, T='int32', frame_name='w')
    v = Enter(x, frame_name='w')
    limit = Enter(n, T='int32', frame_name='w', is_constant=True)
    step = Enter(one, T='int32', frame_name='w', is_constant=True)
    mi = Merge(i, ni, T='int32')
    mv = Merge(v, nv)
    less = Less(mi, limit, T='int32')
    go = LoopCond(less)
    si = Switch(mi, go, T='int32')
    sv = Switch(mv, go)
    body = Identity(si:1, T='int32')
    half = Const(0.5, ^body)
    next = Add(body, step, T='int32')
    scaled = Mul(sv:1, half)
    ni = NextIteration(next, T='int32')
    nv = NextIteration(scaled)
    out = Exit(sv)
    y = Neg(out)
"""


def run(text: str, feeds: dict[str, Any], *fetches: str) -> list[Any]:
    with BUILTIN.load(graphs.parse(text)[0]) as program:
        return [value.tolist() for value in program.run(feeds, fetches)]


@pytest.mark.parametrize("taken", [True, False])
def test_only_one_branch_runs(taken: bool) -> None:
    found = run(BRANCH, {"x": X, "p": np.bool_(taken)}, "z", "which", "late")
    assert found == ([[1, -2], 0, [7]] if taken else [[-1, 2], 1, [-1, 2]])


@pytest.mark.parametrize("name", ["two", "yes", "after", "s:1", "seven"])
def test_what_is_not_taken_has_no_value(name: str) -> None:
    taken = name == "two"
    with pytest.raises(PbslimError, match=f"'{name}' has no value: it is in a branch that is not taken"):
        run(BRANCH, {"x": X, "p": np.bool_(taken)}, "z", name)


@pytest.mark.parametrize(("turns", "expected"), [(0, [-1, 2]), (1, [-0.5, 1]), (3, [-0.125, 0.25])])
def test_a_loop(turns: int, expected: list[float]) -> None:
    assert run(LOOP, {"x": X, "n": np.int32(turns)}, "y", "out") == [expected, [-v for v in expected]]


def test_what_is_inside_of_a_loop_is_neither_fetched_nor_fed() -> None:
    feeds = {"x": X, "n": np.int32(1)}
    with pytest.raises(
        PbslimError, match=r"cannot run node 'scaled' \(Mul\): it is inside of a loop and has one value"
    ):
        run(LOOP, feeds, "scaled")
    with pytest.raises(PbslimError, match=r"node 'scaled' \(Mul\): it is inside of a loop and cannot be fed"):
        run(LOOP, {**feeds, "scaled": X}, "y")


@pytest.mark.parametrize(
    ("text", "node", "reason"),
    [
        ("x = Placeholder()\na = Add(x, b)\nb = Neg(a)", "a|b", "it needs its own result"),
        ("x = Placeholder()\na = Exit(x)", "a", "it leaves a loop that nothing enters"),
        ("x = Placeholder()\ne = Enter(x, frame_name='f')\na = Add(x, e)", "a", "its inputs come from different loops"),
        ("x = Placeholder()\na = Relu(x, T='string')", "a", "Relu: operand 0 is of type string"),
        ("v = VariableV2(dtype='float', shape=[2])\na = Neg(v)", "v", "freeze the graph first"),
        ("h = QueueDequeueV2(q)\nq = FIFOQueueV2()\na = Neg(h)", "h", "feed its outputs instead"),
        ("t = HashTableV2()\na = LookupTableSizeV2(t)", "t", "nothing in the graph initializes this table"),
        ("x = Placeholder()\na = PartitionedCall(x, f='nowhere')", "a", "function 'nowhere' is not in the file"),
        ("x = Placeholder()\na = PartitionedCall(x)", "a", "attribute 'f' does not name a function"),
    ],
)
def test_refusals_come_before_anything_runs(text: str, node: str, reason: str) -> None:
    found = BUILTIN.unsupported(graphs.parse(text)[0], ["a"])
    assert any(each.node in node.split("|") and reason in each.reason for each in found), found


def test_nodes_behind_what_is_fed_are_not_needed() -> None:
    graph = graphs.parse("h = Iterator()\na = Neg(h)")[0]
    assert BUILTIN.unsupported(graph, ["a"])
    assert BUILTIN.unsupported(graph, ["a"], ["h"]) == []
    with BUILTIN.load(graph) as program:
        assert program.run({"h": X}, ["a"])[0].tolist() == [-1, 2]


BODIES = {
    "Grow(n: int32, v: float)": """
        one = Const(1, dtype='int32')
        less = Sub(n, one:output:0, T='int32')
        more = Add(v, v)
        zero = Const(0, dtype='int32')
        left = Greater(less:z:0, zero:output:0, T='int32')
        y = If(left:z:0, less:z:0, more:z:0, then_branch='Grow', else_branch='Stop', Tout=['float'])
        -> result: float = y:output:0
    """,
    "Stop(n: int32, v: float)": "-> result: float = v",
    "Odd(v: float)": """
        u = Frobnicate(v)
        -> result: float = v, ^done = u
    """,
}


def test_a_loop_over_numbers() -> None:
    body = {
        "Step(i: int32, v: float)": """
        n = Cast(i, SrcT='int32', DstT='float')
        y = Add(n:y:0, v)
        -> result: float = y:z:0
    """
    }
    text = """
        x = Placeholder()
        a = Const(1, dtype='int32')
        b = Const(6, dtype='int32')
        d = Const(2, dtype='int32')
        y = For(a, b, d, x, T=['float'], body='Step')
        z = For(b, a, d, x, T=['float'], body='Step')
        back = Neg(d, T='int32')
        w = For(b, a, back, x, T=['float'], body='Step')
    """
    with BUILTIN.load(functions.load(text, body)) as program:
        assert [v.tolist() for v in program.run({"x": X}, ["y", "w"])] == [[10, 7], [13, 10]]
        with pytest.raises(PbslimError, match="node 'z': delta leads away from limit"):
            program.run({"x": X}, ["z"])


def call(name: str) -> Graph:
    text = f"x = Placeholder()\nn = Placeholder(dtype='int32')\ny = {name}(n, x)\nodd = PartitionedCall(x, f='Odd')"
    return functions.load(text, BODIES)


def test_recursion_has_an_end() -> None:
    graph = call("Grow")
    with BUILTIN.load(graph) as program:
        assert program.run({"x": X, "n": np.array(3, np.int32)}, ["y"])[0].tolist() == [8, -16]
        with pytest.raises(PbslimError, match="function 'Grow' is called within 64 other calls"):
            program.run({"x": X, "n": np.array(300, np.int32)}, ["y"])
        assert program.run({"x": X, "n": np.array(1, np.int32)}, ["y"])[0].tolist() == [2, -4]


def test_refusals_name_the_function() -> None:
    [found] = BUILTIN.unsupported(call("Grow"), ["odd"])
    assert str(found) == "node 'Odd/u' (Frobnicate): there is no kernel for this op"


def test_feeds_must_fit() -> None:
    graph = graphs.parse("x = Placeholder(shape=[2])\ns = Placeholder(dtype='string')\na = Neg(x)")[0]
    with BUILTIN.load(graph) as program:
        with pytest.raises(UsageError, match=r"input 'x' takes the shape \[2\], it is fed \[3\]"):
            program.run({"x": np.zeros(3, np.float32)}, ["a"])
        with pytest.raises(UsageError, match="input 'x' takes float, it is fed complex64"):
            program.run({"x": np.zeros(2, np.complex64)}, ["a"])
        with pytest.raises(UsageError, match="input 's' takes strings, it is fed float64"):
            program.run({"x": X, "s": np.zeros(2)}, ["a"])
        with pytest.raises(UsageError, match="the graph has no node 'y'"):
            program.run({"y": X}, ["a"])
        with pytest.raises(PbslimError, match="node 'a': it has no output 1"):
            program.run({"x": X}, ["a:1"])
        assert program.run({"x": X.astype(np.float64), "s": np.array(["text"])}, ["a", "s"])[1].tolist() == [b"text"]


def test_an_unknown_shape_of_an_old_file_is_written_like_that_of_a_scalar() -> None:
    graph = graphs.parse("x = Placeholder()\na = Neg(x)")[0]
    graph["x"].set_attr("shape", Shape(()))
    graph.set_producer(23)
    assert BUILTIN.load(graph).run({"x": X}, ["a"])[0].tolist() == [-1, 2]
    graph.set_producer(24)
    with pytest.raises(UsageError, match=r"takes the shape \[\]"):
        BUILTIN.load(graph).run({"x": X}, ["a"])


def test_feeds_and_constants_are_never_written_to() -> None:
    text = "x = Placeholder()\nc = Const([1, 2])\na = Relu(x)\nb = Add(a, c)\nd = Relu(c)\ne = Add(d, b)"
    x = X.copy()
    with BUILTIN.load(graphs.parse(text)[0]) as program:
        for _ in range(2):
            assert [v.tolist() for v in program.run({"x": x}, ["e", "d", "b"])] == [[3, 4], [1, 2], [2, 2]]
    assert x.tolist() == X.tolist()


def test_what_nobody_reads_any_more_is_freed() -> None:
    """At no time are more than a few of the results of a long chain alive."""
    lines = ["x = Placeholder()", "n0 = Exp(x)"] + [f"n{k + 1} = Transpose(n{k}, p)" for k in range(20)]
    text = "\n".join([*lines, "p = Const([1, 0], dtype='int32')", "y = Neg(n20)"])
    graph = graphs.parse(text)[0]
    for node in graph:
        if node.op == "Transpose":
            node.set_op("Reverse")
            node.set_inputs([node.inputs[0], graph["p"].output()])
    alive: list[weakref.ref[Any]] = []
    most = 0

    import pbslim.kernels.registry as registry

    original = registry.Prepared.__call__

    def counted(self: Any, *args: Any) -> Any:
        nonlocal most
        results = original(self, *args)
        alive.extend(weakref.ref(result) for result in results)
        most = max(most, sum(ref() is not None for ref in alive))
        return results

    graph["p"].set_attr("value", graphs.parse("p = Const([True, True], dtype='bool')")[0]["p"].tensor())
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(registry.Prepared, "__call__", counted)
        BUILTIN.load(graph).run({"x": np.ones((2, 2), np.float32)}, ["y"])
    assert len(alive) == 22
    assert most <= 3
