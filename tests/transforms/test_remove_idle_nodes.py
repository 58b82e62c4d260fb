from __future__ import annotations

import pytest

from tests.functions import run
from tests.graphs import apply, check_refuses, check_transform, show

IDLE = {
    "a multiplication by one": "k = Const(1)\nn = Mul(x, k)",
    "by one on the left": "k = Const([1, 1, 1])\nn = Mul(k, x)",
    "a division by one": "k = Const([[1], [1]])\nn = RealDiv(x, k)",
    "an addition of zero": "k = Const([[0, 0, 0]])\nn = AddV2(k, x)",
    "a subtraction of zero": "k = Const(0)\nn = Sub(x, k)",
    "a bias of zero": "k = Const([0, 0, 0])\nn = BiasAdd(x, k)",
    "a constant read through Identity": "k = Const(1)\ni = Identity(k)\nn = Mul(x, i)",
    "a transpose to the order that is there": "k = Const([0, 1], dtype='int32')\nn = Transpose(x, k)",
    "a reshape to the shape that is there": "k = Const([2, 3], dtype='int32')\nn = Reshape(x, k)",
    "a reshape of the batch": "k = Const([-1, 3], dtype='int32')\nn = Reshape(x, k)",
    "a squeeze of nothing": "n = Squeeze(x)",
    "a broadcast to itself": "k = Const([2, 3], dtype='int32')\nn = BroadcastTo(x, k)",
    "a cast to the same type": "n = Cast(x, SrcT='float', DstT='float')",
    "padding by nothing": "k = Const([[0, 0], [0, 0]], dtype='int32')\nn = Pad(x, k)",
    "mirroring nothing": "k = Const([[0, 0], [0, 0]], dtype='int32')\nn = MirrorPad(x, k, mode='REFLECT')",
    "a slice of everything": (
        "b = Const([0, 0], dtype='int32')\nk = Const([-1, 3], dtype='int32')\nn = Slice(x, b, k)"
    ),
    "a strided slice of everything": (
        "b = Const([0, 0], dtype='int32')\nk = Const([2, 9], dtype='int32')\n"
        "s = Const([1, 1], dtype='int32')\nn = StridedSlice(x, b, k, s)"
    ),
    "one tile": "k = Const([1, 1], dtype='int32')\nn = Tile(x, k)",
    "a sum of one": "n = AddN(x, N=1)",
    "a concatenation of one": "k = Const(0, dtype='int32')\nn = ConcatV2(x, k, N=1)",
    "a concatenation of one, the axis first": "k = Const(0, dtype='int32')\nn = Concat(k, x, N=1)",
    "a stop of gradients": "n = StopGradient(x)",
}


@pytest.mark.parametrize("nodes", IDLE.values(), ids=IDLE)
def test_what_changes_nothing_goes_with_its_constants(nodes: str) -> None:
    graph, _ = apply("remove_idle_nodes", f"x = Placeholder(shape=[2, 3])\n{nodes}\ny = Neg(n)\n-> y")
    assert show(graph) == ["x = Placeholder(shape=Shape(dims=(2, 3)))", "y = Neg(x)"]


BUSY = {
    "not one": "k = Const([1, 1, 2])\nn = Mul(x, k)",
    "a constant that makes it larger": "k = Const([[[1]], [[1]]])\nn = Mul(x, k)",
    "one divided by it": "k = Const(1)\nn = RealDiv(k, x)",
    "zero minus it": "k = Const(0)\nn = Sub(k, x)",
    "no constant": "n = Mul(x, x)",
    "another order": "k = Const([1, 0], dtype='int32')\nn = Transpose(x, k)",
    "another shape": "k = Const([3, 2], dtype='int32')\nn = Reshape(x, k)",
    "another type": "n = Cast(x, SrcT='float', DstT='half')",
    "padding": "k = Const([[0, 0], [0, 1]], dtype='int32')\nn = Pad(x, k)",
    "a slice of a part": ("b = Const([0, 0], dtype='int32')\nk = Const([-1, 2], dtype='int32')\nn = Slice(x, b, k)"),
    "a slice that turns it round": (
        "b = Const([0, 9], dtype='int32')\nk = Const([2, -9], dtype='int32')\n"
        "s = Const([1, -1], dtype='int32')\nn = StridedSlice(x, b, k, s)"
    ),
    "two tiles": "k = Const([1, 2], dtype='int32')\nn = Tile(x, k)",
    "a sum of two": "n = AddN(x, x, N=2)",
}


@pytest.mark.parametrize("nodes", BUSY.values(), ids=BUSY)
def test_what_changes_something_stays(nodes: str) -> None:
    before = f"x = Placeholder(shape=[2, 3])\n{nodes}\ny = Neg(n)\n-> y"
    assert show(apply("remove_idle_nodes", before)[0]) == show(apply("sort_by_execution_order", before)[0])


@pytest.mark.parametrize("shape", ["None", "[-1, -1]", "[-1, 0]"])
def test_a_shape_of_which_too_little_is_known_stays(shape: str) -> None:
    before = f"""
        x = Placeholder(shape={shape})
        k = Const([-1, 0], dtype='int32')
        n = Reshape(x, k)
        one = Const([1, 1])
        m = Mul(n, one)
        y = Neg(m)
        -> y
    """
    assert len(apply("remove_idle_nodes", before)[0]) == 6


def test_all_ports_of_identity_n_are_read_through() -> None:
    check_transform(
        "remove_idle_nodes",
        before="""
            x = Placeholder()
            c = Const(3)
            i = IdentityN(x, c, T=['float', 'float'])
            y = Mul(i, i:1, ^i)
            -> y
        """,
        after="x = Placeholder()\nc = Const(3)\ny = Mul(x, c, ^x)\n-> y",
    )


def test_a_swish_is_a_sigmoid_and_a_product() -> None:
    check_transform(
        "remove_idle_nodes",
        before="""
            x = Placeholder()
            beta = Const(1)
            m = Mul(beta, x)
            s = Sigmoid(m)
            p = Mul(x, s)
            i = IdentityN(p, x, beta, T=['float', 'float', 'float'])
            y = Neg(i)
            -> y
        """,
        after="x = Placeholder()\ns = Sigmoid(x)\np = Mul(x, s)\ny = Neg(p)\n-> y",
    )


def test_constants_that_others_read_stay() -> None:
    check_transform(
        "remove_idle_nodes",
        before="x = Placeholder()\nk = Const(1)\nn = Mul(x, k)\ny = Add(n, k)\n-> y",
        after="x = Placeholder()\nk = Const(1)\ny = Add(x, k)\n-> y",
    )


def test_inputs_and_outputs_stay() -> None:
    check_refuses("remove_idle_nodes", "x = Placeholder()\ny = StopGradient(x)\n-> y", "input or output")


def test_a_node_that_waits_stays() -> None:
    check_refuses(
        "remove_idle_nodes",
        "x = Placeholder()\nw = Placeholder()\nn = StopGradient(x, ^w)\ny = Neg(n)\n-> y",
        "waits for 'w'",
    )


def test_a_pivot_behind_a_switch_stays() -> None:
    check_refuses(
        "remove_idle_nodes",
        "x = Placeholder()\ns = Switch(x, x)\nt = Identity(s:1)\nc = Const(2, ^t)\ny = Mul(t, c)\n-> y",
        "two branches",
    )


def test_a_constant_of_a_branch_holds_the_product_there() -> None:
    check_refuses(
        "remove_idle_nodes",
        """
            x = Placeholder()
            s = Switch(x, x)
            p = Sigmoid(s:1)
            one = Const(1, ^p)
            n = Mul(x, one)
            y = Merge(n, s)
            -> y
        """,
        "different branches",
    )


def test_in_the_bodies_of_functions() -> None:
    graph = run(
        "remove_idle_nodes(functions=true)",
        "x = Placeholder()\nP = PartitionedCall(x, f='F', Tin=['float'], Tout=['float'])\n-> P",
        {"F(a: float)": "k = Const(1)\nm = Mul(a, k:output:0)\nn = Neg(m:z:0)\n-> y = n:y:0"},
    )
    assert show(graph.library.functions["F"].body().graph) == ["a = Placeholder()", "n = Neg(a)"]
