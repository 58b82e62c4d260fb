"""``prune_branches`` and ``drop_idle_controls`` on their own; with ``fold_constants`` they are tested there."""

from __future__ import annotations

import pytest

import pbslim
from pbslim.errors import TransformError
from pbslim.ir import FunctionRef
from pbslim.wire import to_bytes
from tests import functions
from tests.graphs import apply, check_refuses, check_transform, parse

BRANCH = """
    x = Placeholder()
    t = Const(True, dtype='bool')
    s = Switch(x, t)
    p = Neg(s)
    q = Relu(s:1)
    m = Merge(p, q, N=2)
    -> m
"""


def test_the_branch_that_is_taken_stays() -> None:
    after = """
        x = Placeholder()
        t = Const(True, dtype='bool')
        s = Identity(x)
        q = Relu(s)
        m = Identity(q)
        -> m
    """
    check_transform("prune_branches", BRANCH, after)


@pytest.mark.parametrize("predicate", ["Placeholder(dtype='bool')", "Const([True], dtype='bool')"])
def test_without_a_constant_predicate_all_branches_stay(predicate: str) -> None:
    text = BRANCH.replace("Const(True, dtype='bool')", predicate)
    check_transform("prune_branches", text, text)


def test_an_output_in_a_branch_that_is_never_taken_keeps_it() -> None:
    text = BRANCH.replace("-> m", "-> p")
    check_refuses("prune_branches", text, "the output 'p' is in a branch that is never taken")


def test_a_default_that_decides_is_noted() -> None:
    text = BRANCH.replace(
        "t = Const(True, dtype='bool')", "d = Const(True, dtype='bool')\n    t = PlaceholderWithDefault(d)"
    )
    _, results = apply("prune_branches", text, ["x"])
    assert results[0].notes == ["'t' is not among the inputs: its default value decides"]


def test_controls_from_constants_go() -> None:
    before = """
        x = Placeholder()
        w = Const([1, 2])
        n = NoOp(^w, ^x)
        k = Const(3, ^x)
        y = Mul(x, k, ^w, ^n, ^k)
        -> y
    """
    after = """
        x = Placeholder()
        w = Const([1, 2])
        n = NoOp(^x)
        k = Const(3)
        y = Mul(x, k, ^n)
        -> y
    """
    check_transform("drop_idle_controls", before, after)


@pytest.mark.parametrize(
    "text",
    [
        "x = Placeholder()\nz = Placeholder()\nk = Const(3, ^z)\ny = Mul(x, k)\n-> y",  # z would no longer run
        "x = Placeholder()\np = Placeholder(dtype='bool')\ns = Switch(x, p)\ni = Identity(s:1)\nk = Const(3, ^i)\n"
        "m = Merge(k, s:0)\ny = Mul(x, m, ^i)\n-> y",
        "x = Placeholder()\na = Print(x, x)\nk = Const(3, ^a)\ny = Mul(a, k)\n-> y",
        "x = Placeholder()\na = OpOfNobody(x)\nk = Const(3, ^a)\ny = Mul(a, k)\n-> y",
        "x = Placeholder()\np = Placeholder(dtype='bool')\na = Assert(p, x)\ng = NoOp(^a)\nk = Const(3, ^g)\n"
        "y = Mul(x, k, ^g)\n-> y",
    ],
    ids=["needed for nothing else", "branch", "effect", "unknown", "check"],
)
def test_constants_wait_where_it_matters(text: str) -> None:
    check_transform("drop_idle_controls", text, text)


def test_a_default_that_is_fed_over_needs_nothing() -> None:
    text = """
        x = Placeholder()
        d = Neg(x)
        p = PlaceholderWithDefault(d)
        k = Const(3, ^d)
        y = Mul(p, k)
        -> y
    """
    check_transform("drop_idle_controls", text, text, ["x", "p"])
    check_transform("drop_idle_controls", text, text.replace("Const(3, ^d)", "Const(3)"), ["x"])


@pytest.mark.parametrize("transform", ["prune_branches", "drop_idle_controls"])
def test_outputs_must_be_named(transform: str) -> None:
    graph, _ = parse(BRANCH)
    with pytest.raises(TransformError, match="no outputs are given"):
        pbslim.transform(graph, transform, ["x"])


@pytest.mark.parametrize(
    ("former", "now"),
    [
        ("fold_constants(prune_branches=true)", "prune_branches fold_constants"),
        (
            "fold_constants(drop_idle_controls=true, max_growth_in_bytes=4)",
            "drop_idle_controls fold_constants(max_growth_in_bytes=4)",
        ),
        ("fold_batch_norms(algebraic=true)", "fold_all_batch_norms"),
        ("fold_batch_norms(algebraic=true, keep_coarse=true)", "fold_all_batch_norms(keep_coarse=true)"),
    ],
)
def test_former_spellings_mean_the_same(former: str, now: str) -> None:
    text = """
        x = Placeholder()
        t = Const(True, dtype='bool')
        w = Const([[1, 2], [3, 4]])
        p = MatMul(x, w, ^t)
        k = Const([5, 6])
        q = Mul(k, p, ^w)
        s = Switch(q, t)
        r = Neg(s:1)
        -> r
    """
    assert to_bytes(apply(former, text)[0]) == to_bytes(apply(now, text)[0])


@pytest.mark.parametrize(("index", "op"), [(0, "Neg"), (1, "Relu"), (2, "Abs"), (7, "Abs"), (-1, "Abs")])
def test_one_of_several_branches(index: int, op: str) -> None:
    before = f"""
        x = Placeholder()
        k = Const({index}, dtype='int32')
        s = _SwitchN(x, k, num_outs=3)
        i = _SwitchN(k, k, num_outs=3, T='int32')
        g = Identity(i:2, T='int32')
        c = Const(5, ^g)
        p = Neg(s)
        q = Relu(s:1)
        r = Abs(s:2)
        a = Mul(r, c)
        m = Merge(p, q, a, N=3)
        -> m
    """
    graph, _ = apply("prune_branches fold_constants", before)
    assert not {node.op for node in graph} & {"_SwitchN", "Merge"}
    assert {node.op for node in graph} & {"Neg", "Relu", "Abs"} == {op}


@pytest.mark.parametrize(("index", "name"), [(0, "f_one"), (1, "f_two"), (5, "f_two"), (-3, "f_two")])
@pytest.mark.parametrize(("op", "call"), [("Case", "StatefulPartitionedCall"), ("StatelessCase", "PartitionedCall")])
def test_a_case_becomes_a_call_of_the_branch(op: str, call: str, index: int, name: str) -> None:
    main = f"""
        x = Placeholder()
        k = Const({index}, dtype='int32')
        c = {op}(k, x, Tin=['float'], Tout=['float'])
        -> c
    """
    bodies = {f"{each}(a: float)": "y = Neg(a)\n-> r = y:y:0" for each in ("f_one", "f_two")}
    graph = functions.load(main, bodies)
    graph["c"].set_attr("branches", (FunctionRef("f_one", {}), FunctionRef("f_two", {})))
    pbslim.transform(graph, "prune_branches", ["x"], ["c"])
    assert graph["c"].op == call
    assert graph["c"].attrs["f"] == FunctionRef(name, {})
    assert [value.name for value in graph["c"].inputs] == ["x"]
