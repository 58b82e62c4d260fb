"""The recipes ``round`` and ``eight-bit``."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import pbslim
from pbslim.dtypes import FLOAT, INT32
from pbslim.ir import ArrayTensor
from pbslim.shrinking.options import CompressionOptions
from pbslim.shrinking.proof import Proof
from pbslim.shrinking.recipes import RECIPES
from pbslim.shrinking.shrink import shrink
from pbslim.verification import Verdict, Verification
from tests.compression.networks import classifier, recurrent
from tests.graphs import parse
from tests.shrinking.test_proof import coarse

LEVELED = ["round", "eight-bit"]
PROOF = Proof(samples=24)


@pytest.fixture
def model(tmp_path: Path) -> Path:
    pbslim.save(classifier(), tmp_path / "model.pb")
    return tmp_path / "model.pb"


def proven(model: Path, recipe: str) -> Verification:
    found = shrink(model, model.with_name("out.pb"), recipe, proof=PROOF).verification
    assert found
    return found


@pytest.mark.parametrize("recipe", LEVELED)
def test_channels_of_any_scale_survive(tmp_path: Path, recipe: str) -> None:
    path = coarse(tmp_path)
    assert proven(path, f"{recipe}-legacy").snr < 15
    assert proven(path, recipe).snr > 25


def test_inputs_make_it_better(model: Path) -> None:
    plain = pbslim.load(model)
    text = RECIPES["optimize"] + "quantize_weights_per_channel(coarseness=0.06)"
    pbslim.transform(plain, text, inputs=["x"], outputs=["scores"])
    pbslim.save(plain, model.with_name("plain.pb"))
    before = pbslim.verify(model, model.with_name("plain.pb"), samples=24).snr
    assert proven(model, "eight-bit").snr > before + 1


def test_rounded_weights_are_plain_floats_that_zip_well(model: Path) -> None:
    shrink(model, model.with_name("simple.pb"), "optimize")
    result = shrink(model, model.with_name("out.pb"), "round")
    simple, rounded = (pbslim.load(model.with_name(name)) for name in ("simple.pb", "out.pb"))
    assert [(node.name, node.op) for node in rounded] == [(node.name, node.op) for node in simple]
    weights = rounded["dense/weights"].tensor().numpy()
    for channel in weights.T:
        step = np.abs(channel[channel != 0]).min()
        codes = channel / (step / 2**7)
        assert np.array_equal(codes, np.rint(codes))
    assert not (weights.view(np.uint32) & 0xFFFF).any()
    assert result.after.zipped.bytes < result.before.zipped.bytes / 2.5


def test_weights_of_few_values_are_left_alone(tmp_path: Path) -> None:
    graph = classifier()
    pbslim.transform(graph, "round_weights(num_steps=64)", inputs=["x"], outputs=["scores"])
    pbslim.save(graph, tmp_path / "model.pb")
    result = shrink(tmp_path / "model.pb", tmp_path / "out.pb", "eight-bit", proof=PROOF)
    assert result.recipe == "eight-bit-legacy"
    assert "few values already" in result.notes[-1]
    assert result.verification
    assert result.verification.snr > 60


@pytest.mark.parametrize("recipe", LEVELED)
def test_what_cannot_run_is_rounded_plainly(tmp_path: Path, recipe: str) -> None:
    graph = classifier()
    graph.add("strange", "OpOfNobody", [graph["scores"].output()])
    pbslim.save(graph, tmp_path / "model.pb")
    result = shrink(tmp_path / "model.pb", tmp_path / "out.pb", recipe)
    assert "errors are not made up for: the builtin engine cannot run node 'strange' (OpOfNobody)" in result.notes[-1]
    assert result.after.zipped.bytes < result.before.zipped.bytes / 1.8


@pytest.mark.parametrize("recipe", LEVELED)
def test_errors_are_made_up_for_beside_a_loop(tmp_path: Path, recipe: str) -> None:
    np.savez(tmp_path / "given.npz", x=np.random.default_rng(0).normal(size=(18, 32)).astype(np.float32))
    pbslim.save(recurrent(), tmp_path / "model.pb")
    options = CompressionOptions(calibrate=tmp_path / "given.npz")
    result = shrink(tmp_path / "model.pb", tmp_path / "out.pb", recipe, outputs=["y"], options=options, proof=Proof())
    assert result.verification
    assert result.verification.snr > 25


def test_a_graph_without_weights_need_not_run(tmp_path: Path) -> None:
    graph, _ = parse("x = Placeholder(shape=[1, 4])\ny = OpOfNobody(x)\nz = Identity(y)\n-> z")
    pbslim.save(graph, tmp_path / "model.pb")
    assert shrink(tmp_path / "model.pb", tmp_path / "out.pb", "round", outputs=["z"]).notes == []


@pytest.mark.parametrize("recipe", LEVELED)
def test_what_selections_choose_from_is_compared(tmp_path: Path, recipe: str) -> None:
    graph = classifier()
    most = graph.add("most", "Const", attrs={"dtype": INT32, "value": ArrayTensor(np.array(5, "i4"))}).output()
    graph.add("best", "TopKV2", [graph["logits"].output(), most], {"T": FLOAT, "sorted": True})
    pbslim.save(graph, tmp_path / "in.pb")
    result = shrink(tmp_path / "in.pb", tmp_path / "out.pb", recipe, outputs=["best"], proof=PROOF)
    assert result.verification
    best, logits = result.verification
    assert (best.output, best.is_ordered, logits.output) == ("best", True, "logits")
    assert result.verification.snr == logits.snr
    assert result.verification.verdict is Verdict.NEAR_LOSSLESS
    assert result.notes == ["outputs after a selection are judged by what it chooses from: logits"]
