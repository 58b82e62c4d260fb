"""What a release of TensorFlow would refuse, and what is said about it."""

from __future__ import annotations

import pytest

import pbslim
from pbslim.analysis.compatibility import Incompatibility, incompatibilities
from pbslim.passes import language
from tests import functions
from tests.graphs import parse
from tests.shared import ROOT


def found(text: str, since: str) -> list[Incompatibility]:
    return incompatibilities(parse(text)[0], since)


@pytest.mark.parametrize(
    ("node", "since", "problem", "fix"),
    [
        ("AddV2(x, x)", "1.4", "TensorFlow 1.4 has no AddV2, 1.8 has", "rename_op(old_op_name=AddV2, new_op_name=Add)"),
        ("Neg(x, _any=1)", "1.4", "", ""),
        ("Add(x, x)", "1.4", "", ""),
        ("Conv2d(x)", "1.4", "no release of TensorFlow has an op Conv2d, did you mean Conv2D?", ""),
        ("Qwertyuiop(x)", "2.21", "no release of TensorFlow has an op Qwertyuiop", ""),
        ("BigQueryReader(x)", "2.1", "TensorFlow 2.1 has no BigQueryReader, 1.15 had", ""),
        (
            "_FusedMatMul(x, x)",
            "1.4",
            "TensorFlow 1.4 has no _FusedMatMul, 1.15 has",
            "take the graph as it was before",
        ),
        (
            "Equal(x, x, incompatible_shape_error=True)",
            "1.4",
            "TensorFlow 1.4 does not know attribute 'incompatible_shape_error' of Equal",
            "drop it: remove_attribute(op_name=Equal, attribute_name=incompatible_shape_error)",
        ),
        (
            "Equal(x, x, incompatible_shape_error=False)",
            "1.4",
            "attribute 'incompatible_shape_error' of Equal, and its value false is not the default",
            "",
        ),
        ("Equal(x, x, incompatible_shape_error=True)", "2.8", "", ""),
        ("MatMul(x, x, grad_a=False)", "2.8", "", ""),
        ("MatMul(x, x, grad_a=False)", "2.4", "TensorFlow 2.4 does not know attribute 'grad_a' of MatMul", "grad_a"),
        (
            "Softmax(x, T='int32')",
            "1.4",
            "attribute 'T' cannot be int32 in TensorFlow 1.4, only float, double, half",
            "",
        ),
        ("Neg(x, T='uint32')", "1.4", "attribute 'T' is uint32, a type that TensorFlow 1.4 does not know", ""),
        (
            "MaxPool(x, ksize=[1], strides=[1], padding='EXPLICIT')",
            "1.15",
            'attribute \'padding\' cannot be "EXPLICIT" in TensorFlow 1.15, only "SAME", "VALID"',
            "",
        ),
        ("MaxPool(x, ksize=[1], strides=[1])", "1.15", "attribute 'padding' is missing", ""),
        ("MatMul(x, x, transpose_a=1)", "1.4", "attribute 'transpose_a' is 1, which is not of type bool", ""),
        ("Squeeze(x, squeeze_dims=1)", "1.4", "attribute 'squeeze_dims' is 1, which is not of type list(int)", ""),
        ("Squeeze(x, squeeze_dims=[1])", "1.4", "", ""),
        (
            "TensorArrayV3(x, dtype='float', identical_element_shapes=True)",
            "1.4",
            "identical_element_shapes' of TensorArrayV3, and its value true is not the default",
            "nothing writes, drop it: remove_attribute(",
        ),
    ],
)
def test_one_node(node: str, since: str, problem: str, fix: str) -> None:
    graph = f"x = Placeholder()\nn = {node}"
    mine = [each for each in found(graph, since) if "attribute 'T' of" not in each.problem]  # the helper sets it
    if not problem:
        assert mine == []
        return
    (one,) = mine
    assert problem in one.problem
    assert fix in one.fix
    assert one.node == "n"
    assert one.refused
    assert one.transform in one.fix
    language.parse(one.transform)


def test_an_empty_attribute() -> None:
    graph = pbslim.load(b"node { name: 'n' op: 'Neg' attr { key: 'T' value { } } }")
    assert [each.problem for each in incompatibilities(graph, "1.4")] == ["attribute 'T' is empty"]


def test_an_ignored_attribute_that_says_something() -> None:
    (one,) = found("x = Placeholder()\nn = MatMul(x, x, grad_a=True)", "2.8")
    assert not one.refused
    assert "not the default" in one.problem


def test_names() -> None:
    graph = "a>b = Placeholder()"
    assert found(graph, "2.1") == []
    (one,) = found(graph, "1.15")
    assert (one.problem, one.transform) == ("TensorFlow 1.15 allows no such name", "obfuscate_names")
    assert len(found("_a = Placeholder()", "2.21")) == 1


@pytest.mark.parametrize(("producer", "count"), [(0, 0), (22, 0), (23, 1), (134, 1)])
def test_ops_that_were_given_up(producer: int, count: int) -> None:
    node = "node { name: 'b' op: 'PlaceholderV2' attr { key: 'dtype' value { type: DT_FLOAT } } "
    node += "attr { key: 'shape' value { shape { } } } }"
    graph = pbslim.load(f"{node} versions {{ producer: {producer} }}".encode())
    mine = incompatibilities(graph, "1.15")
    assert len(mine) == count
    assert all("was given up in version 23 of graphs" in each.problem for each in mine)


def test_a_graph_that_asks_for_a_newer_tensorflow() -> None:
    graph = pbslim.load(b"node { name: 'n' op: 'NoOp' } versions { producer: 200 min_consumer: 27 }")
    (one,) = incompatibilities(graph, "1.8")
    assert one.problem == "the graph asks for version 27 of graphs, TensorFlow 1.8 knows 26"
    assert incompatibilities(graph, "1.12") == []


def test_functions_are_looked_at_and_do_not_hinder_loading() -> None:
    graph = functions.load(
        "x = Placeholder()\ny = F(x)\n-> y", {"F(a: float)": "m = AddV2(a, a)\nn = Neg(m:z:0)\n-> r = n:y:0"}
    )
    (one,) = incompatibilities(graph, "1.4")
    assert (one.function, one.node, one.refused) == ("F", "m", False)
    assert one.transform == "rename_op(old_op_name=AddV2, new_op_name=Add, functions=true)"
    pbslim.transform(graph, one.transform, ["x"], ["y"])
    assert incompatibilities(graph, "1.4") == []


def test_a_type_that_nothing_knows() -> None:
    graph = pbslim.load(b"node { name: 'n' op: 'Neg' attr { key: 'T' value { type: 99 } } }")
    (one,) = incompatibilities(graph, "2.21")
    assert "data type number 99" in one.problem


def test_the_fixes_of_the_example_leave_nothing() -> None:
    graph = pbslim.load(ROOT / "examples" / "digits.pb")
    for _ in range(3):
        fixes = dict.fromkeys(each.transform for each in incompatibilities(graph, "1.4"))
        pbslim.transform(graph, "\n".join(fixes) or "remove_device", ["input"], ["class"])
    assert incompatibilities(graph, "1.4") == []


def test_nodes_that_do_not_fit_their_ops() -> None:
    text = "w = Const([1])\np = Placeholder(dtype='bool')\ns = Switch(w, p, T='resource')\ny = Neg(w, w)"
    switch, neg = found(text, "2.21")
    assert (switch.node, switch.refused, switch.transform) == ("s", True, "repair_nodes")
    assert switch.problem == "input 0 is 'w', which is float, not resource"
    assert neg.problem == "it has 2 inputs, expected 1"
