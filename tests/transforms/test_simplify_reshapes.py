from __future__ import annotations

import pytest

from tests.functions import run
from tests.graphs import apply, check_transform, show

BATCH = """
    s = Shape({0}, out_type='int32')
    zero = Const([0], dtype='int32')
    one = Const([1], dtype='int32')
    b = StridedSlice(s, zero, one, one, T='int32', shrink_axis_mask=1)
"""


def test_flatten_gets_a_constant_shape() -> None:
    check_transform(
        "simplify_reshapes",
        before=f"""
            x = Placeholder(shape=[-1, 4, 5])
            {BATCH.format("x")}
            n = Const(-1, dtype='int32')
            p = Pack(b, n, N=2, T='int32', axis=0)
            r = Reshape(x, p)
            y = Neg(r)
            -> y
        """,
        after="""
            x = Placeholder(shape=[-1, 4, 5])
            r/shape = Const([-1, 20], dtype='int32')
            r = Reshape(x, r/shape, Tshape='int32')
            y = Neg(r)
            -> y
        """,
    )


@pytest.mark.parametrize(("wanted", "becomes"), [([-1, 10], [-1, 2, 10]), ([10, -1], [-1, 10, 2]), ([-1], [-1, 20])])
def test_what_a_reshape_infers_beside_the_batch(wanted: list[int], becomes: list[int]) -> None:
    constants = "\n".join(f"n{i} = Const({n}, dtype='int32')" for i, n in enumerate(wanted))
    names = ", ".join(f"n{i}" for i in range(len(wanted)))
    pack = f"p = Pack(b, {names}, N={len(wanted) + 1}, T='int32', axis=0)"
    before = f"x = Placeholder(shape=[-1, 4, 5])\n{BATCH.format('x')}\n{constants}\n{pack}\ny = Reshape(x, p)\n-> y"
    graph, _ = apply("simplify_reshapes", before)
    assert graph["y/shape"].tensor().numpy().tolist() == becomes
    assert len(graph) == 3


def test_a_reduction_keeps_what_a_reshape_brings_back() -> None:
    check_transform(
        "simplify_reshapes",
        before=f"""
            x = Placeholder(shape=[-1, 7, 7, 8])
            axes = Const([1, -2], dtype='int32')
            m = Mean(x, axes, Tidx='int32')
            {BATCH.format("x")}
            k = Const(1, dtype='int32')
            c = Const(8, dtype='int32')
            p = Pack(b, k, k, c, N=4, T='int32', axis=0)
            y = Reshape(m, p)
            -> y
        """,
        after="""
            x = Placeholder(shape=[-1, 7, 7, 8])
            axes = Const([1, -2], dtype='int32')
            y = Mean(x, axes, Tidx='int32', keep_dims=True)
            -> y
        """,
    )


def test_several_in_a_row_become_one() -> None:
    check_transform(
        "simplify_reshapes",
        before="""
            x = Placeholder(shape=[-1, 1, 6])
            a = Squeeze(x, squeeze_dims=[1])
            two = Const([-1, 2, 3], dtype='int64')
            r = Reshape(a, two, Tshape='int64')
            k = Const(1, dtype='int32')
            y = ExpandDims(r, k, Tdim='int32')
            -> y
        """,
        after="""
            x = Placeholder(shape=[-1, 1, 6])
            y/shape = Const([-1, 1, 2, 3], dtype='int32')
            y = Reshape(x, y/shape, Tshape='int32')
            -> y
        """,
    )


def test_a_reshape_reads_what_the_one_before_it_reads_whatever_the_shapes() -> None:
    check_transform(
        "simplify_reshapes",
        before="""
            x = Placeholder()
            s = Placeholder(dtype='int32')
            k = Const([-1, 2], dtype='int32')
            a = Reshape(x, k)
            y = Reshape(a, s)
            -> y
        """,
        after="x = Placeholder()\ns = Placeholder(dtype='int32')\ny = Reshape(x, s)\n-> y",
    )


def test_reshapes_that_shared_a_computed_shape_share_the_constant() -> None:
    graph, _ = apply(
        "simplify_reshapes",
        f"""
            x = Placeholder(shape=[-1, 4, 5])
            z = Placeholder(shape=[-1, 5, 4])
            {BATCH.format("x")}
            n = Const(20, dtype='int32')
            p = Pack(b, n, N=2, T='int32', axis=0)
            q = Reshape(x, p)
            r = Reshape(z, p)
            y = Add(q, r)
            -> y
        """,
    )
    assert sorted(node.op for node in graph) == ["Add", "Const", "Placeholder", "Placeholder", "Reshape", "Reshape"]


UNTOUCHED = {
    "the batch of something else": f"""
        x = Placeholder(shape=[-1, 4, 5])
        z = Placeholder(shape=[-1, 4, 5])
        {BATCH.format("z")}
        n = Const(-1, dtype='int32')
        p = Pack(b, n, N=2, T='int32', axis=0)
        y = Reshape(x, p)
        -> y
    """,
    "two unknown dimensions": f"""
        x = Placeholder(shape=[-1, -1, 5])
        {BATCH.format("x")}
        n = Const(-1, dtype='int32')
        k = Const(5, dtype='int32')
        p = Pack(b, n, k, N=3, T='int32', axis=0)
        y = Reshape(x, p)
        -> y
    """,
    "an empty tensor": f"""
        x = Placeholder(shape=[-1, 0])
        {BATCH.format("x")}
        n = Const(0, dtype='int32')
        p = Pack(b, n, N=2, T='int32', axis=0)
        y = Reshape(x, p)
        -> y
    """,
    "a shape that something else reads": f"""
        x = Placeholder(shape=[-1, 4])
        {BATCH.format("x")}
        n = Const(4, dtype='int32')
        p = Pack(b, n, N=2, T='int32', axis=0)
        y = Reshape(x, p)
        -> y, p
    """,
    "an inner one that is read elsewhere": """
        x = Placeholder(shape=[-1, 4])
        k = Const([-1, 2, 2], dtype='int32')
        r = Reshape(x, k)
        s = Squeeze(r)
        z = Neg(r)
        -> s, z
    """,
    "a reduction that is an output": """
        x = Placeholder(shape=[-1, 4])
        axes = Const([1], dtype='int32')
        m = Mean(x, axes, Tidx='int32')
        k = Const([-1, 1], dtype='int32')
        y = Reshape(m, k)
        -> m, y
    """,
    "another shape than the reduction would keep": """
        x = Placeholder(shape=[2, 3, 2])
        axes = Const([1], dtype='int32')
        m = Mean(x, axes, Tidx='int32')
        k = Const([1, 2, 2], dtype='int32')
        y = Reshape(m, k)
        -> y
    """,
}


@pytest.mark.parametrize("before", UNTOUCHED.values(), ids=UNTOUCHED)
def test_left_alone(before: str) -> None:
    assert show(apply("simplify_reshapes", before)[0]) == show(apply("sort_by_execution_order", before)[0])


def test_twice_changes_nothing_more() -> None:
    before = (
        "x = Placeholder(shape=[-1, 1, 6])\na = Squeeze(x)\nk = Const([-1, 3], dtype='int32')\ny = Reshape(a, k)\n-> y"
    )
    once, twice = apply("simplify_reshapes", before)[0], apply("simplify_reshapes simplify_reshapes", before)[0]
    assert show(once) == show(twice)


def test_a_loop_is_left_alone() -> None:
    graph, _ = apply(
        "simplify_reshapes",
        """
            x = Placeholder(shape=[-1, 4])
            go = Placeholder(dtype='bool', shape=[])
            e = Enter(x, frame_name='f')
            m = Merge(e, n, N=2)
            l = LoopCond(go)
            s = Switch(m, l)
            h = Shape(s:1, out_type='int32')
            r = Reshape(s:1, h)
            n = NextIteration(r)
            y = Exit(s)
            -> y
        """,
    )
    assert "h" in graph


def test_shapes_are_followed_through_calls() -> None:
    """What a function gives for a batch of unknown size is known, apart from that size."""
    graph = run(
        "simplify_reshapes",
        """
            x = Placeholder(shape=[-1, 3])
            c = StatefulPartitionedCall(x, f='F', Tin=['float'], Tout=['float'])
            s = Shape(c, out_type='int32')
            y = Reshape(c, s)
            -> y
        """,
        {
            "F(a: float)": "i = Inner(a)\n-> y = i:y:0",
            "Inner(a: float)": "k = Const([[1, 2], [3, 4], [5, 6]])\nm = MatMul(a, k:output:0)\n-> y = m:product:0",
        },
    )
    assert graph["y/shape"].tensor().numpy().tolist() == [-1, 2]
