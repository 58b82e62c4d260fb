"""optimize_for_inference on small graphs; the results of TensorFlow's own stand in the golden cases."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pbslim import load, optimize_for_inference, save
from pbslim.errors import GraphError, UsageError
from pbslim.ir import Graph
from pbslim.passes.pipeline import StepResult
from tests.cli.test_commands import run, write
from tests.graphs import parse, show
from tests.shared import SHARED, needs_shared


def optimize(text: str, **options: Any) -> tuple[Graph, list[StepResult]]:
    graph, outputs = parse(text)
    inputs = [node.name for node in graph if node.op.startswith("Placeholder")]
    return graph, optimize_for_inference(graph, inputs, outputs, **options)


def check(before: str, after: str, **options: Any) -> None:
    assert show(optimize(before, **options)[0]) == show(parse(after)[0])


def reasons(before: str, **options: Any) -> list[str]:
    """Why nothing happens to `before`."""
    graph, results = optimize(before, **options)
    assert show(graph) == show(parse(before)[0])
    return [skipped.reason for result in results for skipped in result.skipped]


CONV = """
    x = Placeholder(shape=[1, 2, 3, 2])
    w = Const([[[[1, 2], [3, 4]]]])
    conv = Conv2D(x, w, strides=[1, 1, 1, 1], padding='VALID')
    mean = Const([1, 2])
    var = Const([3.75, 15.75])
    beta = Const([2, 3])
    gamma = Const([2, 2])
"""
GLOBAL = (
    "BatchNormWithGlobalNormalization(conv, mean, var, beta, gamma, "
    "variance_epsilon=0.25, scale_after_normalization=True)"
)
NORM = CONV + "y = FusedBatchNorm(conv, gamma, beta, mean, var, epsilon=0.25, is_training=False)\n"


def test_what_only_training_needs_goes() -> None:
    check(
        """
        x = Placeholder()
        c = CheckNumerics(x)
        i = Identity(c)
        r = Relu(i)
        y = Identity(r)
        loss = Sum(r)
        -> y
        """,
        "x = Placeholder()\nr = Relu(x)\ny = Identity(r)\n-> y",
    )


def test_batch_norms_are_folded() -> None:
    check(
        NORM + "r = Relu(y)\n-> r",
        """
        x = Placeholder(shape=[1, 2, 3, 2])
        w = Const([[[[1, 1], [3, 2]]]])
        conv = Conv2D(x, w, strides=[1, 1, 1, 1], padding='VALID')
        conv_bn_offset = Const([1, 2])
        y = BiasAdd(conv, conv_bn_offset)
        r = Relu(y)
        -> r
        """,
    )


@pytest.mark.tensorflow
@pytest.mark.parametrize("dtype", ["half", "double"])
def test_global_normalization_of_other_floats(dtype: str, tmp_path: Path) -> None:
    pytest.importorskip("tensorflow")
    from pbslim.engines import tensorflow

    text = NORM.replace("FusedBatchNorm(conv, gamma, beta, mean, var, epsilon=0.25, is_training=False)", GLOBAL)
    text = re.sub(r"((?:Const|Placeholder)\(.*)\)", rf"\1, dtype='{dtype}')", text)
    text = re.sub(r"((?:Conv2D|Normalization)\(.*)\)", rf"\1, T='{dtype}')", text)
    before, _ = parse(text)
    before.producer = 8  # later versions of graphs have no such op
    after, _ = optimize(text + "-> y")
    assert after["y"].op == "BiasAdd"
    answers = []
    for graph in (before, after):
        save(graph, tmp_path / "graph.pb")
        x = np.arange(12).reshape(1, 2, 3, 2).astype(before["w"].tensor().numpy().dtype)
        answers += tensorflow.run(tmp_path / "graph.pb", {"x": x}, ["y"])
    np.testing.assert_allclose(answers[1], answers[0], rtol=1e-3 if dtype == "half" else 1e-12)


def test_what_only_waits_for_a_convolution_is_no_hindrance() -> None:
    graph, _ = optimize(NORM + "n = NoOp(^conv, ^w)\nz = Neg(y, ^n)\n-> z")
    assert graph["y"].op == "BiasAdd"
    assert [node.name for node in graph["n"].controls] == ["conv", "w"]


def test_what_only_a_check_needed_stays_but_for_the_last_node() -> None:
    text = "x = Placeholder()\na = Abs(x)\nr = Relu(a)\nc = CheckNumerics(r)\ny = Neg(x, ^c)\n-> y"
    check(text, "x = Placeholder()\na = Abs(x)\ny = Neg(x)\n-> y")
    check(text, "x = Placeholder()\na = Abs(x)\nr = Relu(a)\ny = Neg(x)\n-> y", toco_compatible=True)


def test_what_is_made_goes_to_the_end() -> None:
    graph, _ = optimize(NORM + "r = Relu(y)\n-> r")
    assert [node.name for node in graph] == ["x", "r", "w", "conv", "conv_bn_offset", "y"]


def test_shared_statistics_are_no_hindrance() -> None:
    more = NORM.replace("gamma, beta, mean, var", "gamma, beta, beta, var")
    more += "v = Const([[[[1, 2], [3, 4]]]])\nc2 = Conv2D(x, v, strides=[1, 1, 1, 1], padding='VALID')\n"
    more += "z = FusedBatchNorm(c2, gamma, beta, beta, var, epsilon=0.25, is_training=False)\n"
    graph, _ = optimize(more + "-> y, z")
    assert [graph[name].op for name in "yz"] == ["BiasAdd", "BiasAdd"]
    assert "gamma" not in graph


LAYERS = CONV.replace("gamma", "scale") + "m = Mul(conv, scale)\ny = AddV2(m, beta)\n"


@pytest.mark.parametrize("op", ["FusedBatchNormV2", "FusedBatchNormV3", "layers"])
def test_all_batch_norms_are_folded_when_asked_for(op: str) -> None:
    text = LAYERS if op == "layers" else NORM.replace("FusedBatchNorm", op)
    graph, _ = optimize(text + "-> y", all_batch_norms=True)
    assert sorted(node.op for node in graph) == ["BiasAdd", "Const", "Const", "Conv2D", "Placeholder"]
    assert "y" in show(optimize(text + "-> y")[0])[-1]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (NORM.replace("is_training=False", "is_training=True") + "-> y", "is_training is set"),
        (NORM + "-> y, conv", "'conv' is an output"),
        (NORM + "z = Neg(w)\n-> y, z", "'w' is read by 'z' as well"),
        (NORM + "z = Neg(y:1)\n-> y, z", "batch statistics"),
        (NORM.replace("Const([2, 3])", "Const([2, 3, 4])") + "-> y", "differ in shape"),
        (NORM.replace("[2, 3])\n", "[2, 3], dtype='half')\n") + "-> y", "of several types"),
        (NORM.replace("Norm(conv", "Norm(r") + "r = Relu(conv)\n-> y", "but 'r' (Relu)"),
        (NORM.replace("Norm(conv", "NormV3(conv") + "-> y", "unless all_batch_norms is set"),
    ],
)
def test_a_batch_norm_that_stays_is_explained(text: str, reason: str) -> None:
    found = reasons(text)
    assert any(reason in each for each in found), found


RESIZE = """
    x = Placeholder(shape=[1, 2, 3, 2])
    size = Const([4, 6], dtype='int32')
    rs = ResizeBilinear(x, size, align_corners=True)
    pads = Const([[0, 0], [1, 1], [1, 1], [0, 0]], dtype='int32')
    pad = MirrorPad(rs, pads, mode='SYMMETRIC', Tpaddings='int32')
    w = Const([[[[1, 2], [3, 4]]]])
    y = Conv2D(pad, w, strides=[1, 1, 1, 1], padding='VALID')
"""


def test_resizing_and_padding_become_part_of_the_convolution() -> None:
    check(
        RESIZE + "-> y",
        """
        x = Placeholder(shape=[1, 2, 3, 2])
        size = Const([4, 6], dtype='int32')
        pads = Const([[0, 0], [1, 1], [1, 1], [0, 0]], dtype='int32')
        w = Const([[[[1, 2], [3, 4]]]])
        y = FusedResizeAndPadConv2D(x, size, pads, w, resize_align_corners=True, mode='SYMMETRIC',
                                    strides=[1, 1, 1, 1], padding='VALID')
        -> y
        """.replace(",\n" + 36 * " ", ", "),
    )


def test_resizing_alone_and_padding_alone() -> None:
    graph, _ = optimize(RESIZE.replace("(pad, w", "(rs, w") + "-> y")
    assert graph["y"].op == "FusedResizeAndPadConv2D"
    assert graph["y_dummy_paddings"].tensor().numpy().tolist() == [[0, 0]] * 4
    graph, _ = optimize(RESIZE.replace("(rs, pads", "(x, pads") + "-> y")
    assert (graph["y"].op, [value.name for value in graph["y"].inputs]) == ("FusedPadConv2D", ["x", "pads", "w"])


def test_a_resize_that_is_read_elsewhere_stays() -> None:
    graph, _ = optimize(RESIZE + "z = Neg(pad)\n-> y, z")
    assert graph["y"].op == "FusedResizeAndPadConv2D"
    assert graph["pad"].inputs[0].node.op == "ResizeBilinear"


def test_control_edges_stay() -> None:
    graph, _ = optimize(RESIZE.replace("(rs, pads", "(rs, pads, ^g") + "g = NoOp()\n-> y")
    assert graph["y"].controls == (graph["g"],)


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        ("padding=", "data_format='NCHW', padding=", "data format NHWC only"),
        ("padding=", "dilations=[1, 2, 2, 1], padding=", "does not support dilations"),
        ("'VALID'", "'EXPLICIT'", "does not support explicit paddings"),
        ("align_corners=True", "half_pixel_centers=True", "half_pixel_centers of 'rs'"),
        ("align_corners", "T='uint8', align_corners", "turns uint8 into float"),
        ("Tpaddings='int32'", "Tpaddings='int64'", "are not int32"),
        ("padding=", "T='bfloat16', padding=", "no fused op for bfloat16"),
    ],
)
def test_a_convolution_that_cannot_be_fused_is_explained(old: str, new: str, reason: str) -> None:
    found = reasons(RESIZE.replace(old, new) + "-> y")
    assert any(reason in each for each in found), found


def test_toco_compatible_leaves_them_apart() -> None:
    assert reasons(RESIZE + "-> y", toco_compatible=True) == []


@pytest.mark.tensorflow
def test_fused_convolutions_compute_the_same(tmp_path: Path) -> None:
    pytest.importorskip("tensorflow")
    from pbslim.engines import tensorflow

    x = np.random.default_rng(0).normal(size=(1, 2, 3, 2)).astype(np.float32)
    for text in (RESIZE, RESIZE.replace("(pad, w", "(rs, w"), RESIZE.replace("(rs, pads", "(x, pads")):
        before, _ = parse(text + "-> y")
        save(before, tmp_path / "before.pb")
        save(optimize(text + "-> y")[0], tmp_path / "after.pb")
        [want], [got] = (tensorflow.run(tmp_path / f"{n}.pb", {"x": x}, ["y"]) for n in ("before", "after"))
        np.testing.assert_allclose(got, want, rtol=1e-5, atol=1e-5)


def test_a_second_run_changes_nothing() -> None:
    for text in (NORM, RESIZE, LAYERS):
        graph, _ = optimize(text + "-> y", all_batch_norms=True)
        once = show(graph)
        optimize_for_inference(graph, ["x"], ["y"], all_batch_norms=True)
        assert show(graph) == once


def test_each_input_keeps_its_type_and_shape() -> None:
    text = "a = Placeholder(dtype='int32', shape=[3])\nb = Placeholder(shape=[2, 4])\ny = F(a, b)\n-> y"
    assert reasons(text) == []
    graph, results = optimize(text, placeholder_type_enum=[3, 1])
    assert show(graph) == show(parse(text)[0])
    assert not [note for result in results for note in result.notes]


def test_placeholders_become_constants() -> None:
    text = """
        x = Placeholder()
        d = Const(True, dtype='bool')
        phase/in = PlaceholderWithDefault(d, dtype='bool')
        phase_of_moon = Placeholder()
        y = F(x, phase/in, phase_of_moon)
        -> y
    """
    graph, results = optimize(text, placeholder_to_const_names={"phase": False, "none": True})
    assert graph["phase/in"].op == "Const"
    assert graph["phase/in"].tensor().numpy().tolist() is False
    assert graph["phase_of_moon"].op == "Placeholder"
    assert "d" not in graph
    assert [s.reason for s in results[1].skipped] == ["its type is float, not bool"]
    assert results[1].notes == ["no placeholder has 'none' in its name"]


def test_any_scalar_fixes_a_placeholder_and_dropout_goes_with_it() -> None:
    text = """
        x = Placeholder()
        keep = Placeholder()
        train = Placeholder(dtype='bool')
        s = Shape(x)
        r = RandomUniform(s, dtype='float', T='int32')
        m = Floor(a)
        a = Add(keep, r)
        d = RealDiv(x, keep)
        y = Mul(d, m)
        w = Switch(y, train)
        p = Neg(w:1)
        q = Abs(w)
        z = Merge(q, p, N=2)
        -> z
    """
    graph, _ = optimize(text, placeholder_to_const_names={"keep": 1.0, "train": "False"})
    assert sorted(node.op for node in graph) == ["Abs", "Identity", "Placeholder"]
    graph, results = optimize(text, placeholder_to_const_names={"keep": "much"})
    assert "r" in graph
    assert [each.reason for each in results[1].skipped] == ["its type is float, so it cannot be 'much'"]


def test_wrong_names() -> None:
    graph, _ = parse(NORM + "-> y")
    for inputs, outputs, message in (
        (["nope"], ["y"], "nope"),
        (["x:0"], ["y"], "tensor; name the node 'x'"),
        (["x"], ["nope"], "nope"),
        (["x"], ["y:0"], "tensor; name the node 'y'"),
    ):
        with pytest.raises(UsageError, match=message):
            optimize_for_inference(graph, inputs, outputs)
    graph, _ = parse(NORM + "unused = Neg(gone)\n-> y")
    with pytest.raises(GraphError, match="'unused' reads 'gone'"):
        optimize_for_inference(graph, ["x"], ["y"])


# The command line


def program(*args: object) -> Any:
    return run(*args, program="optimize_for_inference")


@needs_shared
def test_the_command_as_articles_have_it(tmp_path: Path) -> None:
    model, out = SHARED / "models" / "ctn_digits_dense" / "model.pb", tmp_path / "optimized_graph.pb"
    done = program(f"–input={model}", f"–output={out}", "–input_names=inputs/X", "–output_names=output/predict")
    assert (done.returncode, done.stdout) == (0, "")
    assert done.stderr == "note: typographic dashes before options were read as --\n"
    graph = load(out)
    assert graph["inputs/X"].shape_attr("shape").dims == (-1, 256, 64, 1)
    assert 0 < len(graph) < len(load(model))
    assert graph["output/predict"].op == load(model)["output/predict"].op


def test_text_in_and_out(tmp_path: Path) -> None:
    binary, text = write(tmp_path / "in.pb", NORM + "-> y"), tmp_path / "text.pbtxt"
    names = ("--input_names=x", "--output_names=y")
    assert program(f"--input={binary}", f"--output={text}", "--frozen_graph=False", *names).returncode == 0
    assert text.read_text().startswith("node {")
    assert program(f"--input={text}", f"--output={tmp_path / 'out.pb'}", *names).returncode == 0
    assert show(load(tmp_path / "out.pb")) == show(load(text))
    assert b"node {" not in (tmp_path / "out.pb").read_bytes()


def test_flags(tmp_path: Path) -> None:
    source, out = write(tmp_path / "in.pb", RESIZE + "p = Placeholder(dtype='bool')\nz = F(y, p)\n-> z"), tmp_path / "o"
    names = (f"--input={source}", f"--output={out}", "--input_names", "x, p", "--output_names=z")
    for flag, op in (("--toco_compatible", "Conv2D"), ("--toco_compatible=False", "FusedResizeAndPadConv2D")):
        assert program(*names, flag).returncode == 0
        assert load(out)["y"].op == op
    assert program(*names, "--placeholder_type_enum=1,10", "--placeholder_to_const_names=p=True").returncode == 0
    assert load(out)["p"].op == "Const"
    done = program(*names, "--explain", "--placeholder_type_enum=1")
    assert done.stderr == "note: input 'p' is a placeholder of type bool and stays one\n"


@pytest.mark.parametrize(
    ("flag", "message"),
    [
        ("--placeholder_type_enum=1.5", "'1.5' is not a whole number"),
        ("--placeholder_type_enum=77", "no data type has the number 77"),
        ("--placeholder_to_const_names=p", "'p' needs a value, as in keep_prob=1.0,is_training=False"),
        ("--input_names=", "at least one input"),
        ("--unknown=1", "No such option"),
    ],
)
def test_wrong_flags_are_one_line(flag: str, message: str, tmp_path: Path) -> None:
    source, out = write(tmp_path / "in.pb", NORM + "-> y"), tmp_path / "out.pb"
    done = program(f"--input={source}", f"--output={out}", "--input_names=x", "--output_names=y", flag)
    assert (done.returncode, out.exists()) == (2, False)
    assert message in done.stderr
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize("op", ["FusedBatchNorm", "FusedBatchNormV2", "FusedBatchNormV3"])
@pytest.mark.parametrize("source", ["c", "x"])
def test_a_batch_norm_that_trains_says_so(op: str, source: str) -> None:
    text = f"""
        x = Placeholder()
        w = Const([[[[1]]]])
        s = Const([1])
        c = Conv2D(x, w, strides=[1, 1, 1, 1], padding='SAME')
        y = {op}({source}, s, s, s, s, is_training=True)
        z = Neg(c)
        -> y, z
    """
    _, results = optimize(text)
    reasons = [(skipped.node, skipped.reason) for result in results for skipped in result.skipped]
    assert reasons == [("y", "is_training is set: it computes the statistics from the batch")]
