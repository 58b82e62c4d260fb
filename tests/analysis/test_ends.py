"""Where a graph ends, and what is found when nobody names inputs and outputs."""

from __future__ import annotations

import pytest

from pbslim.analysis.endpoints import find_names, require_frozen
from pbslim.analysis.ends import find_ends, idle_constants
from pbslim.analysis.inputs import pipeline_inputs
from pbslim.errors import UsageError
from tests.graphs import parse

COND = """
    p = Placeholder(dtype='bool')
    cond/Switch = Switch(p, p, T='bool')
    cond/switch_t = Identity(cond/Switch:1, T='bool')
    cond/switch_f = Identity(cond/Switch, T='bool')
    cond/pred_id = Identity(p, T='bool')
    cond/a/Switch = Switch(x, cond/pred_id)
    cond/a = Neg(cond/a/Switch:1)
    cond/b/Switch = Switch(x, cond/pred_id)
    cond/b = Abs(cond/b/Switch)
    cond/Merge = Merge(cond/b, cond/a, N=2)
"""
LOOP = """
    i = Const(0, dtype='int32')
    while/Enter = Enter(i, T='int32', frame_name='f')
    while/Enter_1 = Enter(x, frame_name='f')
    while/Merge = Merge(while/Enter, while/Next, T='int32', N=2)
    while/Merge_1 = Merge(while/Enter_1, while/Next_1, N=2)
    while/Less = Less(while/Merge, while/limit, T='int32')
    while/limit = Const(3, ^while/Merge, dtype='int32')
    while/LoopCond = LoopCond(while/Less)
    while/Switch = Switch(while/Merge, while/LoopCond, T='int32')
    while/Switch_1 = Switch(while/Merge_1, while/LoopCond)
    while/unread = Neg(while/Switch_1:1)
    while/one = Const(1, ^while/Switch_1, dtype='int32')
    while/Add = Add(while/Switch:1, while/one, T='int32')
    while/Mul = Mul(while/Switch_1:1, while/Switch_1:1)
    while/Next = NextIteration(while/Add, T='int32')
    while/Next_1 = NextIteration(while/Mul)
    while/Exit = Exit(while/Switch, T='int32')
    while/Exit_1 = Exit(while/Switch_1)
"""


def ends(text: str) -> list[str]:
    return [node.name for node in find_ends(parse("x = Placeholder()\n" + text)[0])]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        (COND, ["cond/Merge"]),
        (LOOP, ["while/Exit", "while/Exit_1"]),
        (LOOP.replace("Enter(x,", "Enter(c,") + "c = Const([2])", ["while/Exit", "while/Exit_1"]),
        (LOOP + "y = Neg(while/Exit_1)", ["y"]),  # the counter is not a result
        (COND.replace("Neg(cond/a/Switch:1)", "Neg(cond/a/Switch:1)\ny = Neg(cond/a)"), ["cond/Merge"]),
        ("s = Switch(x, x)\ny = Neg(s:1)", ["y"]),  # where a graph ends in a branch, it ends there
        ("y = Neg(x)\nn = NoOp(^y)", ["y"]),
        ("y = Neg(x)\nn = NoOp(^y)\nz = Abs(x, ^n)", ["z"]),
        (
            "y = Neg(x)\nq = FIFOQueueV2(component_types=['float'])\ne = QueueEnqueueV2(q, x)\nc = QueueCloseV2(q)",
            ["y"],
        ),
        ("y = Neg(x)\nunused_control_flow_input = Placeholder(dtype='bool')", ["y"]),
        ("y = Neg(x)\nt = HashTableV2(key_dtype='string', value_dtype='int64')", ["y"]),
        ("y = Neg(x)\nloss/Shape = Shape(x)", ["y"]),
        ("loss/Shape = Shape(x)", ["loss/Shape"]),
        ("y = Neg(x)\ns = Shape(y)\nm = Mul(s, s, T='int32')", ["y", "m"]),  # nothing else shows what y is
        ("y = Neg(x)\ns = Shape(y)\nm = Mul(s, s, T='int32')\nz = Abs(y)", ["m", "z"]),
        ("y = Neg(x)\np = Print(y)", ["p"]),
        ("y = Neg(x)\np = Print(y)\nz = Neg(y)", ["z"]),
        ("y = Neg(x)\ns = ScalarSummary(x)\nv = AssignVariableOp(x)\nc = Const(3)", ["y"]),
        ("c = Const(3)\ny = Neg(c)", ["y"]),
    ],
)
def test_ends(text: str, found: list[str]) -> None:
    assert ends(text) == found


def test_an_assertion_is_no_end() -> None:
    text = """
        y = Neg(x)
        p = Less(x, x)
        g/Switch = Switch(p, p, T='bool')
        g/switch_t = Identity(g/Switch:1, T='bool')
        g/switch_f = Identity(g/Switch, T='bool')
        g/NoOp = NoOp(^g/switch_t)
        g/t = Identity(g/switch_t, ^g/NoOp, T='bool')
        g/Assert = Assert(p, x, ^g/switch_f, T=['float'])
        g/f = Identity(g/switch_f, ^g/Assert, T='bool')
        g/Merge = Merge(g/f, g/t, T='bool', N=2)
    """
    assert ends(text) == ["y"]


def test_constants_that_nothing_reads() -> None:
    text = """
        x = Placeholder()
        Const = Const([9])
        transitions = Const([1, 2])
        v = Const([3])
        v/read = Identity(v)
        w = Const([4])
        y = Mul(x, w)
    """
    assert [node.name for node in idle_constants(parse(text)[0])] == ["transitions", "v/read", "Const"]


PIPELINE = """
    q = FIFOQueueV2(component_types=['float', 'int32'])
    e = VariableV2(dtype='int64', shape=[])
    batch = QueueDequeueManyV2(q, n, component_types=['float', 'int32'], _output_shapes=[])
    n = CountUpTo(e, T='int64')
    y = Neg(batch)
    loss = Neg(batch:1, T='int32')
"""


@pytest.mark.parametrize(
    ("text", "outputs", "inputs", "cuts"),
    [
        (PIPELINE, ["y"], [], ["batch:float"]),
        (PIPELINE, ["y", "loss"], [], ["batch:float", "batch:1:int32"]),
        (PIPELINE, ["y"], ["batch"], []),
        ("x = Placeholder()\ny = Neg(x)", ["y"], [], []),
        (
            "i = IteratorV2()\nx = IteratorGetNext(i, output_types=['float'])\ny = Neg(d)\n"
            "d = PlaceholderWithDefault(x, dtype='float', shape=[-1, 4])",
            ["y"],
            [],
            ["d:float[?,4]"],
        ),
    ],
)
def test_where_to_cut_off_an_input_pipeline(text: str, outputs: list[str], inputs: list[str], cuts: list[str]) -> None:
    assert list(map(str, pipeline_inputs(parse(text)[0], outputs, inputs))) == cuts


def test_only_the_pipeline_is_not_frozen() -> None:
    graph, _ = parse(PIPELINE)
    with pytest.raises(UsageError, match=r"the graph is fed by 'batch'; .* cut it there: --input batch:float$"):
        require_frozen(graph, ["y"])
    require_frozen(graph, ["y"], ["batch"])
    graph, _ = parse(PIPELINE + "v = VariableV2(dtype='float')\nz = Mul(y, v)")
    with pytest.raises(UsageError, match="2 variables without values here, such as 'e'; freeze it first"):
        require_frozen(graph, ["z"])


def test_names_that_a_graph_shows() -> None:
    assert find_names(parse("x = Placeholder()\nu = Placeholder()\n" + COND)[0]) == (["x", "p"], ["cond/Merge"])
