"""The four transforms that let a convolution resize and pad its input."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from pbslim.ir import Graph
from pbslim.wire import save
from tests.graphs import apply, check_refuses, check_transform, parse, show

ATTRS = "strides=[1, 1, 1, 1], padding='VALID'"
X = "x = Placeholder(shape=[1, 4, 5, 2])\n"
WEIGHTS = "w = Const([[[[1, 2], [3, 4]], [[5, 6], [7, 8]]]])\n"
SIZE = "size = Const([8, 6], dtype='int32')\n"
PADS = "pads = Const([[0, 0], [1, 1], [2, 1], [0, 0]], dtype='int32')\n"
PAD = f"{X}{PADS}pad = MirrorPad(x, pads, mode='REFLECT')\n{WEIGHTS}y = Conv2D(pad, w, {ATTRS})\n"
RESIZE = f"{X}{SIZE}big = ResizeBilinear(x, size, align_corners=True)\n{WEIGHTS}y = Conv2D(big, w, {ATTRS})\n"
BOTH = RESIZE.replace("Conv2D(big", "Conv2D(pad").replace("big =", f"{PADS}big =")
BOTH = BOTH.replace("w = Const", "pad = MirrorPad(big, pads, mode='SYMMETRIC')\nw = Const")
TRANSFORMS = {"fuse_pad_and_conv": PAD, "fuse_resize_and_conv": RESIZE, "fuse_resize_pad_and_conv": BOTH}


def _run(graph: Graph, feeds: dict[str, np.ndarray], path: Path, output: str = "y") -> np.ndarray:
    from pbslim.engines import tensorflow

    save(graph, path)
    return tensorflow.run(path, feeds, [output])[0]


def _image(batch: int = 1) -> dict[str, np.ndarray]:
    return {"x": np.random.default_rng(0).normal(size=(batch, 4, 5, 2)).astype(np.float32)}


def test_pad() -> None:
    fused = f"{X}{PADS}{WEIGHTS}y = FusedPadConv2D(x, pads, w, mode='REFLECT', {ATTRS})\n-> y"
    check_transform("fuse_pad_and_conv", PAD + "-> y", fused)


def test_resize() -> None:
    zeros = "y_dummy_paddings = Const([[0, 0], [0, 0], [0, 0], [0, 0]], dtype='int32')\n"
    arguments = f"x, size, y_dummy_paddings, w, mode='REFLECT', resize_align_corners=True, {ATTRS}"
    fused = f"{X}{SIZE}{WEIGHTS}{zeros}y = FusedResizeAndPadConv2D({arguments})\n-> y"
    check_transform("fuse_resize_and_conv", RESIZE + "-> y", fused)


def test_resize_and_pad() -> None:
    arguments = f"x, size, pads, w, mode='SYMMETRIC', resize_align_corners=True, {ATTRS}"
    fused = f"{X}{SIZE}{PADS}{WEIGHTS}y = FusedResizeAndPadConv2D({arguments})\n-> y"
    check_transform("fuse_resize_pad_and_conv", BOTH + "-> y", fused)


@pytest.mark.tensorflow
@pytest.mark.parametrize("transform", TRANSFORMS)
@pytest.mark.parametrize("padding", ["SAME", "VALID"])
def test_the_same_values(transform: str, padding: str, tmp_path: Path) -> None:
    pytest.importorskip("tensorflow")
    text = TRANSFORMS[transform].replace(ATTRS, f"strides=[1, 2, 2, 1], padding='{padding}'") + "-> y"
    want = _run(parse(text)[0], _image(), tmp_path / "before.pb")
    graph, _ = apply(transform, text)
    assert graph["y"].op.startswith("Fused")
    np.testing.assert_allclose(_run(graph, _image(), tmp_path / "after.pb"), want, atol=1e-4)
    assert show(apply("fuse_convolutions", text)[0]) == show(graph)
    assert show(apply(f"{transform} {transform}", text)[0]) == show(graph)


@pytest.mark.parametrize("transform", TRANSFORMS)
def test_control_edges_stay_and_the_device_goes(transform: str) -> None:
    # The fused ops have kernels for a CPU only.
    text = TRANSFORMS[transform].replace("big = ResizeBilinear(x, size", "big = ResizeBilinear(x, size, ^a")
    text = text.replace("pads, mode", "pads, ^b, mode").replace("w, strides", "w, ^c, device='/gpu:0', strides")
    graph, _ = apply(transform, f"a = NoOp()\nb = NoOp()\nc = NoOp()\n{text}-> y, a, b, c")
    waits = {"a"} if "resize" in transform else set()
    assert {node.name for node in graph["y"].controls} == waits | ({"b"} if "pad" in transform else set()) | {"c"}
    assert graph["y"].device == ""


@pytest.mark.parametrize("transform", TRANSFORMS)
def test_what_it_reads_needs_no_control_edge(transform: str) -> None:
    text = TRANSFORMS[transform]
    inner = "^pad" if "pad" in transform else "^big"
    graph, _ = apply(transform, text.replace("w, strides", f"w, ^w, ^x, {inner}, strides") + "-> y")
    assert graph["y"].op.startswith("Fused")
    assert not graph["y"].controls


def test_types_of_paddings_and_images() -> None:
    check_refuses(
        "fuse_pad_and_conv", PAD.replace("pads, mode", "pads, Tpaddings='int64', mode") + "-> y", "are not int32"
    )
    check_refuses("fuse_resize_and_conv", RESIZE.replace("align", "T='uint8', align") + "-> y", "turns uint8 into")
    check_refuses(
        "fuse_pad_and_conv", PAD.replace("w, str", "w, T='bfloat16', str") + "-> y", "no fused op for bfloat16"
    )


@pytest.mark.parametrize("transform", TRANSFORMS)
@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        (ATTRS, ATTRS + ", data_format='NCHW'", "NHWC only"),
        (ATTRS, ATTRS + ", dilations=[1, 2, 2, 1]", "does not support dilations"),
        ("'VALID'", "'EXPLICIT', explicit_paddings=[0, 0, 1, 1, 1, 1, 0, 0]", "does not support explicit paddings"),
        ("[1, 4, 5, 2]", "[3, 4, 5, 2]", "first image of a batch (3)"),
        ("[[[[1, 2], [3, 4]], [[5, 6], [7, 8]]]]", "[[[[1, 2]], [[5, 6]]]]", "2 channels for weights of 1"),
    ],
)
def test_what_the_fused_op_cannot_do(transform: str, old: str, new: str, reason: str) -> None:
    check_refuses(transform, TRANSFORMS[transform].replace(old, new) + "-> y", reason)


@pytest.mark.parametrize(
    ("transform", "graph", "reason"),
    [
        ("fuse_pad_and_conv", PAD + "z = Neg(pad)\n-> y, z", "'pad' is read by 'z'"),
        ("fuse_pad_and_conv", PAD + "-> y, pad", "'pad' is an output"),
        ("fuse_pad_and_conv", PAD.replace("2, 1], [0, 0]", "2, 1], [0, 1]") + "-> y", "more than height and width"),
        ("fuse_resize_and_conv", RESIZE + "z = NoOp(^big)\n-> y, z", "'big' is read by 'z'"),
        ("fuse_resize_and_conv", RESIZE.replace("align_corners", "half_pixel_centers") + "-> y", "half_pixel_centers"),
        ("fuse_resize_pad_and_conv", BOTH + "-> y, big", "'big' is an output"),
    ],
)
def test_refuses(transform: str, graph: str, reason: str) -> None:
    check_refuses(transform, graph, reason)


def test_a_fed_tensor_between_stays() -> None:
    graph, results = apply("fuse_pad_and_conv", PAD + "-> y", inputs=["x", "pad"])
    assert graph["y"].op == "Conv2D"
    assert "'pad' is an input" in results[0].skipped[0].reason


def test_an_unknown_batch_is_told() -> None:
    _, results = apply("fuse_pad_and_conv", PAD.replace("[1, 4", "[-1, 4") + "-> y")
    assert "one image at a time" in results[0].notes[0]
    assert not apply("fuse_pad_and_conv", PAD + "-> y")[1][0].notes


@pytest.mark.tensorflow
def test_tensorflow_still_computes_batches_wrongly(tmp_path: Path) -> None:
    """When this fails, TensorFlow has mended its op, and the refusal of batches can go."""
    pytest.importorskip("tensorflow")
    text = PAD.replace("[1, 4", "[-1, 4") + "-> y"
    want = _run(parse(text)[0], _image(2), tmp_path / "before.pb")
    got = _run(apply("fuse_pad_and_conv", text)[0], _image(2), tmp_path / "after.pb")
    np.testing.assert_allclose(got[0], want[0], atol=1e-4)
    assert np.abs(got[1] - want[1]).max() > 1


CHAIN = f"""
    x = Placeholder(shape=[1, 9, 9, 2])
    pads = Const([[0, 0], [1, 1], [1, 1], [0, 0]], dtype='int32')
    w = Const([[[[1, 2], [3, 4]]]])
    p1 = MirrorPad(x, pads, mode='REFLECT')
    c1 = Conv2D(p1, w, {ATTRS})
    p2 = MirrorPad(c1, pads, mode='REFLECT')
    c2 = Conv2D(p2, w, {ATTRS})
    size = Const([12, 12], dtype='int32')
    r3 = ResizeBilinear(c2, size)
    y = Conv2D(r3, w, {ATTRS})
    -> y
"""


@pytest.mark.tensorflow
def test_fuse_convolutions_leaves_none(tmp_path: Path) -> None:
    graph, _ = apply("fuse_convolutions", CHAIN)
    assert [graph[name].op for name in ("c1", "c2", "y")] == ["FusedPadConv2D"] * 2 + ["FusedResizeAndPadConv2D"]
    assert not [node for node in graph if node.op in ("MirrorPad", "ResizeBilinear")]
    pytest.importorskip("tensorflow")
    x = {"x": np.random.default_rng(1).normal(size=(1, 9, 9, 2)).astype(np.float32)}
    want = _run(parse(CHAIN)[0], x, tmp_path / "before.pb")
    np.testing.assert_allclose(_run(graph, x, tmp_path / "after.pb"), want, rtol=1e-5)


def test_a_single_run_fuses_as_the_reference_does() -> None:
    graph, _ = apply("fuse_pad_and_conv", CHAIN)
    assert [graph[name].op for name in ("c1", "c2")] == ["FusedPadConv2D", "Conv2D"]
