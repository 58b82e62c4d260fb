"""The transforms that only edit: devices, attributes, control edges, order, duplicates."""

from __future__ import annotations

import numpy as np
import pytest

from pbslim.errors import GraphError
from tests.graphs import apply, check_transform


def test_remove_device() -> None:
    before = "x = Placeholder(device='/gpu:0')\ny = Neg(x, device='/cpu:0')\n-> y"
    check_transform("remove_device", before, "x = Placeholder()\ny = Neg(x)\n-> y")


def test_remove_attribute_of_one_op() -> None:
    before = "x = Placeholder(foo=1)\ny = Neg(x, foo=2)\n-> y"
    check_transform("remove_attribute(attribute_name=foo, op_name=Neg)", before, "x = Placeholder(foo=1)\ny = Neg(x)")


def test_remove_control_dependencies() -> None:
    check_transform(
        "remove_control_dependencies",
        "x = Placeholder()\ny = Neg(x, ^x)\n-> y",
        "x = Placeholder()\ny = Neg(x)\n-> y",
    )


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
    ],
)
def test_what_does_not_merge(pair: str) -> None:
    graph, results = apply("merge_duplicate_nodes", f"x = Placeholder()\n{pair}\ny = Add(a, b)\n-> y", ["x"])
    assert {"a", "b"} <= {node.name for node in graph}
    assert not results[0].changed


def test_equal_elements_in_another_encoding_are_not_merged() -> None:
    from pbslim import api
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
    graph = api.load(message.SerializeToString())
    api.transform(graph, "merge_duplicate_nodes", [], ["y"])
    assert [value.name for value in graph["y"].inputs] == ["listed", "listed", "raw", "raw"]
