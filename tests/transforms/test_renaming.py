"""rename_attribute, rename_op, rename_node and obfuscate_names."""

from __future__ import annotations

import pytest

import pbslim
from pbslim.errors import TransformError, TransformSyntaxError
from tests import functions
from tests.graphs import apply, check_transform, parse, show

GRAPH = """
    x = Placeholder()
    a = Neg(x, foo=1)
    b = Neg(a:1, ^a, bar=2, _class=[b'loc:@a'])
    -> b
"""


def test_an_attribute_of_one_op_is_renamed() -> None:
    check_transform(
        "rename_attribute(old_attribute_name=foo, new_attribute_name=bar, op_name=Neg)",
        "x = Placeholder(foo=1)\ny = Neg(x, foo=2)\n-> y",
        "x = Placeholder(foo=1)\ny = Neg(x, bar=2)",
    )


def test_the_value_in_place_wins_and_the_loss_is_told() -> None:
    graph, results = apply(
        "rename_attribute(old_attribute_name=foo, new_attribute_name=bar, op_name=Neg, op_name=Placeholder)",
        "x = Placeholder(foo=1)\ny = Neg(x, foo=2, bar=3)\n-> y",
    )
    assert show(graph) == ["x = Placeholder(foo=1)", "y = Neg(x, bar=3)"]
    assert results[0].notes == [
        "of several op_name only the first counts, which is 'Neg'",
        "'y' has a 'bar' already; its 'foo' is dropped",
    ]


def test_an_op_is_renamed() -> None:
    check_transform("rename_op(old_op_name=Neg, new_op_name=Abs)", GRAPH, GRAPH.replace("Neg", "Abs"))
    _, results = apply("rename_op(old_op_name=neg, new_op_name=Abs)", GRAPH)
    assert results[0].notes == ["no node is of op 'neg'"]


@pytest.mark.parametrize("transform", ["rename_attribute(op_name=Neg)", "rename_op(old_op_name=a)", "rename_node()"])
def test_both_names_are_needed(transform: str) -> None:
    with pytest.raises(TransformSyntaxError, match="needs '"):
        apply(transform, GRAPH)


def test_a_node_is_renamed_with_all_that_refer_to_it() -> None:
    check_transform(
        'rename_node(old_node_name=a, new_node_name="deep/c")',
        GRAPH,
        """
            x = Placeholder()
            deep/c = Neg(x, foo=1)
            b = Neg(deep/c:1, ^deep/c, bar=2, _class=[b'loc:@deep/c'])
        """,
    )


def test_inputs_and_outputs_are_known_under_their_new_names() -> None:
    graph, _ = parse("x = Placeholder()\ny = Neg(x)\nunused = Neg(x)\nz = Neg(y:1)")
    steps = "rename_node(old_node_name=x, new_node_name=in) rename_node(old_node_name=y, new_node_name=out) "
    results = pbslim.transform(graph, steps + "strip_unused_nodes obfuscate_names", ["x:0"], ["y:1"])
    assert show(graph) == ["in = Placeholder()", "out = Neg(in)"]
    assert results[0].notes == ["input 'x' of the graph is called 'in' now"]
    assert results[1].notes == ["output 'y' of the graph is called 'out' now"]


@pytest.mark.parametrize("new", ["", "^c", "c:0", "c d", "/c", "é"])
def test_a_node_gets_no_name_that_tensorflow_refuses(new: str) -> None:
    with pytest.raises(TransformError, match="cannot be the name of a node"):
        apply(f'rename_node(old_node_name=a, new_node_name="{new}")', GRAPH)


def test_a_node_gets_no_name_that_is_taken() -> None:
    with pytest.raises(TransformError, match="'a' cannot become 'x': another node has that name"):
        apply("rename_node(old_node_name=a, new_node_name=x)", GRAPH)


def test_what_there_is_not_to_rename() -> None:
    check_transform("rename_node(old_node_name=a, new_node_name=a)", GRAPH, GRAPH)
    graph, results = apply("rename_node(old_node_name=aa, new_node_name=c)", GRAPH)
    assert show(graph) == show(parse(GRAPH)[0])
    assert results[0].notes == ["the graph has no node 'aa', did you mean 'a'?"]


def test_names_tell_nothing() -> None:
    check_transform(
        "obfuscate_names",
        """
            x = Placeholder()
            w/a = Const([1])
            0 = Mul(x, w/a, _class=[b'loc:@w/a', b'loc:@x'])
            s = Split(0, 0, ^w/a)
            y = Neg(s:1, ^0)
            -> y
        """,
        """
            x = Placeholder()
            0 = Const([1])
            1 = Mul(x, 0, _class=[b'loc:@0', b'loc:@x'])
            2 = Split(1, 1, ^0)
            y = Neg(2:1, ^1)
        """,
    )


@pytest.mark.parametrize("output", ["0", "0:0", "0:1"])
def test_inputs_and_outputs_keep_their_names(output: str) -> None:
    graph, _ = parse("a = Placeholder()\nb = Neg(a)\n0 = Neg(b)")
    pbslim.transform(graph, "obfuscate_names", ["a:0"], [output])
    assert [node.name for node in graph] == ["a", "1", "0"]


def test_names_grow_when_the_letters_are_used_up() -> None:
    lines = ["input = Placeholder()", *(f"n{i} = Neg(input)" for i in range(64 * 62)), "-> input"]
    graph, _ = apply("obfuscate_names", "\n".join(lines))
    names = [node.name for node in graph][1:]
    assert names[:11] == [*"0123456789a"]
    assert names[35:37] == ["z", "A"]
    assert names[61:64] == ["Z", "10", "11"]
    assert names[62 * 62 - 1 : 62 * 62 + 1] == ["ZZ", "100"]
    assert len(set(names)) == len(names)


def test_obfuscated_twice_is_obfuscated_once() -> None:
    once, _ = apply("obfuscate_names", GRAPH)
    twice, results = apply("obfuscate_names obfuscate_names", GRAPH)
    assert show(twice) == show(once)
    assert not results[1].changed


def test_arguments_and_results_of_functions_keep_their_names() -> None:
    body = "long/name = Neg(a)\nother = Relu(long/name:y:0)\nlast = Neg(other:activations:0)\n-> result = last:y:0"
    main = "x = Placeholder()\ny = F(x)\n-> y"
    for options, names in (("", ["a", "long/name", "other", "last"]), ("(functions=true)", ["a", "0", "1", "last"])):
        graph = functions.run(f"obfuscate_names{options}", main, {"F(a: float)": body})
        assert [node.name for node in graph.library.functions["F"].body().graph] == names
