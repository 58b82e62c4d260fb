from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest

import pbslim
from pbslim.dtypes import Shape
from pbslim.engines import engine
from pbslim.ir import Graph
from tests.functions import run
from tests.graphs import apply, check_refuses, check_transform, parse, show

CONV1D = """
    x = Placeholder(shape=[-1, 1, 9, 2])
    back = Const([0, 2, 1], dtype='int32')
    second = Const(-3, dtype='int32')
    widths = Const([[0, 0], [0, 0], [2, 3]], dtype='int32')
    w = Const([[[[1], [2]], [[3], [4]]]])
    s = Squeeze(x, squeeze_dims=[-3])
    t = Transpose(s, back, Tperm='int32')
    p = Pad(t, widths, Tpaddings='int32')
    m = MirrorPad(t, widths, Tpaddings='int32', mode='REFLECT')
    pt = Transpose(p, back, Tperm='int32')
    mt = Transpose(m, back, Tperm='int32')
    pe = ExpandDims(pt, second, Tdim='int32')
    me = ExpandDims(mt, second, Tdim='int32')
    y = Conv2D(pe, w, strides=[1, 1, 1, 1], padding='VALID')
    z = Conv2D(me, w, strides=[1, 1, 2, 1], padding='VALID')
    -> y, z
"""
FIRES = {
    "around the padding of a scalar": (
        """
        x = Placeholder(shape=[1])
        first = Const(0, dtype='int32')
        nothing = Const([[0, 0]], dtype='int32')
        s = Squeeze(x)
        p = ExpandDims(s, first, Tdim='int32')
        m = Pad(p, nothing, Tpaddings='int32')
        t = Squeeze(m)
        y = Tanh(t)
        z = Tanh(s)
        -> y, z
        """,
        """
        x = Placeholder(shape=[1])
        s = Squeeze(x, squeeze_dims=[0])
        m/paddings = Const([], dtype='int32')
        m = Pad(s, m/paddings, Tpaddings='int32')
        y = Tanh(m)
        z = Tanh(s)
        -> y, z
        """,
    ),
    "around padding": (
        CONV1D,
        """
        x = Placeholder(shape=[-1, 1, 9, 2])
        m/paddings = Const([[0, 0], [0, 0], [2, 3], [0, 0]], dtype='int32')
        w = Const([[[[1], [2]], [[3], [4]]]])
        p = Pad(x, m/paddings, Tpaddings='int32')
        m = MirrorPad(x, m/paddings, Tpaddings='int32', mode='REFLECT')
        y = Conv2D(p, w, strides=[1, 1, 1, 1], padding='VALID')
        z = Conv2D(m, w, strides=[1, 1, 2, 1], padding='VALID')
        -> y, z
        """,
    ),
    "two in a row": (
        """
        x = Placeholder(shape=[2, 3, 4])
        a = Const([1, 2, 0], dtype='int64')
        b = Const([1, 2, -3], dtype='int32')
        s = Transpose(x, a, Tperm='int64')
        t = Transpose(s, b, Tperm='int32')
        y = Softmax(t)
        -> y
        """,
        """
        x = Placeholder(shape=[2, 3, 4])
        t/perm = Const([2, 0, 1], dtype='int32')
        t = Transpose(x, t/perm, Tperm='int32')
        y = Softmax(t)
        -> y
        """,
    ),
    "a slice that adds an axis, a padding, another order": (
        """
        x = Placeholder(shape=[-1, 9])
        zeros = Const([0, 0, 0], dtype='int32')
        ones = Const([1, 1, 1], dtype='int32')
        widths = Const([[0, 0], [0, 0], [2, 3]], dtype='int64')
        back = Const([0, 2, 1], dtype='int32')
        n = StridedSlice(x, zeros, zeros, ones, Index='int32', begin_mask=5, end_mask=5, new_axis_mask=2)
        p = Pad(n, widths, Tpaddings='int64')
        t = Transpose(p, back, Tperm='int32')
        y = Softmax(t)
        -> y
        """,
        """
        x = Placeholder(shape=[-1, 9])
        t/axis = Const(2, dtype='int32')
        p/paddings = Const([[0, 0], [2, 3]], dtype='int64')
        p = Pad(x, p/paddings, Tpaddings='int64')
        t = ExpandDims(p, t/axis, Tdim='int32')
        y = Softmax(t)
        -> y
        """,
    ),
    "inputs that are stacked": (
        """
        a = Placeholder(shape=[2, 3, 4])
        b = Placeholder(shape=[2, 3, 4])
        back = Const([0, 2, 1], dtype='int32')
        two = Const(2)
        s = Transpose(a, back, Tperm='int32')
        t = Transpose(b, back, Tperm='int32')
        n = Neg(t)
        k = Mul(n, two)
        p = Pack(s, k, N=2, axis=-1)
        y = Softmax(p)
        -> y
        """,
        """
        a = Placeholder(shape=[2, 3, 4])
        b = Placeholder(shape=[2, 3, 4])
        s/perm = Const([0, 2, 1, 3], dtype='int32')
        two = Const(2)
        n = Neg(b)
        k = Mul(n, two)
        p = Pack(a, k, N=2, axis=3)
        s = Transpose(p, s/perm, Tperm='int32')
        y = Softmax(s)
        -> y
        """,
    ),
    "inputs that are joined": (
        """
        a = Placeholder(shape=[2, 1, 4])
        b = Placeholder(shape=[2, 1, 5])
        axis = Const(-1, dtype='int64')
        s = Squeeze(a, squeeze_dims=[1])
        t = Squeeze(b, squeeze_dims=[1])
        c = ConcatV2(s, t, axis, N=2, Tidx='int64')
        y = Softmax(c)
        -> y
        """,
        """
        a = Placeholder(shape=[2, 1, 4])
        b = Placeholder(shape=[2, 1, 5])
        c/axis = Const(2, dtype='int64')
        c = ConcatV2(a, b, c/axis, N=2, Tidx='int64')
        s = Squeeze(c, squeeze_dims=[1])
        y = Softmax(s)
        -> y
        """,
    ),
    "a sum between channels first and last": (
        """
        a = Placeholder(shape=[2, 4, 4, 3])
        b = Placeholder(shape=[2, 4, 4, 3])
        first = Const([0, 3, 1, 2], dtype='int32')
        last = Const([0, 2, 3, 1], dtype='int32')
        s = Transpose(a, first, Tperm='int32')
        t = Transpose(b, first, Tperm='int32')
        u = Add(s, t)
        r = Relu(u)
        l = Transpose(r, last, Tperm='int32')
        y = MaxPool(l, ksize=[1, 2, 2, 1], strides=[1, 1, 1, 1], padding='VALID')
        -> y
        """,
        """
        a = Placeholder(shape=[2, 4, 4, 3])
        b = Placeholder(shape=[2, 4, 4, 3])
        u = Add(a, b)
        r = Relu(u)
        y = MaxPool(r, ksize=[1, 2, 2, 1], strides=[1, 1, 1, 1], padding='VALID')
        -> y
        """,
    ),
    "views without a list of axes": (
        """
        x = Placeholder(shape=[3, 1, 4, 1])
        shape = Const([3, 1, 4, 1], dtype='int32')
        s = Squeeze(x)
        n = Neg(s)
        r = Reshape(n, shape, Tshape='int32')
        y = Softmax(r)
        -> y
        """,
        "x = Placeholder(shape=[3, 1, 4, 1])\nn = Neg(x)\ny = Softmax(n)\n-> y",
    ),
}


@pytest.mark.parametrize(("before", "after"), FIRES.values(), ids=FIRES)
def test_fires(before: str, after: str) -> None:
    check_transform("cancel_transposes", before, after)


@pytest.mark.parametrize("reader", ["builtin", pytest.param("tensorflow", marks=pytest.mark.tensorflow)])
def test_outputs_stay(reader: str) -> None:
    if reader == "tensorflow":
        pytest.importorskip("tensorflow")
    for name, (before, _) in FIRES.items():
        graph, outputs = parse(before)
        feeds: dict[str, npt.NDArray[np.float32]] = {}
        for node in graph:
            if node.op == "Placeholder":
                dims = [abs(dim) for dim in node.shape_attr("shape").dims or ()]
                feeds[node.name] = np.random.default_rng(len(feeds)).normal(size=dims).astype(np.float32)
        was = engine(reader).load(graph.copy()).run(feeds, outputs)
        pbslim.transform(graph, "cancel_transposes", list(feeds), outputs)
        now = engine(reader).load(graph).run(feeds, outputs)
        for one, other in zip(was, now, strict=True):
            np.testing.assert_array_equal(one, other, strict=True, err_msg=name)


def _between(first: str, second: str, shape: str = "[2, 3]", more: str = "", read: str = "t") -> str:
    """Two transposes that undo one another, written as given."""
    return f"""
        x = Placeholder({f"shape={shape}" if shape else ""})
        back = Const([1, 0], dtype='int32')
        s = {first}
        t = {second}
        y = Softmax({read})
        {more or "-> y"}
    """


_FIRST, _SECOND = "Transpose(x, back, Tperm='int32')", "Transpose(s, back, Tperm='int32')"
REFUSES = {
    "unknown rank": (_between(_FIRST, _SECOND, shape=""), "how many axes it has is not known"),
    "unknown order": (
        _between("Transpose(x, p, Tperm='int32')", _SECOND).replace("back =", "p = Placeholder(dtype='int32')\nback ="),
        "its order is not constant",
    ),
    "an output": (_between(_FIRST, _SECOND, more="-> t, y"), "it is an input or output of the graph"),
    "waiting": (_between(_FIRST, "Transpose(s, back, ^x, Tperm='int32')"), "it waits for 'x'"),
    "awaited": (
        _between(_FIRST, _SECOND, more="n = NoOp(^s)\nz = Neg(y, ^n)\n-> z"),
        "'n' waits for it",
    ),
    "as many constants as nodes": (
        """
        x = Placeholder(shape=[3, 4])
        back = Const([1, 0], dtype='int32')
        some = Const([[1, 0], [0, 2]], dtype='int32')
        more = Const([[0, 3], [4, 0]], dtype='int32')
        s = Transpose(x, back, Tperm='int32')
        p = Pad(s, some, Tpaddings='int32')
        q = MirrorPad(p, more, Tpaddings='int32', mode='REFLECT')
        t = Transpose(q, back, Tperm='int32')
        y = Softmax(t)
        read = AddN(some, more, N=2)
        -> y, read, back
        """,
        "as many new constants would be needed",
    ),
}


@pytest.mark.parametrize(("before", "reason"), REFUSES.values(), ids=REFUSES)
def test_refuses(before: str, reason: str) -> None:
    check_refuses("cancel_transposes", before, reason)


UNTOUCHED = {
    "one with nothing to undo": _between("Neg(x)", _SECOND),
    "an op that works in one order": _between(_FIRST, "Transpose(m, back, Tperm='int32')").replace(
        "t =", "m = Softmax(s)\nt ="
    ),
    "an op that may round in another way": _between(_FIRST, "Transpose(m, back, Tperm='int32')").replace(
        "t =", "m = Tanh(s)\nt ="
    ),
    "paddings that are computed": """
        x = Placeholder(shape=[2, 3])
        widths = Placeholder(shape=[2, 2], dtype='int32')
        back = Const([1, 0], dtype='int32')
        s = Transpose(x, back, Tperm='int32')
        p = Pad(s, widths, Tpaddings='int32')
        t = Transpose(p, back, Tperm='int32')
        y = Softmax(t)
        -> y
    """,
    "a squeezed axis of unknown length": """
        x = Placeholder(shape=[2, -1, 3])
        one = Const(1, dtype='int32')
        s = Squeeze(x, squeeze_dims=[1])
        t = ExpandDims(s, one, Tdim='int32')
        y = Softmax(t)
        -> y
    """,
    "padding of an axis that is put in": """
        x = Placeholder(shape=[2, 3])
        one = Const(1, dtype='int32')
        widths = Const([[0, 0], [1, 1], [0, 0]], dtype='int32')
        e = ExpandDims(x, one, Tdim='int32')
        p = Pad(e, widths, Tpaddings='int32')
        y = Softmax(p)
        -> y
    """,
    "a square that is added to itself": """
        x = Placeholder(shape=[3, 3])
        back = Const([1, 0], dtype='int32')
        s = Transpose(x, back, Tperm='int32')
        u = Add(x, s)
        t = Transpose(u, back, Tperm='int32')
        y = Softmax(t)
        -> y
    """,
    "more axes than can be mirrored": """
        x = Placeholder(shape=[1, 2, 1, 2, 1, 2])
        widths = Const([[1, 1], [0, 0], [0, 0]], dtype='int32')
        shape = Const([1, 4, 1, 2, 1, 2], dtype='int32')
        s = Squeeze(x)
        p = MirrorPad(s, widths, Tpaddings='int32', mode='REFLECT')
        t = Reshape(p, shape, Tshape='int32')
        y = Softmax(t)
        -> y
    """,
    "more elements moved": """
        x = Placeholder(shape=[4, 2])
        back = Const([1, 0], dtype='int32')
        zero = Const(0, dtype='int32')
        widths = Const([[9, 9], [9, 9]], dtype='int32')
        s = Transpose(x, back, Tperm='int32')
        p = Pad(s, widths, Tpaddings='int32')
        q = Relu(s)
        y = Softmax(p)
        z = Softmax(q)
        -> y, z
    """,
}


@pytest.mark.parametrize("before", UNTOUCHED.values(), ids=UNTOUCHED)
def test_left_alone(before: str) -> None:
    assert show(apply("cancel_transposes", before)[0]) == show(parse(before)[0])


def test_what_something_else_reads_stays() -> None:
    check_transform(
        "cancel_transposes",
        before=_between(_FIRST, _SECOND, more="z = Softmax(s)\n-> y, z"),
        after="""
            x = Placeholder(shape=[2, 3])
            back = Const([1, 0], dtype='int32')
            s = Transpose(x, back, Tperm='int32')
            y = Softmax(x)
            z = Softmax(s)
            -> y, z
        """,
    )


def test_notes_of_shapes_go_where_shapes_change() -> None:
    graph, outputs = parse(FIRES["a sum between channels first and last"][0])
    for node in graph:
        node.set_attr("_output_shapes", (Shape((2, 3, 4, 4)),))
    pbslim.transform(graph, "cancel_transposes", ["a", "b"], outputs)
    assert [node.name for node in graph if "_output_shapes" in node.attrs] == ["a", "b", "y"]


def test_names_of_constants_are_free() -> None:
    graph, _ = apply(
        "cancel_transposes",
        CONV1D.replace("-> y, z", "m/paddings = Neg(y)\n-> y, z, m/paddings"),
    )
    assert {"m/paddings", "m/paddings_1"} <= {node.name for node in graph}


def test_a_constant_that_others_read_stays() -> None:
    graph, _ = apply("cancel_transposes", CONV1D.replace("-> y, z", "k = Neg(widths)\n-> y, z, k"))
    assert graph["widths"].tensor().shape == (3, 2)
    assert graph["m"].inputs[1].name == "m/paddings"


def test_new_constants_stand_before_their_readers() -> None:
    graph, _ = apply("cancel_transposes", CONV1D)
    names = [node.name for node in graph]
    assert names.index("m/paddings") == names.index("m") - 1


@pytest.mark.parametrize("before", [before for before, _ in FIRES.values()], ids=FIRES)
def test_twice_changes_nothing_more(before: str) -> None:
    once, twice = (apply(text, before)[0] for text in ("cancel_transposes", "cancel_transposes cancel_transposes"))
    assert show(once) == show(twice)


def test_a_loop_is_left_alone() -> None:
    before = """
        x = Placeholder(shape=[4, 4])
        go = Placeholder(dtype='bool', shape=[])
        e = Enter(x, frame_name='f')
        m = Merge(e, n, N=2)
        l = LoopCond(go)
        s = Switch(m, l)
        back = Const([1, 0], ^s, dtype='int32')
        a = Transpose(s:1, back, Tperm='int32')
        b = Transpose(a, back, Tperm='int32')
        n = NextIteration(b)
        y = Exit(s)
        -> y
    """
    graph, _ = apply("cancel_transposes", before)
    assert show(graph) == show(parse(before)[0])


def test_what_computed_a_shape_goes_with_the_reshape() -> None:
    check_transform(
        "cancel_transposes",
        before="""
            x = Placeholder(shape=[-1, 4])
            n = Shape(x, out_type='int32')
            zero = Const(0, dtype='int32')
            k = Const([1], dtype='int32')
            all = ConcatV2(n, k, zero, T='int32', N=2, Tidx='int32')
            r = Reshape(x, all, Tshape='int32')
            m = Neg(r)
            s = Squeeze(m, squeeze_dims=[2])
            y = Softmax(s)
            -> y
        """,
        after="x = Placeholder(shape=[-1, 4])\nm = Neg(x)\ny = Softmax(m)\n-> y",
    )


def _body(graph: Graph, name: str) -> list[str]:
    return sorted(node.op for node in graph.library.functions[name].body().graph)


def test_bodies_of_functions() -> None:
    graph = run(
        "cancel_transposes(functions=true)",
        "x = Placeholder(shape=[2, 3])\ny = StatefulPartitionedCall(x, f='F', Tin=['float'], Tout=['float'])\n-> y",
        {
            "F(a: float)": """
                k = Const([[1, 2], [3, 4], [5, 6]])
                back = Const([1, 0], dtype='int32')
                m = MatMul(a, k:output:0)
                s = Transpose(m:product:0, back:output:0, Tperm='int32')
                n = Neg(s:y:0)
                t = Transpose(n:y:0, back:output:0, Tperm='int32')
                -> y = t:y:0
            """,
            "G(a: float)": """
                k = Const([[1, 2], [3, 4], [5, 6]])
                back = Const([1, 0], dtype='int32')
                m = MatMul(a, k:output:0)
                s = Transpose(m:product:0, back:output:0, Tperm='int32')
                n = Neg(s:y:0)
                t = Transpose(n:y:0, back:output:0, Tperm='int32')
                z = Softmax(t:y:0)
                -> y = z:softmax:0
            """,
        },
    )
    assert "Transpose" in _body(graph, "F")  # the result is one
    assert _body(graph, "G") == ["Const", "MatMul", "Neg", "Placeholder", "Softmax"]
