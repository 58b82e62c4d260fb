"""Nodes that do not fit their ops, and what they can only mean."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import pbslim
from pbslim.analysis.conformity import misfits
from pbslim.ir import Graph
from pbslim.wire import to_bytes
from tests import functions
from tests.graphs import apply, check_transform, parse, show

INPUTS = "x = Placeholder()\np = Placeholder(dtype='bool')\nw = Const([1, 2])\n"


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("y = ReadVariableOp(w, dtype='float')", "y = Identity(w)"),
        ("y = VariableShape(w, T='int32')", "y = Shape(w)"),
        ("y = VarIsInitializedOp(w)", "y = Const(True, dtype='bool')"),
        ("y = Neg(x, w)", "y = Neg(x, ^w)"),
        ("y = NoOp(x)", "y = NoOp(^x)"),
        ("k = Const(1, x)\ny = Add(x, k)", "k = Const(1, ^x)\ny = Add(x, k)"),
        ("s = RefSwitch(w, p)\ny = Neg(s:1)", "s = Switch(w, p)\ny = Neg(s:1)"),
        ("y = RefIdentity(w)", "y = Identity(w)"),
        ("y = ResourceGatherNd(w, i, dtype='float', Tindices='int32')", "y = GatherNd(w, i, Tindices='int32')"),
        (
            "y = ResourceGather(w, i, dtype='float', Tindices='int32', validate_indices=True)",
            "y = GatherV2(w, i, y/axis, Tindices='int32', Taxis='int32')\ny/axis = Const(0, dtype='int32')",
        ),
    ],
)
def test_one_node(before: str, after: str) -> None:
    index = "i = Const([[0]], dtype='int32')\n"
    graph, _ = apply("repair_nodes", INPUTS + index + before)
    wanted, _ = parse(INPUTS + index + after)
    assert [line.replace("Tparams=<", "T=<") for line in _bare(graph)] == _bare(wanted)
    assert misfits(graph) == []


def _bare(graph: Graph) -> list[str]:
    for node in graph:
        node.remove_attr("Tparams")
    return show(graph)


def test_what_carries_a_constant_has_its_type() -> None:
    carried = """
        s = Switch(w, p, T={0})
        a = {1}(s:1, dtype='float')
        e = Enter(w, T={0}, frame_name='f')
        m = Merge(e, n, T={0}, N=2)
        l = LoopCond(p)
        t = Switch(m, l, T={0})
        b = {1}(t:1, dtype='float')
        i = Identity(t:1, T={0})
        n = NextIteration(i, T={0})
        o = Exit(t, T={0})
        c = {1}(o, dtype='float')
    """
    graph, results = apply("repair_nodes", INPUTS + carried.format("'resource'", "ReadVariableOp"))
    assert misfits(graph) == []
    assert {str(node.attrs["T"]) for node in graph if "T" in node.attrs} == {"float"}
    assert [graph[name].op for name in "abc"] == ["Identity"] * 3
    assert results[0].notes[0].startswith("repaired 's' (Switch): input 0 is 'w', which is float, not resource; ")
    assert not apply("repair_nodes repair_nodes", INPUTS + carried.format("'resource'", "ReadVariableOp"))[1][1].changed


def test_a_data_input_from_a_switch_is_a_control_edge_in_its_branch() -> None:
    before = INPUTS + "s = Switch(x, p)\nk = Const(2, s:1)\nj = Const(3, s)\ny = Mul(s:1, k)\nz = Mul(s, j)\n-> y, z"
    after = INPUTS + (
        "s = Switch(x, p)\nk = Const(2, ^s/Identity)\nj = Const(3, ^s/Identity_1)\ny = Mul(s:1, k)\nz = Mul(s, j)\n"
        "s/Identity = Identity(s:1)\ns/Identity_1 = Identity(s)"
    )
    check_transform("repair_nodes", before, after)
    graph, _ = apply("repair_nodes", before.replace("y = Mul(s:1, k)", "i = Identity(s:1)\ny = Mul(i, k)"))
    assert [node.name for node in graph["k"].controls] == ["i"]


def test_colocation_with_what_is_gone_is_dropped() -> None:
    check_transform("repair_nodes", INPUTS + "y = Neg(x, _class=['loc:@z'])", INPUTS + "y = Neg(x)")


@pytest.mark.parametrize(
    ("node", "problem"),
    [
        ("y = Add(x)", "it has 1 input, expected 2"),
        ("y = Neg(x, T='int32')", "input 0 is 'x', which is float, not int32"),
        ("y = ReadVariableOp(w, dtype='half')", "input 0 is 'w', which is float, not resource"),
        ("y = Neg(p, w)", "it has 2 inputs, expected 1"),
        ("y = Neg(x:3)", "input 0 is 'x:3', but Placeholder has 1 output"),
    ],
)
def test_what_could_mean_several_things_stays(node: str, problem: str) -> None:
    graph, results = apply("repair_nodes", INPUTS + node)
    assert show(graph) == show(parse(INPUTS + node)[0])
    (note,) = results[0].notes
    assert note.startswith("TensorFlow does not load this graph: 'y' (")
    assert note.endswith(problem)


MAIN = """
    x = Placeholder()
    p = Placeholder(dtype='bool')
    n = Const(0, dtype='int32')
    w = Const([1, 2])
    c = StatefulPartitionedCall(x, w, p, n, f='f_main', TYPES)
    y = Identity(c)
    z = Identity(c:1)
    -> y, z
""".replace("TYPES", "Tin=['float', 'resource', 'bool', 'int32'], Tout=['float', 'float']")
FUNCTIONS = {
    "f_main(a: float, v: resource, q: bool, n: int32)": """
        i = If(q, a, v, then_branch='f_t', else_branch='f_e', Tcond='bool', Tin=['float', 'resource'], Tout=['float'])
        w = While(n, i:output:0, v, cond='f_cond', body='f_body', T=['int32', 'float', 'resource'])
        g = ResourceGather(w:output:2, n, dtype='float', Tindices='int32')
        -> r = w:output:1, s = g:output:0
    """,
    "f_t(a: float, v: resource)": "w = ReadVariableOp(v, dtype='float')\ny = Add(a, w:value:0)\n-> r = y:z:0",
    "f_e(a: float, v: resource)": "w = ReadVariableOp(v, dtype='float')\ny = Mul(a, w:value:0)\n-> r = y:z:0",
    "f_cond(n: int32, a: float, v: resource)": """
        k = Const(3, dtype='int32')
        y = Less(n, k:output:0, T='int32')
        -> r: bool = y:z:0
    """,
    "f_body(n: int32, a: float, v: resource)": """
        k = Const(1, dtype='int32')
        m = Add(n, k:output:0, T='int32')
        w = ReadVariableOp(v, dtype='float')
        y = Mul(a, w:value:0)
        -> m: int32 = m:z:0, r = y:z:0, v: resource = v
    """,
}


def test_calls_hand_over_tensors_and_their_functions_take_them() -> None:
    graph = functions.run("repair_nodes", MAIN, FUNCTIONS)
    assert misfits(graph) == []
    assert misfits(graph.copy()) == []
    body = graph.library.functions["f_body"].body()
    assert list(map(str, body.argument_dtypes)) == ["int32", "float", "float"]
    assert list(map(str, body.dtypes)) == ["int32", "float", "float"]


@pytest.mark.tensorflow
def test_the_functions_run_in_tensorflow(tmp_path: Path) -> None:
    tensorflow = pytest.importorskip("tensorflow")
    graph = functions.run("repair_nodes", MAIN, FUNCTIONS)
    pbslim.save(graph, tmp_path / "out.pb")
    assert misfits(pbslim.load(tmp_path / "out.pb")) == []
    tf = tensorflow.compat.v1
    message = tf.GraphDef.FromString((tmp_path / "out.pb").read_bytes())
    message.versions.producer = 27
    with tf.Graph().as_default(), tf.Session() as session:
        tf.import_graph_def(message, name="")
        for value, expected in ((True, [4, 40]), (False, [3, 64])):
            y, z = session.run(["y:0", "z:0"], {"x:0": np.array([3, 3 if value else 4], np.float32), "p:0": value})
            assert y.tolist() == expected
            assert z.tolist() == 1


def test_a_function_that_is_called_in_two_ways_stays() -> None:
    call = next(line.strip() for line in MAIN.splitlines() if "StatefulPartitionedCall" in line)
    other = call.replace("c = ", "d = ").replace("(x, w,", "(x, h,")
    main = MAIN.replace("-> y, z", f"h = VarHandleOp(dtype='float', shape=[2])\n{other}\n-> y, z, d")
    graph = functions.run("repair_nodes", main, FUNCTIONS)
    assert [each.node for each in misfits(graph)] == ["c"]


def test_functions_called_by_their_names() -> None:
    main = "x = Placeholder()\nw = Const([1, 2])\nc = by_name(x, w)\ny = Neg(c)\nz = Neg(c:1)\n-> y"
    body = "w = ReadVariableOp(v, dtype='float')\ny = Add(a, w:value:0)\n-> r = y:z:0"
    graph = functions.load(main, {"by_name(a: float, v: resource)": body})
    assert list(map(str, misfits(graph))) == [
        "'c' (by_name): input 1 is 'w', which is float, not resource",
        "'z' (Neg): input 0 is 'c:1', but by_name has 1 output",
    ]
    pbslim.transform(graph, "repair_nodes", ["x"], ["y"])
    assert [each.node for each in misfits(graph)] == ["z"]
    assert list(map(str, graph.library.functions["by_name"].body().argument_dtypes)) == ["float", "float"]


def test_shapes_noted_for_handles_go_with_them() -> None:
    message = functions.message(
        "x = Placeholder()\nw = Const([1, 2])\nc = f(x, w)\n-> c",
        {"f(a: float, v: resource)": "w = ReadVariableOp(v, dtype='float')\n-> r = w:value:0"},
    )
    (function,) = message.library.function
    function.attr["_input_shapes"].list.shape.add()
    function.attr["_other"].i = 1
    for index in range(2):
        function.arg_attr[index].attr["_output_shapes"].list.shape.add()
    graph = pbslim.load(bytes(message.SerializeToString()))
    pbslim.transform(graph, "repair_nodes", ["x"], ["c"])
    message.ParseFromString(to_bytes(graph))
    (function,) = message.library.function
    assert list(function.attr) == ["_other"]
    assert list(function.arg_attr) == [0]
