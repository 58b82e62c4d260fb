"""What became of a graph, for people and for programs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

import pbslim
from pbslim.analysis.diff import ChangedNode, Difference, Named
from tests import functions
from tests.cli.test_commands import DIGITS, run, write
from tests.graphs import parse

BASE = """
    x = Placeholder()
    w = Const([[1, 2], [3, 4]])
    y = MatMul(x, w, ^x)
    z = Relu(y)
"""


def diff(first: str, second: str, **options: Any) -> Difference:
    return pbslim.diff(parse(first)[0], parse(second)[0], **options)


@pytest.mark.parametrize(
    ("old", "new", "node", "changes"),
    [
        ("Relu(y)", "Relu6(y)", "z", ("op: Relu → Relu6",)),
        ("Relu(y)", "Relu(x)", "z", ("input 0: y → x",)),
        ("Relu(y)", "Relu(y:1)", "z", ("input 0: y → y:1",)),
        ("Relu(y)", "Relu(y, x)", "z", ("inputs: (y) → (y, x)",)),
        (", ^x", ", ^w", "y", ("input 2: ^x → ^w",)),
        ("Relu(y)", "Relu(y, device='/gpu:0')", "z", ("device: '' → '/gpu:0'",)),
        ("^x)", "^x, transpose_a=True)", "y", ("transpose_a: none → true",)),
        ("^x)", "^x, T='half')", "y", ("T: DT_FLOAT → DT_HALF",)),
        ("4]]", "4.5]]", "w", ("value: differs by up to 0.5 (largest value 4)",)),
        (
            "Const([[1, 2], [3, 4]])",
            "Const([1, 2])",
            "w",
            (
                "value: Tensor<type: float shape: [2,2] values: [1 2][3...]...> → "
                "Tensor<type: float shape: [2] values: 1 2>",
            ),
        ),
    ],
)
def test_changes(old: str, new: str, node: str, changes: tuple[str, ...]) -> None:
    found = diff(BASE, BASE.replace(old, new))
    assert not found.equal
    assert not found.added
    assert not found.removed
    assert [(each.name, each.changes) for each in found.changed] == [(node, changes)]


def test_nodes_that_come_and_go() -> None:
    found = diff(BASE, BASE + "n = Neg(z)")
    assert (found.added, found.removed, found.changed) == ([Named("n", "Neg")], [], [])
    found = diff(BASE + "n = Neg(z)", BASE)
    assert (found.added, found.removed, found.changed) == ([], [Named("n", "Neg")], [])
    assert found.by_op() == {"Neg": (1, 0, 0)}


def test_the_order_of_nodes_and_of_control_inputs_does_not_count() -> None:
    lines = BASE.strip().splitlines()
    assert diff(BASE, "\n".join([*lines[1:], lines[0]])).equal
    assert diff(BASE + "n = NoOp(^x, ^w)", BASE + "n = NoOp(^w, ^x)").equal


def test_tolerance() -> None:
    other = BASE.replace("4]]", "4.5]]")
    assert diff(BASE, other, atol=0.5).equal
    (change,) = diff(BASE, other, atol=0.4).changed
    assert (change.largest_difference, change.largest_value) == (0.5, 4.0)


def test_defaults() -> None:
    other = BASE.replace("^x)", "^x, transpose_a=False)")
    assert [each.changes for each in diff(BASE, other).changed] == [("transpose_a: none → false",)]
    assert diff(BASE, other, ignore_defaults=True).equal
    assert not diff(BASE, BASE.replace("^x)", "^x, transpose_a=True)"), ignore_defaults=True).equal
    assert not diff(BASE, BASE.replace("^x)", "^x, unknown=False)"), ignore_defaults=True).equal


FOLDED = """
    x = Placeholder()
    a/_0__cf__7 = Const([1, 2])
    a/_1__cf__8 = Const([5, 6])
    y = Add(x, a/_0__cf__7)
    z = Add(y, a/_1__cf__8)
"""


def test_folded_constants_under_other_numbers_are_the_same() -> None:
    other = FOLDED.replace("_0__cf__7", "_9__cf__20").replace("_1__cf__8", "_10__cf__21")
    assert diff(FOLDED, other).equal
    (change,) = diff(FOLDED, other.replace("[5, 6]", "[5, 7]")).changed
    assert (change.name, change.new_name) == ("a/_1__cf__8", "a/_10__cf__21")
    assert change.changes == ("value: differs by up to 1 (largest value 6)",)


def test_what_was_folded_is_said_once() -> None:
    before = """
        x = Placeholder()
        c = Const([1, 2])
        a = Split(c)
        y = Add(x, a)
        z = Add(y, a:1)
    """
    found = diff(before, FOLDED)
    assert found.removed == [Named("c", "Const")]
    assert not found.added
    texts = ("folded into 'a/_0__cf__7', 'a/_1__cf__8'",)
    assert found.changed == [ChangedNode("a", "Split", "a/_0__cf__7", "Const", texts)]
    other = FOLDED.replace("Add(x, a/_0__cf__7)", "Add(a/_0__cf__7, x)")
    assert [each.name for each in diff(before, other).changed] == ["a", "y"]


def test_a_folded_constant_beside_its_node_is_new() -> None:
    found = diff(BASE, BASE.replace("Relu(y)", "Relu(w/_0__cf__0)") + "w/_0__cf__0 = Const([1, 2])")
    assert found.added == [Named("w/_0__cf__0", "Const")]
    assert [each.changes for each in found.changed] == [("input 0: y → w/_0__cf__0",)]


def test_functions() -> None:
    def graph(body: str, name: str = "F") -> Any:
        head = f"{name}(a: float)"
        return functions.load("x = Placeholder()\ny = F(x)\n-> y", {head: f"{body}\n-> r = m:y:0"})

    one = graph("m = Neg(a)")
    assert pbslim.diff(one, graph("m = Neg(a)")).equal
    assert pbslim.diff(one, graph("m = Neg(a)", "G")).functions == ["'F' was removed", "'G' was added"]
    changes = pbslim.diff(one, graph("m = Exp(a)\nn = Neg(a)")).functions
    assert changes == ["'F': 'n' (Neg) was added", "'F': 'm' (Neg): op: Neg → Exp"]


def test_the_program(tmp_path: Path) -> None:
    a, b = write(tmp_path / "a.pb", BASE), write(tmp_path / "b.pb", BASE.replace("4]]", "4.5]]") + "n = Neg(z)")
    done = run("diff", a, a)
    assert (done.returncode, done.stdout, done.stderr) == (0, "the graphs are equal\n", "")
    done = run("diff", a, b)
    assert done.returncode == 1
    assert done.stdout.splitlines() == [
        "+ n (Neg)",
        "~ w (Const): value: differs by up to 0.5 (largest value 4)",
        "0 nodes removed, 1 added, 1 changed",
    ]
    done = run("diff", a, b, "--by-op")
    assert done.returncode == 1
    assert [line.split() for line in done.stdout.splitlines() if "Neg" in line] == [["Neg", "0", "1", "0"]]
    done = run("diff", a, b, "--json")
    assert done.returncode == 1
    content = json.loads(done.stdout)
    assert content["equal"] is False
    assert content["changed"][0]["largest_difference"] == 0.5
    assert json.loads(run("diff", a, a, "--json").stdout)["equal"] is True


def test_an_infinite_difference_is_valid_json(tmp_path: Path) -> None:
    a = write(tmp_path / "a.pb", "w = Const([1e400])")  # too large, so infinite
    b = write(tmp_path / "b.pb", "w = Const([1])")
    done = run("diff", a, b, "--json")
    change = json.loads(done.stdout, parse_constant=pytest.fail)["changed"][0]
    assert change["largest_difference"] == "infinite"


def test_rounding_moves_only_weights() -> None:
    rounded = pbslim.load(DIGITS)
    pbslim.transform(rounded, "round_weights", ["input"], ["class"])
    found = pbslim.diff(pbslim.load(DIGITS), rounded)
    assert not found.added
    assert not found.removed
    assert {each.op for each in found.changed} == {"Const"}
    for change in found.changed:
        assert change.largest_difference is not None
        assert change.largest_value is not None
        assert 0 < change.largest_difference <= 2 * change.largest_value / 255


def test_attributes_that_cannot_be_decoded_are_told() -> None:
    node = "node { name: 'n' op: 'Neg' attr { key: 'T' value { type: DT_FLOAT } } }"
    broken = node.replace("DT_FLOAT", "99")
    (change,) = pbslim.diff(pbslim.load(node.encode()), pbslim.load(broken.encode())).changed
    assert change.changes == ("T: DT_FLOAT → <Invalid: an attribute names data type number 99, which is not known>",)
    assert pbslim.diff(pbslim.load(broken.encode()), pbslim.load(broken.encode()), ignore_defaults=True).equal
