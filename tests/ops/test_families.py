"""The named sets of ops."""

from __future__ import annotations

import ast

import pytest

from pbslim import ops
from pbslim.ops import families
from tests.shared import ROOT

SETS = {name: value for name, value in vars(families).items() if isinstance(value, frozenset)}


@pytest.mark.parametrize("name", SETS)
def test_every_member_is_an_op(name: str) -> None:
    assert all(ops.find(op) for op in SETS[name])


def test_no_other_module_spells_such_a_set() -> None:
    known = {op for members in SETS.values() for op in members}
    found = []
    for file in (ROOT / "src" / "pbslim").rglob("*.py"):
        if file.name == "families.py":
            continue
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.Set | ast.List | ast.Tuple):
                names = {each.value for each in node.elts if isinstance(each, ast.Constant)}
                if len(names) > 1 and names <= known:
                    found.append((file.name, names))
    assert not found


@pytest.mark.parametrize(
    ("op", "expected"),
    [
        ("AssignVariableOp", True),
        ("ResourceApplyAdam", True),
        ("ScalarSummary", True),
        ("SaveV2", True),
        ("Add", False),
    ],
)
def test_what_only_training_needs(op: str, *, expected: bool) -> None:
    assert families.is_training(op) is expected
