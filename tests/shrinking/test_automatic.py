"""Compression without a recipe, from file to file."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

import pbslim
from pbslim.analysis.zipsize import ZipSize, zipped_size
from pbslim.compression.model import Model
from pbslim.compression.promises import PROMISES, Promise
from pbslim.dtypes import FLOAT, INT32
from pbslim.engines import engine
from pbslim.errors import CheckError, UsageError
from pbslim.ir import ArrayTensor
from pbslim.shrinking.options import CompressionOptions
from pbslim.shrinking.proof import Proof
from pbslim.shrinking.shrink import shrink
from tests import commands
from tests.compression.networks import Builder, classifier
from tests.graphs import parse
from tests.shared import ROOT

DIGITS = ROOT / "examples" / "digits.pb"


@pytest.mark.slow
def test_the_result_keeps_its_promise_on_labelled_images(tmp_path: Path) -> None:
    out, plan = tmp_path / "small.pb", tmp_path / "plan.json"
    done = commands.run("shrink", DIGITS, "-o", out, "--save-plan", plan, "--json")
    assert done.code == 0, done.err
    found = json.loads(done.out)
    assert found["verification"]["verdict"] in ("good", "near-lossless")
    assert found["verification"]["snr"] >= PROMISES["balanced"].snr
    assert out.stat().st_size < DIGITS.stat().st_size / 5
    names = {choice["name"] for choice in json.loads(plan.read_text())["choices"]}
    assert names <= {node.name for node in pbslim.load(out)}
    again = tmp_path / "again.pb"
    done = commands.run("shrink", DIGITS, "-o", again, "--plan", plan, "--no-verify")
    assert done.code == 0, done.err
    assert again.read_bytes() == out.read_bytes()


def test_what_selections_choose_from_is_proven(tmp_path: Path) -> None:
    graph = classifier()
    most = graph.add("most", "Const", attrs={"dtype": INT32, "value": ArrayTensor(np.array(5, "i4"))}).output()
    graph.add("best", "TopKV2", [graph["logits"].output(), most], {"T": FLOAT, "sorted": True})
    pbslim.save(graph, tmp_path / "in.pb")
    result = shrink(tmp_path / "in.pb", tmp_path / "out.pb", outputs=["best"], proof=Proof())
    assert result.verification
    best, logits = result.verification
    assert (best.output, best.is_ordered, logits.output) == ("best", True, "logits")
    assert logits.snr is not None
    assert result.verification.snr == logits.snr >= PROMISES["balanced"].snr


def test_weights_after_a_selection_stay_fine(tmp_path: Path) -> None:
    """Whatever becomes of them, what the selection chooses from stays the same."""
    graph = classifier()
    build = Builder()
    build.graph = graph
    most = graph.add("most", "Const", attrs={"dtype": INT32, "value": ArrayTensor(np.array(5, "i4"))}).output()
    best = graph.add("best", "TopKV2", [graph["logits"].output(), most], {"T": FLOAT, "sorted": True}).output()
    build.op("second", "MatMul", best, build.const("second/weights", (5, 64)))
    pbslim.save(graph, tmp_path / "in.pb")
    result = shrink(tmp_path / "in.pb", tmp_path / "out.pb", outputs=["second"], proof=Proof())
    assert "nothing that is compared depends on them: second/weights" in result.notes[-1]
    scores = np.random.default_rng(0).normal(size=(8, 10)).astype(np.float32)
    before, after = (
        pbslim.run(pbslim.load(tmp_path / name), {"logits": scores}, ["second"])["second"]
        for name in ("in.pb", "out.pb")
    )
    np.testing.assert_allclose(after, before, atol=1e-3 * np.abs(before).max())


def test_the_same_input_gives_the_same_bytes(tmp_path: Path) -> None:
    pbslim.save(classifier(), tmp_path / "in.pb")
    for name in ("one.pb", "other.pb"):
        shrink(tmp_path / "in.pb", tmp_path / name, proof=Proof())
    assert (tmp_path / "one.pb").read_bytes() == (tmp_path / "other.pb").read_bytes()


def test_a_branch_that_no_sample_takes_stays_good(tmp_path: Path) -> None:
    weights = np.random.default_rng(0).normal(size=(2, 32, 32)).round(3).tolist()
    graph, _ = parse(
        f"""
            x = Placeholder(dtype='float', shape=[-1, 32])
            axes = Const([0, 1], dtype='int32')
            most = Max(x, axes)
            limit = Const(100)
            is_large = Greater(most, limit)
            w = Const({weights[0]})
            v = Const({weights[1]})
            large = MatMul(x, w)
            small = MatMul(x, v)
            y = SelectV2(is_large, large, small)
        """
    )
    pbslim.save(graph, tmp_path / "in.pb")
    assert shrink(tmp_path / "in.pb", tmp_path / "out.pb", outputs=["y"]).after.size < 5000
    feeds = {"x": np.random.default_rng(1).normal(size=(16, 32)).astype(np.float32) * 100}
    before, after = (pbslim.run(pbslim.load(tmp_path / name), feeds, ["y"])["y"] for name in ("in.pb", "out.pb"))
    assert 10 * np.log10(before.var() / (before - after).var()) > 15


def test_a_scheme_counts_though_nothing_shows_what_it_does() -> None:
    graph, _ = parse(
        f"""
            x = Placeholder(dtype='float', shape=[-1, 20])
            most = Const(16, dtype='int32')
            best = TopKV2(x, most)
            weights = Const({[[1.0, 2.0] * 8] * 16})
            y = MatMul(best, weights)
        """
    )
    with engine("builtin").load(graph) as program:
        for asked in ([], ["weights"]):
            model = Model.of(graph, program, ["x"], ["y"], asked=asked)
            assert (model.names, model.unseen, list(model.vectors)) == (
                asked,
                [] if asked else ["weights"],
                model.unseen,
            )


def test_kept_weights_stay_as_they_are(tmp_path: Path) -> None:
    shrink(DIGITS, tmp_path / "out.pb", keep=["*kernel"])
    kernels = [node for node in pbslim.load(tmp_path / "out.pb") if node.name.endswith("kernel")]
    assert kernels
    assert all(node.op == "Const" for node in kernels)


@pytest.mark.slow
@pytest.mark.parametrize(("target", "unknown"), [("tf1.4", {"DecodeCompressed"}), ("opencv", {"Cast", "SplitV"})])
def test_a_target_gets_only_what_it_reads(tmp_path: Path, target: str, unknown: set[str]) -> None:
    shrink(DIGITS, tmp_path / "out.pb", options=CompressionOptions(target=target))
    assert not unknown & {node.op for node in pbslim.load(tmp_path / "out.pb")}


@pytest.mark.slow
def test_a_size_is_met(tmp_path: Path) -> None:
    result = shrink(DIGITS, tmp_path / "out.pb", options=CompressionOptions(target_size=30_000, effort="low"))
    assert 25_000 < result.after.size <= 30_000


def test_what_fits_is_proven_on_all_inputs_however_long_that_takes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pbslim.shrinking.proof._SECONDS", 0.0)
    options = CompressionOptions(target_size=80_000, effort="least")
    result = shrink(DIGITS, tmp_path / "out.pb", options=options, proof=Proof(samples=24))
    assert result.verification
    assert result.verification.samples == 24


def test_a_size_in_a_zip_is_not_estimated(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def guessed(file: Path, *, exact: bool = False) -> ZipSize:
        return zipped_size(file, exact=True) if exact else ZipSize(1, exact=False)

    monkeypatch.setattr("pbslim.shrinking.attempts.zipped_size", guessed)
    options = CompressionOptions(target_size=30_000, goal="zip", effort="low")
    shrink(DIGITS, tmp_path / "out.pb", options=options)
    assert 25_000 < zipped_size(tmp_path / "out.pb", exact=True).bytes <= 30_000


def test_the_best_of_a_size_need_not_be_exact(tmp_path: Path) -> None:
    done = commands.run("shrink", DIGITS, "-o", tmp_path / "out.pb", "--target-size", 45_000, "--effort=low", "--json")
    facts = json.loads(done.out)
    assert 35_000 < facts["after"]["size"] <= 45_000
    assert facts["verification"]["snr"] > 15


@pytest.mark.slow
def test_a_promise_that_cannot_be_kept_writes_nothing(tmp_path: Path) -> None:
    with pytest.raises(CheckError, match="no weights in fewer bits keep 150"):
        shrink(DIGITS, tmp_path / "out.pb", options=CompressionOptions(Promise(150.0, 1.0)), proof=Proof(min_snr=150.0))
    assert not list(tmp_path.iterdir())


@pytest.mark.slow
def test_given_inputs_are_used(tmp_path: Path) -> None:
    images = np.random.default_rng(0).uniform(0, 1, (40, 8, 8, 1)).astype(np.float32)
    np.savez(tmp_path / "inputs.npz", input=images)
    result = shrink(DIGITS, tmp_path / "out.pb", options=CompressionOptions(calibrate=tmp_path / "inputs.npz"))
    assert result.plan is not None
    assert result.plan.origin == str(tmp_path / "inputs.npz")
    np.savez(tmp_path / "one.npz", input=images[:1])
    with pytest.raises(UsageError, match="holds 1 sample"):
        shrink(DIGITS, tmp_path / "out.pb", options=CompressionOptions(calibrate=tmp_path / "one.npz"))


def test_what_cannot_run_gets_eight_bits_unproven(tmp_path: Path) -> None:
    graph = pbslim.load(DIGITS)
    output = graph["class"].inputs[0]
    graph.add("strange", "OpOfNobody", [output])
    graph.add("strange/end", "Identity", [graph["strange"].output()])
    pbslim.save(graph, tmp_path / "strange.pb")
    result = shrink(tmp_path / "strange.pb", tmp_path / "out.pb", outputs=["strange/end"], proof=Proof())
    assert "OpOfNobody" in result.not_verified
    assert result.after.size < result.before.size / 3
    assert "DecodeCompressed" not in {node.op for node in pbslim.load(tmp_path / "out.pb")}


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"format": 2}', '{"format": 1, "choices": [1]}'])
def test_a_plan_that_is_none_is_one_line(tmp_path: Path, content: str) -> None:
    (tmp_path / "plan.json").write_text(content)
    done = commands.run("shrink", DIGITS, "-o", tmp_path / "out.pb", "--plan", tmp_path / "plan.json")
    assert done.code == 2
    assert done.err.count("\n") == 1
    assert "plan.json" in done.err


@pytest.mark.parametrize(
    "option",
    [["--save-plan", "a"], ["--target-size", "9"], ["--plan", "p"], ["--calibrate", "c"], ["--quality", "small"]],
)
def test_a_recipe_knows_nothing_of_promises(tmp_path: Path, option: list[str]) -> None:
    done = commands.run("shrink", DIGITS, "-o", tmp_path / "out.pb", "--recipe", "round-legacy", *option)
    assert done.code == 2
    assert "has no effect with a recipe" in done.err


@pytest.mark.parametrize("other", [("--target-size", "30kB"), ("--plan", "plan.json")])
def test_a_quality_goes_with_no_size_and_no_plan(tmp_path: Path, other: tuple[str, str]) -> None:
    done = commands.run("shrink", DIGITS, "-o", tmp_path / "out.pb", "--quality=balanced", *other)
    assert done.refused
    assert f"--quality has no effect with {other[0]}" in done.err
