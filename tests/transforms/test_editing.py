"""The transforms that only edit: devices, attributes, control edges, order, duplicates."""

from __future__ import annotations

import numpy as np
import pytest

from pbslim.errors import GraphError, TransformError, TransformSyntaxError
from tests.graphs import apply, check_transform


def test_remove_device() -> None:
    before = "x = Placeholder(device='/gpu:0')\ny = Neg(x, device='/cpu:0')\n-> y"
    check_transform("remove_device", before, "x = Placeholder()\ny = Neg(x)\n-> y")


DEVICES = "x = Placeholder(device='/gpu:0')\nc = Const(1)\ny = Mul(x, c, ^c)\n-> y"


@pytest.mark.parametrize(
    ("arguments", "x", "other"),
    [
        ('(device="/cpu:0")', "/cpu:0", "/cpu:0"),
        ('(device="/cpu:0", if_default=1)', "/gpu:0", "/cpu:0"),
        ("", "", ""),
        ("(if_default=true)", "/gpu:0", ""),
    ],
)
def test_set_device(arguments: str, x: str, other: str) -> None:
    graph, results = apply(f"set_device{arguments} set_device{arguments}", DEVICES)
    assert [node.device for node in graph] == [x, other, other]
    assert not results[1].changed


@pytest.mark.parametrize("arguments", ["if_default=True", "if_default=yes", "device=a, device=b"])
def test_set_device_refuses(arguments: str) -> None:
    with pytest.raises(TransformSyntaxError):
        apply(f"set_device({arguments})", DEVICES)


HEXAGON = [
    'fuse_remote_graph(fused_nodes="y", remote_fused_graph_executor_name=e)',
    "place_remote_graph_arguments(border_inputs=x, fuse_by_executor=true)",
    'rewrite_quantized_stripped_model_for_hexagon(input_shape0="1,2", input_type0=float, input_type1=float)',
]


@pytest.mark.parametrize("transform", HEXAGON)
def test_what_is_for_the_hexagon_processor_says_why_not(transform: str) -> None:
    with pytest.raises(TransformError, match=r"^\w+: not supported, because [^\n]*; leave it out"):
        apply(transform, DEVICES)
    ignored = transform.replace("(", "(ignore_errors=true, ")
    graph, results = apply(f"{ignored} remove_device", DEVICES)
    assert "not supported" in results[0].error
    assert not results[0].notes
    assert not graph["x"].device


def test_remove_attribute_of_one_op() -> None:
    before = "x = Placeholder(foo=1)\ny = Neg(x, foo=2)\n-> y"
    check_transform("remove_attribute(attribute_name=foo, op_name=Neg)", before, "x = Placeholder(foo=1)\ny = Neg(x)")


def test_remove_control_dependencies() -> None:
    check_transform(
        "remove_control_dependencies",
        "x = Placeholder()\ny = Neg(x, ^x)\n-> y",
        "x = Placeholder()\ny = Neg(x)\n-> y",
    )


def test_what_a_control_edge_holds_in_a_branch_stays_there() -> None:
    graph, results = apply(
        "remove_control_dependencies",
        """
            x = Placeholder()
            p = Placeholder(dtype='bool')
            s = Switch(x, p)
            alive = Identity(s:1)
            c = Const([1], ^alive)
            y = Mul(alive, c, ^x)
            -> y
        """,
    )
    assert graph["c"].controls == (graph["alive"],)
    assert graph["y"].controls == ()
    assert "its control inputs hold it in a loop or branch" in [skipped.reason for skipped in results[0].skipped]


def test_an_effect_that_nothing_orders_any_more_is_told() -> None:
    _, results = apply("remove_control_dependencies", "x = Placeholder()\na = Assert(x, x)\ny = Neg(x, ^a)\n-> y")
    assert results[0].notes == ["'a' has side effects, and its order among the others is no longer held"]


def test_remove_control_dependencies_repairs_a_dangling_one() -> None:
    graph, _ = apply("remove_control_dependencies", "x = Placeholder()\ny = Neg(x)\n-> y")
    assert len(graph) == 2


def test_the_last_ready_node_comes_first() -> None:
    graph, _ = apply("sort_by_execution_order", "y = Add(a, b)\na = Placeholder()\nb = Placeholder()\n-> y")
    assert [node.name for node in graph] == ["b", "a", "y"]


def test_a_cycle_is_named() -> None:
    with pytest.raises(GraphError, match="the graph has a cycle: 'a' → 'b' → 'a'"):
        apply("sort_by_execution_order", "a = Neg(b)\nb = Neg(a)\n-> a")


def test_duplicates_merge_through_several_levels() -> None:
    check_transform(
        "merge_duplicate_nodes",
        """
            x = Placeholder()
            c = Const([1, 2])
            d = Const([1, 2])
            e = Const([1, 3])
            p = Mul(x, c)
            q = Mul(x, d)
            r = Mul(x, e)
            y = AddN(p, q, r, ^q)
            -> y
        """,
        """
            x = Placeholder()
            c = Const([1, 2])
            e = Const([1, 3])
            p = Mul(x, c)
            r = Mul(x, e)
            y = AddN(p, p, r, ^p)
            -> y
        """,
    )


@pytest.mark.parametrize(
    "pair",
    [
        "a = Neg(x)\nb = Neg(x, device='/cpu:0')",
        "a = Neg(x)\nb = Neg(x, ^x)",
        "a = Neg(x)\nb = Neg(x, note=1)",
        "a = RandomUniform(x)\nb = RandomUniform(x)",
        "a = Placeholder()\nb = Placeholder()",
        "a = NobodyKnows(x)\nb = NobodyKnows(x)",
        "a = Add(x, c)\nb = Add(c, x)",
        "a = Split(x, c)\nb = Split(c, x)",
        "a = Neg(x)\nb = Neg(x:1)",
        "a = Neg(x)\nb = Abs(x)",
        "a = Neg(x, one=1)\nb = Neg(x, two=1)",
        "a = Neg(x, one=1)\nb = Neg(x, one=1.0)",
        "a = Neg(x, one=1)\nb = Neg(x, one=True)",
        "a = Const([1, 2])\nb = Const([[1, 2]])",
        "a = Const([1, 2])\nb = Const([1, 2], dtype='int32')",
        "a = Const([0.0])\nb = Const([-0.0])",
        "a = Const(['u'], dtype='string')\nb = Const(['v'], dtype='string')",
    ],
)
def test_what_does_not_merge(pair: str) -> None:
    graph, results = apply(
        "merge_duplicate_nodes", f"x = Placeholder()\nc = Const(7)\n{pair}\ny = Add(a, b)\n-> y", ["x"]
    )
    assert {"a", "b"} <= {node.name for node in graph}
    assert not results[0].changed


def test_equal_elements_in_another_encoding_are_not_merged() -> None:
    import pbslim
    from pbslim.wire import schema

    message = schema.new("GraphDef")
    for name in ("listed", "also_listed", "raw", "also_raw"):
        node = message.node.add(name=name, op="Const")
        node.attr["dtype"].type = 1
        tensor = node.attr["value"].tensor
        tensor.dtype = 1
        tensor.tensor_shape.dim.add(size=2)
        if "listed" in name:
            tensor.float_val.extend([1, 2])
        else:
            tensor.tensor_content = np.array([1, 2], np.float32).tobytes()
    message.node.add(name="y", op="AddN", input=["listed", "also_listed", "raw", "also_raw"])
    graph = pbslim.load(message.SerializeToString())
    pbslim.transform(graph, "merge_duplicate_nodes", [], ["y"])
    assert [value.name for value in graph["y"].inputs] == ["listed", "listed", "raw", "raw"]


@pytest.mark.parametrize(
    "pair",
    [
        "a = Neg(x, ^x, ^c, device='/cpu:0', one=[1, 2])\nb = Neg(x, ^c, ^x, device='/cpu:0', one=[1, 2])",
        "a = Split(c, x, num_split=2)\nb = Split(c, x, num_split=2)",
        "a = Const(['u', 'v'], dtype='string')\nb = Const(['u', 'v'], dtype='string')",
        "a = Const([1, 2], ^x)\nb = Const([1, 2], ^x)",
        "a = NoOp(^x)\nb = NoOp(^x)",
    ],
)
def test_what_merges(pair: str) -> None:
    graph, results = apply(
        "merge_duplicate_nodes merge_duplicate_nodes",
        f"x = Placeholder()\nc = Const(7)\n{pair}\ny = AddN(b, a:1, b:1, ^b)\n-> y",
        ["x"],
    )
    assert "b" not in graph
    assert [value.name for value in graph["y"].inputs] == ["a", "a:1", "a:1"]
    assert graph["y"].controls == (graph["a"],)
    assert not results[1].changed


@pytest.mark.parametrize("output", ["a", "b", "b:1"])
def test_outputs_never_merge(output: str) -> None:
    graph, _ = apply("merge_duplicate_nodes", f"x = Placeholder()\na = Neg(x)\nb = Neg(x)\ny = Abs(b)\n-> y, {output}")
    assert {"a", "b"} <= {node.name for node in graph}


def test_inputs_never_merge() -> None:
    graph, _ = apply("merge_duplicate_nodes", "x = Neg(z)\nz = Const(1)\na = Neg(z)\ny = Add(x, a)\n-> y", ["x:0"])
    assert len(graph) == 4


def test_a_wish_to_stand_beside_a_merged_node_does_not_dangle() -> None:
    graph, _ = apply(
        "merge_duplicate_nodes",
        "x = Placeholder()\na = Neg(x)\nb = Neg(x)\ny = Add(a, b, _class=[b'loc:@b', b'loc:@a'])\n-> y",
    )
    assert graph["y"].attrs["_class"] == (b"loc:@a",)
