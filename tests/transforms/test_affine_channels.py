"""``fold_batch_norms(algebraic=true)``: every op, spelling and layout, held against TensorFlow."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

import pbslim
from pbslim.ir import Graph
from pbslim.wire import save
from tests.graphs import apply, check_refuses, check_transform, parse, show

FOLD = "fold_batch_norms(algebraic=true)"
CHANNELS = 4

# Op → its line, the shape of its input, the shape of its weights; {w} is where they are read.
OPS = {
    "Conv2D": ("Conv2D(x, {w}, strides=[1, 1, 1, 1], padding='SAME')", (2, 5, 5, 3), (2, 2, 3, CHANNELS)),
    "grouped": ("Conv2D(x, {w}, strides=[1, 1, 1, 1], padding='VALID')", (2, 5, 5, 4), (2, 2, 2, CHANNELS)),
    "depthwise": (
        "DepthwiseConv2dNative(x, {w}, strides=[1, 1, 1, 1], padding='SAME')",
        (2, 5, 5, 2),
        (2, 2, 2, CHANNELS // 2),
    ),
    "Conv3D": ("Conv3D(x, {w}, strides=[1, 1, 1, 1, 1], padding='SAME')", (2, 3, 5, 5, 3), (2, 2, 2, 3, CHANNELS)),
    "transposed": (
        "Conv2DBackpropInput(size, {w}, x, strides=[1, 2, 2, 1], padding='SAME')",
        (2, 3, 3, 3),
        (2, 2, CHANNELS, 3),
    ),
    "transposed depthwise": (
        "DepthwiseConv2dNativeBackpropInput(size, {w}, x, strides=[1, 2, 2, 1], padding='SAME')",
        (2, 3, 3, 2 * CHANNELS),
        (2, 2, CHANNELS, 2),
    ),
    "transposed 3D": (
        "Conv3DBackpropInputV2(size, {w}, x, strides=[1, 2, 2, 2, 1], padding='SAME')",
        (2, 3, 3, 3, 3),
        (2, 2, 2, CHANNELS, 3),
    ),
    "MatMul": ("MatMul(x, {w})", (2, 3), (3, CHANNELS)),
    "MatMul transposed": ("MatMul(x, {w}, transpose_b=True)", (2, 3), (CHANNELS, 3)),
}
SIZES = {"transposed": [2, 6, 6, CHANNELS], "transposed depthwise": [2, 6, 6, CHANNELS]}
SIZES["transposed 3D"] = [2, 6, 6, 6, CHANNELS]

FUSED = "y = {op}(conv, a, b, c, d, epsilon=0.01, is_training=False)"
# Spelling → the lines from 'conv' to 'y', in which a to d are positive constants.
FORMS = {
    "layers": "m = Mul(conv, a)\ny = AddV2(m, b)",
    "swapped": "m = Mul(a, conv)\ny = Add(b, m)",
    "scale alone": "y = Mul(conv, a)",
    "centred": "s = Sub(conv, a)\nm = Mul(b, s)\nn = Mul(m, c)\ny = AddV2(n, d)",
    "divided": "s = Sub(conv, a)\nq = RealDiv(s, b)\nm = Mul(q, c)\ny = AddV2(m, d)",
    "reversed": "s = Sub(a, conv)\nn = Neg(s)\ni = Identity(n)\ny = Mul(i, b)",
    "shifts": "s = Sub(conv, a)\ny = AddV2(s, b)",
    "BiasAdd": "i = BiasAdd(conv, a)\nm = Mul(i, b)\ny = BiasAdd(m, c)",
    "Add": "i = AddV2(a, conv)\nm = Mul(i, b)\ny = Add(m, c)",
    "FusedBatchNorm": FUSED.format(op="FusedBatchNorm"),
    "FusedBatchNormV2": FUSED.format(op="FusedBatchNormV2").replace(")", ", U='float')"),
    "FusedBatchNormV3": FUSED.format(op="FusedBatchNormV3").replace(")", ", U='float')"),
    "fused behind bias": "i = BiasAdd(conv, d)\n" + FUSED.format(op="FusedBatchNorm").replace("conv", "i"),
    "two batch norms": FUSED.format(op="FusedBatchNorm").replace("y =", "z =") + "\nn = Mul(z, a)\ny = Sub(b, n)",
}
SHAPES = {"vector": (CHANNELS,), "full": (1, CHANNELS), "one": ()}


def _graph(op: str, form: str, shape: tuple[int, ...] = (CHANNELS,), seed: int = 0) -> tuple[str, np.ndarray]:
    """A graph as text, and a value for its input."""
    line, x_shape, w_shape = OPS[op]
    random = np.random.default_rng(seed)
    rank = len(x_shape)
    full = (1,) * (rank - 1) + (CHANNELS,) if shape == SHAPES["full"] else shape
    lines = ["x = Placeholder()", f"w = Const({random.normal(size=w_shape).round(3).tolist()})"]
    values = {n: random.uniform(0.5, 2, full).round(3).tolist() for n in "abcd"}
    lines += [f"{n} = Const({value})" for n, value in values.items() if re.search(rf"[(,] ?{n}\b", FORMS[form])]
    if op in SIZES:
        lines.append(f"size = Const({SIZES[op]}, dtype='int32')")
    lines += [f"conv = {line.format(w='w')}", FORMS[form], "-> y"]
    return "\n".join(lines), random.normal(size=x_shape).astype(np.float32)


def _cases() -> list[tuple[str, str, str]]:
    """Ops, spellings and shapes of the constants that go together."""
    found = [(op, form, "vector") for op in OPS for form in FORMS if len(OPS[op][1]) == 4 or "Norm" not in FORMS[form]]
    return found + [(op, form, shape) for op in OPS for form in ("layers", "reversed") for shape in ("full", "one")]


def _run(graph: Graph, x: np.ndarray, path: Path) -> np.ndarray:
    from pbslim.engines import tensorflow

    save(graph, path)
    return tensorflow.run(path, {"x": x}, ["y"])[0]


@pytest.mark.tensorflow
@pytest.mark.parametrize(("op", "form", "shape"), _cases())
def test_the_same_values_with_a_bias_at_most(op: str, form: str, shape: str, tmp_path: Path) -> None:
    pytest.importorskip("tensorflow")
    text, x = _graph(op, form, SHAPES[shape])
    want = _run(parse(text)[0], x, tmp_path / "before.pb")
    graph, _ = apply(FOLD, text)
    ops = sorted(node.op for node in graph if node.op not in ("Const", "Placeholder"))
    assert ops == sorted([OPS[op][0].partition("(")[0], *([] if form == "scale alone" else ["BiasAdd"])])
    got = _run(graph, x, tmp_path / "after.pb")
    np.testing.assert_allclose(got, want, rtol=0, atol=1e-5 * np.abs(want).max())


@pytest.mark.parametrize("op", ["Conv2D", "depthwise", "Conv3D", "transposed"])
@pytest.mark.parametrize("form", ["layers", "centred", "divided", "reversed", "shifts", "FusedBatchNorm"])
def test_channels_first_gives_the_same_weights(op: str, form: str) -> None:
    if (op, form, "vector") not in _cases():
        pytest.skip("a fused batch norm takes images")
    layout = "NCDHW" if op == "Conv3D" else "NCHW"
    # A vector is broadcast along the width there, so that arithmetic needs all dimensions.
    spread = (CHANNELS,) if form == "FusedBatchNorm" else (CHANNELS, *(1 for _ in OPS[op][1][2:]))
    text = re.sub(r"(padding|epsilon)=", rf"data_format='{layout}', \1=", _graph(op, form, spread)[0])
    first, _ = apply(FOLD, text)
    last, _ = apply(FOLD, _graph(op, form)[0])
    if "y" in first and first["y"].op == "BiasAdd":
        assert first["y"].attrs["data_format"] == b"NCHW"
    assert [re.sub(r", data_format=b'NCD?HW'", "", line) for line in show(first)] == show(last)


def test_a_bias_along_the_channels_that_come_first() -> None:
    text = NORM.replace("(x, w)", "(x, w, data_format='NCHW')").replace(
        "y = Fused", "b = BiasAdd(conv, t{0})\ny = Fused"
    )
    text = text.replace("V3(conv", "V3(b").replace("is_training", "data_format='NCHW', is_training")
    graph, _ = apply(FOLD, text.format(", data_format='NCHW'") + "-> y")
    assert graph["y"].op == "BiasAdd"
    check_refuses(FOLD, text.format("") + "-> y", "the channels of 'b' run along another dimension")


MATMUL = """
    x = Placeholder()
    w = Const([[1, 2], [3, 4]])
    conv = MatMul(x, w)
    s = Const([10, 100])
    t = Const([1, 2])
"""


def test_weights_of_several_readers_are_copied() -> None:
    check_transform(
        FOLD,
        before=MATMUL + "m = Mul(conv, s)\ny = AddV2(m, t)\nc2 = MatMul(x, w)\nz = Mul(c2, s)\n-> y, z",
        after="""
            x = Placeholder()
            w = Const([[10, 200], [30, 400]])
            conv_weights = Const([[10, 200], [30, 400]])
            conv = MatMul(x, conv_weights)
            conv_bn_offset = Const([1, 2])
            y = BiasAdd(conv, conv_bn_offset)
            z = MatMul(x, w)
            -> y, z
        """,
    )


def test_weights_that_are_an_output_or_behind_a_read_stay() -> None:
    check_transform(
        FOLD,
        before=MATMUL.replace("(x, w)", "(x, read)") + "read = Identity(w)\ny = Mul(conv, s)\n-> y, read",
        after="""
            x = Placeholder()
            w = Const([[1, 2], [3, 4]])
            read = Identity(w)
            conv_weights = Const([[10, 200], [30, 400]])
            y = MatMul(x, conv_weights)
            t = Const([1, 2])
            -> y, read
        """,
    )


def test_a_shift_alone_needs_no_copy() -> None:
    graph, _ = apply(FOLD, MATMUL + "m = AddV2(conv, s)\ny = AddV2(m, t)\nz = MatMul(x, w)\n-> y, z")
    assert graph["conv"].inputs[1].node is graph["z"].inputs[1].node
    assert graph["y"].op == "BiasAdd"


def test_one_shift_stays_as_it_is_written() -> None:
    before = MATMUL + "y = AddV2(conv, t)\n-> y, s"
    check_transform(FOLD, before, before)


def test_control_edges_and_devices_stay() -> None:
    check_transform(
        FOLD,
        before=MATMUL.replace("(x, w)", "(x, w, ^a, device='/gpu:0')")
        + "a = NoOp()\nb = NoOp()\nm = Mul(conv, s, ^b)\ny = AddV2(m, t, ^a)\n-> y",
        after="""
            x = Placeholder()
            w = Const([[10, 200], [30, 400]])
            a = NoOp()
            b = NoOp()
            conv = MatMul(x, w, ^a, device='/gpu:0')
            conv_bn_offset = Const([1, 2])
            y = BiasAdd(conv, conv_bn_offset, ^a, ^b, device='/gpu:0')
            -> y
        """,
    )


def test_an_output_within_the_chain_keeps_its_name_and_what_follows() -> None:
    check_transform(
        FOLD,
        before=MATMUL + "m = Mul(conv, s)\ny = AddV2(m, t)\n-> y, m",
        after="""
            x = Placeholder()
            w = Const([[10, 200], [30, 400]])
            m = MatMul(x, w)
            t = Const([1, 2])
            y = AddV2(m, t)
            -> y, m
        """,
    )


def test_the_last_steps_stay_when_they_do_not_fit() -> None:
    check_transform(
        FOLD,
        before=MATMUL + "p = Const([[1, 2], [3, 4]])\nm = Mul(conv, s)\ny = Mul(m, p)\n-> y",
        after="""
            x = Placeholder()
            w = Const([[10, 200], [30, 400]])
            m = MatMul(x, w)
            p = Const([[1, 2], [3, 4]])
            y = Mul(m, p)
            t = Const([1, 2])
            -> y
        """,
    )


def test_statistics_that_are_read_elsewhere_stay() -> None:
    graph, _ = apply(FOLD, MATMUL + "y = Mul(conv, s)\nz = Neg(s)\n-> y, z, t")
    assert graph["y"].op == "MatMul"
    assert graph["s"].tensor().numpy().tolist() == [10, 100]


def test_nodes_stand_before_their_readers() -> None:
    graph, _ = apply(FOLD, MATMUL + "m = Mul(conv, s)\ny = AddV2(m, t)\nz = MatMul(x, w)\n-> y, z")
    names = [node.name for node in graph]
    for node in graph:
        assert all(names.index(value.node.name) < names.index(node.name) for value in node.inputs)


@pytest.mark.parametrize(("op", "form", "shape"), _cases())
def test_nothing_is_left_for_a_second_run(op: str, form: str, shape: str) -> None:
    text, _ = _graph(op, form, SHAPES[shape])
    assert show(apply(FOLD, text)[0]) == show(apply(f"{FOLD} {FOLD}", text)[0])


def test_all_convolutions_of_one_tensor() -> None:
    graph, results = apply(
        FOLD, MATMUL + "v = Const([[1, 2]])\nc = MatMul(x, v)\ny = Mul(conv, s)\nz = Mul(t, c)\n-> y, z"
    )
    assert [graph[name].op for name in "yz"] == ["MatMul", "MatMul"]
    assert not results[0].skipped


CONV1D = """
    x = Placeholder()
    d = Const(1, dtype='int32')
    wide = ExpandDims(x, d)
    w = Const([[[[1, 2], [3, 4]]]])
    conv = Conv2D(wide, w, strides=[1, 1, 1, 1], padding='SAME')
    s = Const([10, 100])
    t = Const([1, 2])
"""


@pytest.mark.tensorflow
@pytest.mark.parametrize(
    "lines",
    [
        "q = Squeeze(conv, squeeze_dims=[1])\nm = Mul(q, s)\ny = AddV2(m, t)",
        "b = BiasAdd(conv, s)\nq = Squeeze(b, squeeze_dims=[-3])\nm = Mul(q, s)\ny = Sub(t, m)",
        "n = Const([-1, 2], dtype='int32')\nr = Reshape(conv, n)\nm = Mul(r, s)\ny = AddV2(m, t)",
        "e = Const(0, dtype='int32')\nb = BiasAdd(conv, t)\nr = ExpandDims(b, e)\ny = Mul(r, s)",
        "e = Const(-1, dtype='int32')\nw2 = Const([[[[1], [2]]]])\n"
        "c2 = Conv2D(wide, w2, strides=[1, 1, 1, 1], padding='SAME')\nv = Const([1, 10, 100])\n"
        "j = ConcatV2(conv, c2, e, N=2)\nm = Mul(j, v)\ny = Sub(m, v)",
        "e = Const(1, dtype='int32')\nw2 = Const([[[[1, 2], [2, 3]]]])\n"
        "c2 = Conv2D(wide, w2, strides=[1, 1, 1, 1], padding='SAME')\nb2 = BiasAdd(c2, t)\n"
        "j = Concat(e, conv, b2, N=2)\ny = Mul(j, s)",
        "k = Const([1, 2], dtype='int32')\nc = Const([[0, 0], [0, 0]], dtype='int32')\n"
        "j = BatchToSpaceND(conv, k, c, Tblock_shape='int32', Tcrops='int32')\nm = Mul(j, s)\ny = AddV2(m, t)",
    ],
)
def test_ops_that_move_values_may_stand_between(lines: str, tmp_path: Path) -> None:
    pytest.importorskip("tensorflow")
    text = CONV1D + lines + "\n-> y"
    x = np.random.default_rng(0).normal(size=(2, 5, 2)).astype(np.float32)
    want = _run(parse(text)[0], x, tmp_path / "before.pb")
    graph, _ = apply(FOLD, text)
    assert not [node for node in graph if node.op in ("Mul", "AddV2", "Sub")]
    np.testing.assert_allclose(_run(graph, x, tmp_path / "after.pb"), want, rtol=0, atol=1e-5 * np.abs(want).max())


@pytest.mark.parametrize("dtype", ["half", "double", "bfloat16"])
def test_other_float_types(dtype: str) -> None:
    text = MATMUL.replace("])", f"], dtype='{dtype}')").replace("w)", f"w, T='{dtype}')")
    graph, _ = apply(FOLD, text + f"m = Mul(conv, s, T='{dtype}')\ny = AddV2(m, t, T='{dtype}')\n-> y")
    assert graph["y"].op == "BiasAdd"
    assert [graph[name].tensor().dtype.name for name in ("w", "conv_bn_offset")] == [dtype, dtype]
    assert graph["w"].tensor().numpy().tolist() == [[10, 200], [30, 400]]


NORM = MATMUL.replace("MatMul(x, w)", "Conv2D(x, w)").replace("[[1, 2], [3, 4]]", "[[[[1, 2], [3, 4]]]]")
NORM += "y = FusedBatchNormV3(conv, s, t, t, s, is_training=False)\n"


@pytest.mark.parametrize(
    ("graph", "reason"),
    [
        (NORM.replace("is_training=False", "is_training=True") + "-> y", "is_training is set"),
        (NORM.replace(", is_training=False", "") + "-> y", "is_training is set"),
        (NORM + "z = Neg(y:1)\n-> y, z", "batch statistics"),
        (NORM + "-> y, y:2", "batch statistics"),
        (NORM + "-> y, conv", "'conv', which stands before it, is an output"),
        (NORM + "z = Neg(conv)\n-> y, z", "'conv' is read by 'y' and 'z'"),
        (NORM + "z = NoOp(^conv)\n-> y, z", "'conv' is read by 'y' and 'z'"),
        (NORM.replace("[1, 2])\n", "[1, 2, 3])\n") + "-> y", "shape [3] for 2 channels"),
        (NORM.replace("is_training", "data_format='NCHW', is_training") + "-> y", "run along another dimension"),
        (NORM.replace("Const([1, 2])", "Placeholder()") + "-> y", "its beta 't' is not a constant"),
        (
            NORM.replace("(conv, s", "(r, s") + "r = Relu(conv)\n-> y, conv",
            "no convolution or matrix product stands before it",
        ),
        (
            NORM.replace("Const([[[[", "Identity(x)\nv = Const([[[[") + "-> y, v",
            "are 'w' (Identity), which is not const",
        ),
        (NORM.replace("[10, 100]", "[10, -1]") + "-> y", "not finite"),
        (NORM.replace("(x, w)", "(x, w, data_format='NCHW_VECT_C')") + "-> y", "data format of 'conv'"),
        (MATMUL + "p = Const([[1, 2], [3, 4]])\ny = Mul(conv, p)\n-> y, s, t", "shape [2, 2] has not one value"),
        (MATMUL + "p = Const([[[1, 2]]])\ny = Mul(conv, p)\n-> y, s, t", "shape [1, 1, 2] has not one value"),
        (MATMUL + "p = Const([0, 1])\ny = RealDiv(conv, p)\n-> y, s, t", "not finite"),
        (CONV1D + "q = Squeeze(conv)\ny = Mul(q, s)\n-> y, t", "does not say which dimensions"),
        (CONV1D + "q = Reshape(conv, x)\ny = Mul(q, s)\n-> y, t", "operands that are not constant"),
        (
            CONV1D + "n = Const([-1, 4], dtype='int32')\nq = Reshape(conv, n)\ny = Mul(q, s)\n-> y, t",
            "does not keep the channels",
        ),
        (CONV1D + "q = ConcatV2(conv, x, d)\ny = Mul(q, s)\n-> y, t", "'x', which stands before it, is an input"),
    ],
)
def test_refuses(graph: str, reason: str) -> None:
    check_refuses(FOLD, graph, reason)


def test_large_weights_are_not_copied() -> None:
    values = np.ones((128, 256)).tolist()
    text = MATMUL.replace("[[1, 2], [3, 4]]", str(values)).replace("[10, 100]", str(list(range(1, 257))))
    check_refuses(FOLD, text + "y = Mul(conv, s)\nz = MatMul(x, w)\n-> y, z, t", "the file would grow by 131072 bytes")


def test_half_weights_do_not_overflow() -> None:
    text = MATMUL.replace("])", "], dtype='half')").replace("[3, 4]", "[3, 4000]")
    check_refuses(FOLD, text + "y = Mul(conv, s)\n-> y, t", "beyond the range of half")


def test_a_fed_value_within_the_chain_stays() -> None:
    graph, _ = parse(MATMUL + "m = Mul(conv, s)\ny = AddV2(m, t)\n-> y")
    before = show(graph)
    pbslim.transform(graph, FOLD, ["x", "conv"], ["y"])
    assert show(graph) == before


def test_old_batch_norms_with_and_without_gamma() -> None:
    for flag in (True, False):
        norm = "y = BatchNormWithGlobalNormalization(conv, t, s, t, s, variance_epsilon=0.5"
        text = f"{NORM.rpartition('y = ')[0]}{norm}, scale_after_normalization={flag})\n-> y"
        graph, _ = apply(FOLD, text)
        scale = (np.array([10, 100]) if flag else 1) / np.sqrt(np.array([10.5, 100.5]))
        want = np.array([[[[1, 2], [3, 4]]]]) * scale
        np.testing.assert_allclose(graph["w"].tensor().numpy(), want, rtol=1e-6)
        offset = np.array([1, 2]) - np.array([1, 2]) * scale
        np.testing.assert_allclose(graph["conv_bn_offset"].tensor().numpy(), offset, rtol=1e-6)
