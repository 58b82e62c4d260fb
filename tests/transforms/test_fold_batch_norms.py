from __future__ import annotations

import pytest

from tests.graphs import apply, check_refuses, check_transform


def test_the_scale_goes_into_the_weights() -> None:
    check_transform(
        "fold_batch_norms",
        before="""
            x = Placeholder()
            w = Const([[1, 2], [3, 4]])
            m = MatMul(x, w)
            s = Const([10, 100])
            y = Mul(m, s)
            -> y
        """,
        after="""
            x = Placeholder()
            w = Const([[10, 200], [30, 400]])
            y = MatMul(x, w)
            -> y
        """,
    )


def test_depthwise_channels_run_over_the_multiplier() -> None:
    check_transform(
        "fold_batch_norms",
        before="""
            x = Placeholder()
            w = Const([[[[1, 2], [3, 4]]]])
            c = DepthwiseConv2dNative(x, w, ^x)
            s = Const([1, 10, 100, 1000])
            y = Mul(c, s)
            -> y
        """,
        after="""
            x = Placeholder()
            w = Const([[[[1, 20], [300, 4000]]]])
            y = DepthwiseConv2dNative(x, w, ^x)
            -> y
        """,
    )


BEFORE = "x = Placeholder()\nw = Const([[1, 2], [3, 4]])\nm = MatMul(x, w)\ns = Const([10, 100])\ny = Mul(m, s)\n"


@pytest.mark.parametrize(
    ("graph", "reason"),
    [
        (BEFORE + "-> y, m", "'m' is an output"),
        (BEFORE + "z = Neg(m)\n-> y, z", "'m' is read by 'z'"),
        (BEFORE + "z = MatMul(x, w)\n-> y, z", "'w' is read by 'z'"),
        (BEFORE + "z = Neg(s)\n-> y, z", "'s' is read by 'z'"),
        (BEFORE.replace("m = MatMul(x, w)", "c = MatMul(x, w)\nm = MatMul(c, w)") + "-> y", "'w' is read by 'c'"),
        (BEFORE.replace("m = MatMul(x, w)", "c = Mul(s, x)\nm = MatMul(c, w)") + "-> y", "'s' is read by 'c'"),
        (BEFORE.replace("[10, 100]", "10") + "-> y", "scale has shape []"),
        (BEFORE.replace("[10, 100]", "[10, 20, 30]") + "-> y", "scale has shape [3]"),
        (BEFORE.replace("[[1, 2], [3, 4]]", "[1, 2]") + "-> y", "weights have shape"),
        (BEFORE.replace("(x, w)", "(x, w, transpose_b=True)") + "-> y", "transposed"),
        (BEFORE.replace("100])", "100], dtype='double')") + "-> y", "must be float"),
    ],
)
def test_refuses(graph: str, reason: str) -> None:
    check_refuses("fold_batch_norms", graph, reason)


def test_one_refusal_does_not_stop_the_others() -> None:
    check_transform(
        "fold_batch_norms",
        before="""
            x = Placeholder()
            w = Const([[1, 2]])
            m = MatMul(x, w)
            s = Const(5)
            y = Mul(m, s)
            r = Relu(y)
            w2 = Const([[1], [2]])
            m2 = MatMul(r, w2)
            s2 = Const([3])
            z = Mul(m2, s2)
            -> z
        """,
        after="""
            x = Placeholder()
            w = Const([[1, 2]])
            m = MatMul(x, w)
            s = Const(5)
            y = Mul(m, s)
            r = Relu(y)
            w2 = Const([[3], [6]])
            z = MatMul(r, w2)
            -> z
        """,
    )


def test_a_scale_that_stands_first_is_for_algebraic() -> None:
    before = BEFORE.replace("Mul(m, s)", "Mul(s, m)") + "-> y"
    assert apply("fold_batch_norms", before)[0]["y"].op == "Mul"
    assert apply("fold_batch_norms(algebraic=true)", before)[0]["y"].op == "MatMul"


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        ("m = MatMul(x, w)", "i = Identity(w)\nm = MatMul(x, i)", "input 1 of 'm' is 'i' (Identity), not Const"),
        ("y = Mul(m, s)", "t = Neg(s)\ny = Mul(m, t)", "its input 1 is 't' (Neg), not Const"),
        (
            "y = Mul(m, s)",
            "y = Mul(s, m)",
            "its input 0 is 's' (Const), not Conv2D or DepthwiseConv2dNative or MatMul",
        ),
    ],
)
def test_what_is_almost_there_is_told(old: str, new: str, reason: str) -> None:
    check_refuses("fold_batch_norms", BEFORE.replace(old, new) + "-> y", reason)


def test_twice_is_once() -> None:
    _, results = apply("fold_batch_norms fold_batch_norms", BEFORE + "-> y")
    assert [bool(result.changed) for result in results] == [True, False]
