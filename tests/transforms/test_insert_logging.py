from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import pbslim
from pbslim.dtypes import FLOAT, DType
from pbslim.ir import Graph
from pbslim.wire import save, schema, to_bytes
from tests.graphs import apply, check_refuses, check_transform, parse

SPLIT = """
    x = Placeholder()
    d = Const(0, dtype='int32')
    s = Split(d, x, num_split=3)
    y = Sub(s:1, s, ^s)
    z = Neg(s:1)
    -> y, z
"""


def test_readers_of_the_first_output_read_the_print() -> None:
    graph, _ = apply("insert_logging(op=Neg, show_name=1, show_op=true, message=hi)", "x = Placeholder()\n"
                     "a = Neg(x, device='/cpu:0')\ny = Add(a, a, ^a)\n-> y")  # fmt: skip
    assert [node.name for node in graph] == ["x", "a", "a__print__", "y"]
    printer = graph["a__print__"]
    assert (printer.op, printer.device) == ("Print", "")
    assert dict(printer.attrs) == {
        "T": FLOAT,
        "U": (FLOAT,),
        "message": b";Neg;;a__print__;hi",
        "first_n": -1,
        "summarize": 1024,
    }
    assert [value.name for value in graph["y"].inputs] == ["a__print__", "a__print__"]
    assert graph["y"].controls == (graph["a"],)


def test_only_outputs_that_are_read_are_logged() -> None:
    graph, _ = apply("insert_logging(op=Split)", SPLIT)
    printer = graph["s__print__"]
    assert [value.name for value in printer.inputs] == ["s", "s", "s:1"]
    assert printer.attrs["U"] == (FLOAT, FLOAT)
    assert [value.name for value in graph["y"].inputs] == ["s:1", "s__print__"]


def test_the_first_output_that_is_read_goes_through_the_print() -> None:
    graph, _ = apply("insert_logging(op=Split)", SPLIT.replace("s:1, s,", "s:1, x,"))
    assert [value.name for value in graph["s__print__"].inputs] == ["s:1", "s:1"]
    assert [graph[name].inputs[0].name for name in "yz"] == ["s__print__", "s__print__"]


def test_who_only_waits_for_a_node_waits_for_its_print() -> None:
    graph, _ = apply("insert_logging(op=Neg)", "x = Placeholder()\na = Neg(x)\ny = Abs(x, ^a)\n-> y")
    assert graph["y"].controls == (graph["a__print__"],)
    assert [value.name for value in graph["a__print__"].inputs] == ["a", "a"]


def test_op_and_prefix_both_choose() -> None:
    text = "x = Placeholder()\na1 = Neg(x)\na2 = Abs(a1)\nb1 = Neg(a2)\ny = Neg(b1)\n-> y"
    graph, _ = apply("insert_logging(op=Neg, op=Abs, prefix=a, prefix=y)", text)
    assert [node.name for node in graph if node.op == "Print"] == ["a1__print__", "a2__print__"]


def test_a_second_run_finds_another_name() -> None:
    graph, _ = apply("insert_logging(op=Neg) insert_logging(op=Neg)", "x = Placeholder()\na = Neg(x)\ny = Abs(a)\n-> y")
    assert [node.name for node in graph] == ["x", "a", "a__print___1", "a__print__", "y"]
    check_transform("insert_logging(op=No)", SPLIT, SPLIT)


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("a = Neg(x)", "nothing reads it"),
        ("a = Switch(x, x)\ny = Neg(a:1)", "only one of its outputs has a value"),
        ("a = NextIteration(x)\ny = Merge(x, a)", "it closes a loop"),
        ("a = NobodyKnows(x)\ny = Neg(a)", "op 'NobodyKnows' is not known"),
        ("a = Split(x, x)\ny = Neg(a)", "an attribute that says so is missing"),
        ("a = NoOp(^x)\ny = Neg(x, ^a)", "it has no outputs"),
        (
            "a = Const(-1, dtype='int32')\ny = TensorListReserve(a, a)",
            "'y' (TensorListReserve) wants to know its value",
        ),
        ("a = Neg(x)\ny = Neg(a:1)", "it has 1 output, and 'a:1' is read"),
    ],
)
def test_what_is_not_logged(line: str, reason: str) -> None:
    check_refuses("insert_logging(prefix=a)", f"x = Placeholder()\n{line}\n-> x", reason)


def test_variables_are_not_logged() -> None:
    graph, _ = parse("a = VariableV2()\ny = Identity(a)\n-> y")
    graph["a"].set_attr("dtype", DType.parse("float"))
    results = pbslim.transform(graph, "insert_logging", [], ["y"])
    assert results[0].skipped[0].reason == "it gives a reference to a variable; log the node that reads it"
    assert len(graph) == 2


@pytest.mark.tensorflow
def test_the_values_are_printed_when_the_graph_runs(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("tensorflow")
    from pbslim.engines import tensorflow

    graph, outputs = parse(SPLIT)
    save(graph, tmp_path / "before.pb")
    pbslim.transform(graph, "insert_logging(op=Split, message=values, summarize=1)", ["x"], outputs)
    save(graph, tmp_path / "after.pb")
    feeds = {"x": np.arange(6, dtype=np.float32)}
    before, after = (tensorflow.run(tmp_path / name, feeds, ["y", "z"]) for name in ("before.pb", "after.pb"))
    for one, two in zip(before, after, strict=True):
        np.testing.assert_array_equal(one, two)
    assert capfd.readouterr().err.count("values[0...][2...]") == 1


def test_inputs_are_spelled_as_by_the_original() -> None:
    graph, _ = apply("insert_logging(op=Split)", SPLIT)
    written = {node.name: list(node.input) for node in message_of(graph).node}
    assert written["s__print__"] == ["s:0", "s:0", "s:1"]
    assert written["y"] == ["s:1", "s__print__:0", "^s"]
    assert written["z"] == ["s:1"]


def message_of(graph: Graph) -> Any:
    found = schema.new("GraphDef")
    found.ParseFromString(to_bytes(graph))
    return found
