from __future__ import annotations

import pytest

from tests.graphs import apply, check_refuses, check_transform, parse, show
from tests.transforms.test_fake_quantize_training import FAKE_QUANT

BEFORE = "x = Placeholder()\n" + FAKE_QUANT.format(x="x", read="x", axes="x/ReductionAxes")
BEFORE += "y = Neg(x/FakeQuantWithMinMaxVars)\n"
for _name, _value in (("Min", -2), ("Max", 3)):
    BEFORE = BEFORE.replace(
        f"x/{_name}/Variable = VariableV2(dtype='float', shape=[])", f"x/{_name}/Variable = Const({_value})"
    )
AFTER = """
    x = Placeholder()
    x/Min/Variable = Const(-2)
    x/Max/Variable = Const(3)
    x/FakeQuantWithMinMaxVars = FakeQuantWithMinMaxVars(x, x/Min/Variable, x/Max/Variable)
    y = Neg(x/FakeQuantWithMinMaxVars)
"""


def test_the_range_is_fixed() -> None:
    check_transform("remove_ema", BEFORE + "-> y", AFTER + "-> y")
    check_transform("remove_ema remove_ema", BEFORE + "-> y", AFTER + "-> y")


def test_the_order_of_the_nodes() -> None:
    graph, _ = apply("remove_ema", BEFORE + "-> y")
    names = ["x/FakeQuantWithMinMaxVars", "x", "x/Min/Variable", "x/Max/Variable", "y"]
    assert [node.name for node in graph] == names


def test_ports_attributes_and_control_edges_stay() -> None:
    ports = "a = NoOp()\nb = NoOp()\np = Placeholder()\ns = Split(p, p, num_split=2)"
    text = BEFORE.replace("x = Placeholder()", ports).replace("(x, ", "(s:1, ").replace("(x)", "(s:1)")
    text = text.replace("x/Max/AssignValue)", "x/Max/AssignValue, ^a, num_bits=4, narrow_range=True)")
    text = text.replace("x/Max/Switch:1)", "x/Max/Switch:1, ^b)")
    graph, _ = apply("remove_ema", text + "-> y, a, b")
    node = graph["x/FakeQuantWithMinMaxVars"]
    assert [value.name for value in node.inputs] == ["s:1", "x/Min/Variable", "x/Max/Variable"]
    assert dict(node.attrs) == {"num_bits": 4, "narrow_range": True}
    assert [control.name for control in node.controls] == ["a", "b"]


def test_constants_that_several_share() -> None:
    other = FAKE_QUANT.format(x="z", read="m", axes="x/ReductionAxes")
    other = other.replace("VariableV2(dtype='float', shape=[])", "Const(1)").replace("z/Decay)", "x/Decay)")
    lines = [line for line in other.splitlines() if " z/ReductionAxes" not in line and "z/Decay =" not in line]
    text = "m = Placeholder()\n" + BEFORE.replace("Neg(x/", "Mul(z/FakeQuantWithMinMaxVars, x/")
    graph, _ = apply("remove_ema", "\n".join([text, *lines, "-> y"]))
    assert [len(node.inputs) for node in graph if node.op == "FakeQuantWithMinMaxVars"] == [3, 3]
    assert len(graph) == 9


def test_what_something_else_needs_stays() -> None:
    graph, _ = apply("remove_ema", BEFORE + "z = Neg(x/Min)\n-> y, z, x/Max/EMA/ValueDiff")
    assert {*show(graph)} < {*show(parse(BEFORE + "z = Neg(x/Min)")[0]), *show(parse(AFTER)[0])}
    left = {node.name for node in graph}
    assert {"x/Min", "x/ReductionAxes/ReductionAxes", "x/Max/EMA/ValueDiff", "x/Max/Switch"} < left
    assert not left & {"x/Max/AssignValue", "x/Max/EMA/UpdateValue", "x/Min/Switch", "x/Decay"}


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        ("x/Max/Variable = Const(3)", "x/Max/Variable = VariableV2(dtype='float')", "freeze the graph before"),
        ("x/Min/EMA/EMAValue = Sub(x/Min/Variable", "x/Min/EMA/EMAValue = Sub(x/Max/Variable", "of its own past"),
        ("x/Min/Merge = Merge(", "x/Min/Merge = AddN(", "does not follow a moving average"),
    ],
)
def test_refuses(old: str, new: str, reason: str) -> None:
    assert old in BEFORE
    check_refuses("remove_ema", BEFORE.replace(old, new) + "-> y", reason)
