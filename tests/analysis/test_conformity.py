"""Which nodes do not fit their ops."""

from __future__ import annotations

import pytest

import pbslim
from pbslim.analysis.conformity import misfits
from tests import functions
from tests.graphs import parse
from tests.shared import SHARED, models, needs_shared


def problems(text: str) -> list[str]:
    return list(map(str, misfits(parse("x = Placeholder()\nb = Const(True, dtype='bool')\n" + text)[0])))


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("y = Neg(x, x)", "'y' (Neg): it has 2 inputs, expected 1"),
        ("y = Add(x)", "'y' (Add): it has 1 input, expected 2"),
        ("y = AddN(x, x, N=3)", "'y' (AddN): it has 2 inputs, expected 3"),
        ("y = Const(1, x)", "'y' (Const): it has 1 input, expected 0"),
        ("y = Neg(x:1)", "'y' (Neg): input 0 is 'x:1', but Placeholder has 1 output"),
        ("n = NoOp()\ny = Neg(n)", "'y' (Neg): input 0 is 'n:0', but NoOp has 0 outputs"),
        ("y = Neg(b)", "'y' (Neg): input 0 is 'b', which is bool, not float"),
        ("y = Neg(x, T='int32')", "'y' (Neg): input 0 is 'x', which is float, not int32"),
        ("y = Switch(x, b, T='resource')", "'y' (Switch): input 0 is 'x', which is float, not resource"),
        ("y = RefSwitch(x, b)", "'y' (RefSwitch): input 0 is 'x', which is float, not float_ref"),
        ("y = Neg(x, _class=['loc:@z'])", "'y' (Neg): it is to be colocated with 'z', which is not in the graph"),
    ],
)
def test_what_does_not_fit(text: str, problem: str) -> None:
    assert problems(text) == [problem]


@pytest.mark.parametrize(
    "text",
    [
        "y = Mystery(x, x, b)",  # an op of somebody else
        "m = Mystery(x)\ny = Neg(m:7)",
        "v = VariableV2(dtype='float')\ny = Neg(v)",  # a reference is read as the value
        "v = VariableV2(dtype='float')\ny = Assign(v, x)",
        "y = _FusedMatMul(x, x, x, x)",  # internal ops change from release to release
        "y = IdentityN(x, b, T=['float', 'bool'])",
    ],
)
def test_what_fits_or_cannot_be_told(text: str) -> None:
    assert problems(text) == []


def test_calls_and_bodies_of_functions_that_are_used() -> None:
    main = "x = Placeholder()\nc = PartitionedCall(x, f='F', Tin=['float'], Tout=['float'])\n-> c"
    body = "y = Neg(a, T='int32')\n-> r = y:y:0"
    graph = functions.load(main, {"F(a: float)": body, "G(a: float)": body})
    assert list(map(str, misfits(graph))) == ["'F/y' (Neg): input 0 is 'a', which is float, not int32"]
    graph = functions.load(main, {"F(a: int32)": "y = Neg(a, T='int32')\n-> r: int32 = y:y:0"})
    assert list(map(str, misfits(graph))) == ["'c' (PartitionedCall): argument 0 of function 'F' is int32, not float"]
    graph = functions.load(main, {"F(a: float, b: float)": "y = Neg(a)\n-> r = y:y:0"})
    assert list(map(str, misfits(graph))) == ["'c' (PartitionedCall): it hands over 1 input, function 'F' takes 2"]


@needs_shared
def test_real_models_fit() -> None:
    for folder in models():
        assert misfits(pbslim.load(folder / "model.pb")) == [], folder.name
    assert len(models()) > 5
    for case in ("switch_n", "ends_in_exit", "cut_iterator_with_labels", "function_doubling_30"):
        assert misfits(pbslim.load(SHARED / "cases" / case / "in.pb")) == []
