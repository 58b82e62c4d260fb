from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest

import pbslim
from tests.graphs import apply, check_refuses, check_transform, show

FLATTEN = "flatten_atrous_conv"
SPACE = """
    x = Placeholder(shape=[1, 4, 6, 1])
    block = Const([2, 3], dtype='int32')
    pads = Const([[0, 0], [0, 0]], dtype='int32')
    space = SpaceToBatchND(x, block, pads, Tblock_shape='int32', Tpaddings='int32')
"""
CONV = (
    SPACE + "w = Const([[[[1]], [[2]]], [[[3]], [[4]]]])\nconv = Conv2D(space, w, strides=[1, 1, 1, 1], padding='{}')\n"
)
VALID = CONV.format("VALID") + "y = BatchToSpaceND(conv, block, pads, Tblock_shape='int32', Tcrops='int32')\n"
FILTER = "[[[[1]], [[0]], [[0]], [[2]]], [[[0]], [[0]], [[0]], [[0]]], [[[3]], [[0]], [[0]], [[4]]]]"


def test_the_filter_gets_zeros_between() -> None:
    after = f"""
        x = Placeholder(shape=[1, 4, 6, 1])
        w = Const({FILTER})
        y = Conv2D(x, w, strides=[1, 1, 1, 1], padding='VALID')
        -> y
    """
    check_transform(FLATTEN, VALID + "-> y", after)
    check_transform(f"{FLATTEN} {FLATTEN}", VALID + "-> y", after)


def test_paddings_that_make_it_same() -> None:
    same = VALID.replace("pads = Const([[0, 0], [0, 0]]", "pads = Const([[1, 1], [1, 2]]")
    zeros = "crops = Const([[0, 0], [0, 0]], dtype='int32')\n"
    uncropped = same.replace("y = ", zeros + "y = ").replace("conv, block, pads", "conv, block, crops")
    graph, _ = apply(FLATTEN, uncropped + "-> y")
    assert graph["y"].attrs["padding"] == b"SAME"
    # Crops take back what paddings add.
    assert apply(FLATTEN, same + "-> y")[0]["y"].attrs["padding"] == b"VALID"
    # Padding within the blocks is padding of the whole.
    within = CONV.format("SAME") + "y = BatchToSpaceND(conv, block, pads, Tblock_shape='int32', Tcrops='int32')\n-> y"
    check_refuses(FLATTEN, within, "pads height and width by [[0, 2], [0, 3]]")
    odd = within.replace("[[[[1]], [[2]]], [[[3]], [[4]]]]", "[[[[1]]], [[[2]]], [[[3]]]]")
    assert apply(FLATTEN, odd)[0]["y"].attrs["padding"] == b"SAME"


def test_dilations_instead_of_zeros() -> None:
    check_transform(
        f"{FLATTEN}(dilations=true)",
        VALID + "z = Neg(w)\n-> y, z",
        after="""
            x = Placeholder(shape=[1, 4, 6, 1])
            w = Const([[[[1]], [[2]]], [[[3]], [[4]]]])
            z = Neg(w)
            y = Conv2D(x, w, strides=[1, 1, 1, 1], padding='VALID', dilations=[1, 2, 3, 1])
            -> y, z
        """,
    )
    # TensorFlow 1.x ignores those of depthwise convolutions.
    graph, _ = apply(f"{FLATTEN}(dilations=true)", VALID.replace("Conv2D", "DepthwiseConv2dNative") + "-> y")
    assert "dilations" not in graph["y"].attrs
    assert graph["w"].tensor().shape == (3, 4, 1, 1)


def test_a_filter_that_is_read_elsewhere_is_copied() -> None:
    graph, _ = apply(FLATTEN, VALID + "z = Neg(w)\n-> y, z")
    assert graph["z"].inputs[0].node.tensor().shape == (2, 2, 1, 1)
    assert graph["y"].inputs[1].name == "w/upsampled"
    graph, _ = apply(FLATTEN, VALID + "z = Neg(x, ^w)\n-> y, z")
    assert graph["y"].inputs[1].name == "w"
    graph, _ = apply(FLATTEN, VALID + "-> y, w")
    assert graph["w"].tensor().shape == (2, 2, 1, 1)


def test_ports_control_edges_and_the_device_stay() -> None:
    split = "axis = Const(3, dtype='int32')\ns = Split(axis, x, num_split=1)\n"
    text = VALID.replace("space = ", split + "space = ").replace("(x, block, pads", "(s:1, block, pads, ^a")
    text = text.replace("space, w", "space, w, ^b, device='/cpu:0'")
    text = text.replace("conv, block, pads", "conv, block, pads, ^c")
    graph, _ = apply(FLATTEN, text.strip("\n") + "\na = NoOp()\nb = NoOp()\nc = NoOp()\n-> y")
    assert graph["y"].inputs[0].name == "s:1"
    assert {node.name for node in graph["y"].controls} == {"a", "b", "c"}
    assert graph["y"].device == "/cpu:0"


PYRAMID = SPACE + "".join(
    f"w{i} = Const([[[[{i}]], [[2]]], [[[3]], [[4]]]])\n"
    f"conv{i} = Conv2D(space, w{i}, strides=[1, 1, 1, 1], padding='VALID')\n"
    f"y{i} = BatchToSpaceND(conv{i}, block, pads, Tblock_shape='int32', Tcrops='int32')\n"
    for i in range(3)
)


def test_a_pyramid_on_one_image() -> None:
    check_refuses(FLATTEN, PYRAMID + "-> y0, y1, y2", "is read by")
    graph, _ = apply(f"{FLATTEN}(shared=true)", PYRAMID + "-> y0, y1, y2")
    assert [node.op for node in graph if node.op not in ("Const", "Placeholder")] == ["Conv2D"] * 3
    assert not {"space", "block", "pads"} & {node.name for node in graph}
    assert [graph[f"w{i}"].tensor().numpy()[0, 0, 0, 0] for i in range(3)] == [0, 1, 2]
    graph, _ = apply(f"{FLATTEN}(shared=true)", PYRAMID + "z = Neg(space)\n-> y0, y1, y2, z")
    assert graph["z"].inputs[0].node.op == "SpaceToBatchND"


def test_one_on_the_result_of_another() -> None:
    second = VALID.replace("x = Placeholder(shape=[1, 4, 6, 1])", "")
    for name in ("block", "pads", "space", "conv", "w", "y"):
        second = re.sub(rf"\b{name}\b(?!=)", f"{name}2", second)
    second = second.replace("SpaceToBatchND(x,", "SpaceToBatchND(y,")
    first = VALID.replace("[1, 4, 6, 1]", "[1, 16, 18, 1]")
    graph, _ = apply(FLATTEN, f"{first}{second}-> y2")
    assert [node.op for node in graph if node.op not in ("Const", "Placeholder")] == ["Conv2D"] * 2
    graph, _ = apply(FLATTEN, f"{first}r = Relu(y)\n{second.replace('(y,', '(r,')}-> y2")
    assert sorted(node.op for node in graph if node.op not in ("Const", "Placeholder")) == ["Conv2D", "Conv2D", "Relu"]


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        ("-> y", "z = Neg(conv)\n-> y, z", "'conv' is read by 'z'"),
        ("-> y", "z = Neg(space)\n-> y, z", "'space' is read by 'z' as well; shared=true allows that"),
        (
            "conv = ",
            "b = Const([1])\nconv = BiasAdd(early, b)\nearly = ",
            "its input 0 is 'conv' (BiasAdd), not Conv2D",
        ),
        ("-> y", "-> y, space", "'space' is an output"),
        ("block = Const([2, 3], dtype='int32')", "block = Placeholder(dtype='int32')", "is not a constant"),
        ("[2, 3]", "[2]", "expected 2 numbers, got 1"),
        ("(conv, block", "(conv, other", "block shapes are [2, 3] and [3, 2]"),
        ("w = Const", "w = Identity(v)\nv = Const", "'w' is not a constant"),
        ("Const([[[[1]], [[2]]], [[[3]], [[4]]]])", "Placeholder()", "size of its filter is not known"),
        ("pads = Const([[0, 0], [0, 0]], dtype='int32')", "pads = Placeholder(dtype='int32')", "cannot be computed"),
        ("[[0, 0], [0, 0]]", "[0, 0]", "have shapes [2] and [2]"),
        ("strides=[1, 1, 1, 1]", "strides=[1, 2, 2, 1]", "it has strides"),
        ("padding=", "dilations=[1, 2, 2, 1], padding=", "dilations of its own"),
        ("padding=", "data_format='NCHW', padding=", "channels come first"),
        ("'VALID'", "'EXPLICIT'", "explicit paddings"),
    ],
)
def test_refuses(old: str, new: str, reason: str) -> None:
    text = VALID + "other = Const([3, 2], dtype='int32')\n-> y"
    assert old in text
    check_refuses(FLATTEN, text.replace(old, new), reason)


def _tensorflow_graph(op: str, padding: str, size: int | None, rate: tuple[int, int], dtype: str) -> Any:
    """A dilated convolution as TensorFlow 1.x spells it, and a function that runs a graph like it."""
    tf = pytest.importorskip("tensorflow")
    random = np.random.default_rng(0)
    filter_shape = (3, 2, 2, 4)
    with tf.Graph().as_default() as graph:
        x = tf.compat.v1.placeholder(dtype, [None, size, size, 2], name="x")
        weights = tf.constant(random.normal(size=filter_shape), dtype)
        reach = [(filter_shape[i] - 1) * rate[i] for i in range(2)]
        base = [[r // 2, r - r // 2] for r in reach] if padding == "SAME" else np.zeros((2, 2), int)
        shape = tf.shape(x)[1:3] if size is None else [size, size]
        paddings, crops = tf.compat.v1.required_space_to_batch_paddings(shape, rate, base)
        blocks = tf.compat.v1.space_to_batch_nd(x, rate, paddings)
        conv = tf.nn.conv2d if op == "Conv2D" else tf.raw_ops.DepthwiseConv2dNative
        arguments = {"filters": weights} if op == "Conv2D" else {"filter": weights}
        done = conv(input=blocks, strides=[1, 1, 1, 1], padding="VALID", **arguments)
        tf.compat.v1.batch_to_space_nd(done, rate, crops, name="y")
    return graph.as_graph_def()


def _run(graph_def: Any, x: np.ndarray) -> np.ndarray:
    import tensorflow as tf

    with tf.Graph().as_default(), tf.compat.v1.Session() as session:
        tf.compat.v1.import_graph_def(graph_def, name="")
        result: np.ndarray = session.run("y:0", {"x:0": x})
        return result


@pytest.mark.tensorflow
@pytest.mark.parametrize("op", ["Conv2D", "DepthwiseConv2dNative"])
@pytest.mark.parametrize("padding", ["SAME", "VALID"])
@pytest.mark.parametrize("size", [None, 13])
@pytest.mark.parametrize(("dilations", "dtype"), [("false", "float32"), ("true", "float32"), ("false", "float64")])
def test_the_same_values(op: str, padding: str, size: int | None, dilations: str, dtype: str) -> None:
    before = _tensorflow_graph(op, padding, size, (3, 2), dtype)
    transforms = ["fold_constants", f"{FLATTEN}(dilations={dilations}, shared=true)", "strip_unused_nodes"]
    after = pbslim.TransformGraph(before, ["x"], ["y"], transforms)
    assert sorted(node.op for node in after.node) == sorted(["Const", op, "Placeholder"])
    for side in (13,) if size else (9, 10, 11, 12, 13):
        x = np.random.default_rng(side).normal(size=(2, side, side, 2)).astype(dtype)
        np.testing.assert_allclose(_run(after, x), _run(before, x), rtol=1e-4, atol=1e-5)


def test_paddings_that_depend_on_the_size_are_found_out() -> None:
    text = VALID.replace("x = Placeholder(shape=[1, 4, 6, 1])", "x = Placeholder(shape=[1, -1, -1, 1])")
    cut = "size = Shape(x)\nb = Const([1], dtype='int32')\ne = Const([3], dtype='int32')\n"
    cut += "hw = StridedSlice(size, b, e, b, T='int32', Index='int32')\nrest = FloorMod(hw, block, T='int32')\n"
    cut += "extra = Pack(rest, rest, N=2, T='int32')\n"
    text = text.replace("space = ", cut + "space = ").replace("(x, block, pads", "(x, block, extra")
    check_refuses(f"{FLATTEN}(shared=true)", text + "-> y", "depend on the size of the image")
    both = text.replace("conv, block, pads", "conv, block, extra")
    graph, _ = apply(f"{FLATTEN}(shared=true)", both + "-> y")
    assert graph["y"].op == "Conv2D"
    assert show(graph) == show(apply(f"{FLATTEN}(shared=true) {FLATTEN}", both + "-> y")[0])
