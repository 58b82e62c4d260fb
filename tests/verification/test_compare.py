"""Two graphs, run on the same inputs."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import pbslim
from pbslim.errors import UsageError
from pbslim.ir import ArrayTensor, Graph
from pbslim.transforms import code_weights
from pbslim.verification import Verdict, Verification
from pbslim.verification.compare import compare_files
from tests import commands
from tests.graphs import parse
from tests.shared import ROOT

DIGITS, EVAL = ROOT / "examples" / "digits.pb", ROOT / "examples" / "digits_eval.npz"
MIDDLE = "conv2/conv2d/kernel"


def disturbed(amount: float, *, everywhere: bool = False) -> Graph:
    """The digit classifier with one weight of its middle layer, or all, off by a share of the largest one."""
    graph = pbslim.load(DIGITS)
    tensor = graph[MIDDLE].tensor()
    weights = tensor.numpy().copy()
    noise = np.random.default_rng(0).standard_normal(weights.shape)
    if not everywhere:
        noise[:] = 0
        noise.flat[weights.size // 2] = 1
    changed = weights + amount * np.abs(weights).max() * noise
    graph[MIDDLE].set_attr("value", ArrayTensor(changed.astype(np.float32), tensor.dtype))
    return graph


@pytest.fixture(scope="module")
def one_weight(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("disturbed") / "one.pb"
    pbslim.save(disturbed(0.1), path)
    return path


def test_a_graph_is_identical_to_itself() -> None:
    found = pbslim.verify(DIGITS, DIGITS)
    assert (found.verdict, found.agrees, found.engine, found.samples) == (Verdict.IDENTICAL, True, "builtin", 16)


def test_folding_is_float_rounding(tmp_path: Path) -> None:
    pbslim.shrink(DIGITS, tmp_path / "o.pb", "optimize")
    found = pbslim.verify(DIGITS, tmp_path / "o.pb", seed=3)
    assert (found.verdict, found.agrees) == (Verdict.ROUNDING, True)
    assert [each.is_rounding for each in found] == [True]


def test_what_a_selection_chooses_from_is_named() -> None:
    text = """
        x = Placeholder(dtype='float', shape=[-1, 4])
        w = Const([1, 1.1, 1.2, {}])
        scores = Mul(x, w)
        most = Const(2, dtype='int32')
        best = TopKV2(scores, most)
        y = Identity(best)
        -> y
    """
    first, second = (parse(text.format(last))[0] for last in (1.3, 1.4))
    (told,) = (note for note in pbslim.verify(first, second).notes if "selection" in note)
    assert told.endswith("--outputs scores")
    assert not any("selection" in note for note in pbslim.verify(first, second, outputs=["scores"]).notes)
    assert not any("selection" in note for note in pbslim.verify(first, first).notes)


def test_nothing_is_rounding_where_nobody_looks_for_it(tmp_path: Path) -> None:
    pbslim.shrink(DIGITS, tmp_path / "o.pb", "optimize")
    found = compare_files(DIGITS, tmp_path / "o.pb", rounding=False)
    assert (found.verdict, found.agrees) == (Verdict.NEAR_LOSSLESS, False)


@pytest.mark.slow
def test_one_weight_is_a_real_difference_and_its_layer_is_named(one_weight: Path) -> None:
    found = pbslim.verify(DIGITS, one_weight, per_layer=True)
    assert (found.verdict, found.agrees) == (Verdict.NEAR_LOSSLESS, False)
    worst = found.worst_layers()
    assert [(each.name, each.constants) for each in worst] == [("conv2/conv2d/Conv2D", (MIDDLE,))]


@pytest.mark.slow
def test_layers_that_were_folded_are_told_apart() -> None:
    graph = disturbed(0.5)
    pbslim.transform(graph, "strip_unused_nodes fold_constants fold_batch_norms", ["input"], ["class"])
    found = pbslim.verify(DIGITS, graph, per_layer=True)
    assert len(found.layers) > 5
    assert MIDDLE.partition("/")[0] in found.worst_layers()[0].name


@pytest.mark.slow
def test_layers_of_other_names_are_found_by_their_values() -> None:
    graph = disturbed(0.1)
    pbslim.transform(graph, "obfuscate_names", ["input"], ["class"])
    found = pbslim.verify(DIGITS, graph, per_layer=True)
    losing = [each for each in found.layers if each.own_snr < math.inf]
    assert len(found.layers) > 10
    assert [each.op for each in losing] == ["Conv2D"]


def test_a_scale_that_was_folded_is_no_loss() -> None:
    head = "x = Placeholder(shape=[2, 2])\n"
    first = (
        head + "w = Const([[1, 2], [3, -4]])\ns = Const([0.5, 0.8])\nm = MatMul(x, w)\ny = Mul(m, s)\nz = Relu(y)\n-> z"
    )
    second = (
        head
        + """
        w = Const([[0.5, 1.6], [1.5, -3.2]])
        s = Const([0, 0])
        m = MatMul(x, w)
        y = BiasAdd(m, s)
        z = Relu(y)
        -> z"""
    )
    found = pbslim.verify(parse(first)[0], parse(second)[0], per_layer=True)
    assert [each.name for each in found.layers] == ["y", "z"]
    assert all(each.own_snr > 100 for each in found.layers)


def test_weights_that_are_stored_in_another_way_are_named(tmp_path: Path) -> None:
    pbslim.shrink(DIGITS, tmp_path / "small.pb", "eight-bit")
    found = pbslim.verify(DIGITS, tmp_path / "small.pb", per_layer=True)
    named = [name for each in found.layers for name in each.constants]
    assert "logits/kernel" in named


@pytest.mark.parametrize(("amount", "verdict"), [(0.002, "near-lossless"), (0.05, "good"), (0.5, "broken")])
def test_verdicts(amount: float, verdict: str) -> None:
    found = pbslim.verify(DIGITS, disturbed(amount, everywhere=True), evaluation=EVAL)
    assert str(found.verdict) == verdict
    assert found.accuracy
    assert found.accuracy.first.share == pytest.approx(0.9950, abs=1e-4)
    assert (found.accuracy.drop > 0.05) == (verdict == "broken")


def test_a_weight_that_no_input_shows_is_not_rounding() -> None:
    text = "x = Placeholder(shape=[4, 2])\nw = Const([[1, 2], [3, {}]])\nz = Const([1, 0])\nm = Mul(x, z)\n"
    text += "y = MatMul(m, w)\n-> y"
    first, second = (parse(text.format(number))[0] for number in (4, 4.4))
    found = pbslim.verify(first, second)
    assert found.comparisons[0].largest_difference == 0
    assert (found.verdict, found.agrees) == (Verdict.NEAR_LOSSLESS, False)
    assert "constant 'w' by 0.1 of its largest value" in found.notes[-1]


DEMANDS: list[tuple[dict[str, Any], bool, str]] = [
    ({"min_snr": 20}, True, ""),
    ({"min_snr": 90}, False, "dB, at least 90 are asked for"),
    ({"min_agreement": 0.9}, True, ""),
    ({"outputs": ["class"], "atol": 0}, True, ""),
    ({"outputs": ["probabilities"], "atol": 0, "rtol": 0}, False, "0 is allowed"),
    ({"outputs": ["probabilities"], "rtol": 0.5}, True, ""),
]


@pytest.mark.parametrize(("demands", "agrees", "reason"), DEMANDS)
def test_demands(one_weight: Path, demands: dict[str, Any], agrees: bool, reason: str) -> None:
    found = pbslim.verify(DIGITS, one_weight, **demands, samples=4)
    assert found.agrees == agrees
    assert agrees or reason in found.failures[0]


def test_labels_that_fit_no_decision_do_not_count_as_kept(tmp_path: Path) -> None:
    with np.load(EVAL) as arrays:
        np.savez(tmp_path / "wrong.npz", input=arrays["input"], labels=arrays["labels"] + 100)
    found = pbslim.verify(DIGITS, DIGITS, evaluation=tmp_path / "wrong.npz", max_drop=0.5)
    assert found.failures == ["no label is what the first graph decides, so nothing says whether its accuracy drops"]


def test_a_metric_of_ones_own(one_weight: Path) -> None:
    def mean(outputs: dict[str, Any]) -> float:
        return float(outputs["probabilities"].max(axis=1).mean())

    found = pbslim.verify(DIGITS, one_weight, outputs=["probabilities"], metric=mean, max_drop=1e-9)
    assert found.metric
    assert found.agrees == (found.metric[0] - found.metric[1] <= 1e-9)


def test_shapes_and_flags() -> None:
    def verify(first: str, second: str) -> Verification:
        one, two = (parse(f"x = Placeholder(shape=[2])\n{each}\n-> y")[0] for each in (first, second))
        return pbslim.verify(one, two, samples=1)

    found = verify("y = Neg(x)", "d = Const(0, dtype='int32')\ny = ExpandDims(x, d)")
    assert (found.verdict, found.comparisons[0].problem) == (Verdict.BROKEN, "float32[1, 2] instead of float32[2]")
    found = verify("z = Const(-1000)\ny = Greater(x, z)", "z = Const(1000)\ny = Greater(x, z)")
    assert found.comparisons[0].problem.endswith("of 2 values differ")


def test_inputs_that_are_given(tmp_path: Path, one_weight: Path) -> None:
    images = np.random.default_rng(0).integers(0, 256, (70, 8, 8, 1), np.uint8)
    np.save(tmp_path / "x.npy", images)
    np.savez(tmp_path / "x.npz", pictures=(images / 255).astype(np.float32))
    found = [pbslim.verify(DIGITS, one_weight, tmp_path / name, image_range=(0, 1)) for name in ("x.npy", "x.npz")]
    assert [each.samples for each in found] == [70, 70]
    assert found[0].snr == pytest.approx(found[1].snr, abs=0.1)


def test_a_folder_of_images(tmp_path: Path, one_weight: Path) -> None:
    image = pytest.importorskip("PIL.Image")
    for number in range(3):
        image.new("RGB", (20 + number, 10), (number * 100, 0, 0)).save(tmp_path / f"{number}.png")
    (tmp_path / "notes.txt").write_text("none")
    assert pbslim.verify(DIGITS, one_weight, tmp_path).samples == 3


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"outputs": ["clas"]}, "did you mean 'class'"),
        ({"engine": "abacus"}, "unknown engine 'abacus'"),
        ({"feeds": {"nothing": np.zeros(3), "input": np.zeros((1, 8, 8, 1))}}, "neither graph has an input 'nothing'"),
        ({"evaluation": DIGITS}, "is not an .npz or .npy file"),
    ],
)
def test_what_cannot_be_done_is_told(options: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        pbslim.verify(DIGITS, DIGITS, **options)


@pytest.mark.slow
@pytest.mark.usefixtures("apart")
def test_the_command(one_weight: Path) -> None:
    done = commands.run("verify", DIGITS, one_weight, "--eval", EVAL, "--max-drop=1%", "--min-snr=25")
    assert done.code == 0, done.err
    assert "verdict: near-lossless: " in done.out
    assert "accuracy: 99.50%" in done.out
    done = commands.run("verify", DIGITS, one_weight, "--json", "--per-layer", "--samples=4")
    content = json.loads(done.out)
    assert (done.code, content["verdict"], content["agrees"]) == (1, "near-lossless", False)
    assert content["worst_layers"] == ["conv2/conv2d/Conv2D"]
    assert content["outputs"][0]["agreement"]["share"] == 1
    assert "failed: " in done.err


@pytest.mark.slow
@pytest.mark.usefixtures("apart")
def test_a_small_file_may_take_what_the_large_one_does(tmp_path: Path) -> None:
    weights = np.zeros((8000, 4000), np.float32)
    weights[::7, ::5] = 1.5
    graph, _ = parse("x = Placeholder(dtype='float', shape=[-1, 8000])\nw = Const(1.0)\ny = MatMul(x, w)\n-> y")
    graph["w"].set_attr("value", ArrayTensor(weights))
    pbslim.save(graph, tmp_path / "large.pb")
    pbslim.transform(graph, [code_weights()], ["x"], ["y"])
    pbslim.save(graph, tmp_path / "small.pb")
    assert (tmp_path / "small.pb").stat().st_size < (tmp_path / "large.pb").stat().st_size / 100
    found = compare_files(tmp_path / "large.pb", tmp_path / "small.pb", engine="builtin", samples=4, cautious=True)
    assert found.snr > 40
