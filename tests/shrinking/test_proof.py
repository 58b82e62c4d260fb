"""shrink verifies what it made."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

import pbslim
from pbslim.errors import CheckError
from pbslim.shrinking.options import CompressionOptions
from pbslim.shrinking.proof import Proof
from pbslim.verification import Verdict
from tests import commands
from tests.graphs import parse
from tests.shared import ROOT

DIGITS, EVAL = ROOT / "examples" / "digits.pb", ROOT / "examples" / "digits_eval.npz"


def coarse(folder: Path) -> Path:
    """A graph of which 256 levels per tensor leave nothing: its first channel has weights a million times larger."""
    weights = np.random.default_rng(0).standard_normal((32, 32))
    weights[:, 0] *= 1e6
    flat = f"x = Placeholder(shape=[-1, 32])\nw = Const({weights.tolist()})\ns = Const({[1e-6, *[1.0] * 31]})\n"
    graph, _ = parse(f"{flat}m = MatMul(x, w)\nr = Relu(m)\ny = Mul(r, s)\n-> y")
    pbslim.save(graph, folder / "coarse.pb")
    return folder / "coarse.pb"


@pytest.mark.slow
def test_the_verdict_is_printed_and_reported(tmp_path: Path) -> None:
    done = commands.run("shrink", DIGITS, "-o", tmp_path / "o.pb", "--recipe=optimize", "--json")
    content = json.loads(done.out)
    assert (done.code, content["verification"]["verdict"], content["not_verified"]) == (0, "float rounding", "")
    done = commands.run(
        "shrink", DIGITS, "-o", tmp_path / "r.pb", "--recipe=round-legacy", "--eval", EVAL, "--max-drop=1%"
    )
    assert done.code == 0, done.err
    assert "verdict: near-lossless" in done.out
    assert "accuracy: 99.50%" in done.out
    assert (tmp_path / "r.pb").exists()


@pytest.mark.slow
@pytest.mark.usefixtures("apart")
def test_a_bad_result_is_told_loudly(tmp_path: Path) -> None:
    done = commands.run("shrink", coarse(tmp_path), "-o", tmp_path / "out.pb", "--recipe=round-legacy")
    assert done.code == 0
    assert "WARNING: the result is broken" in done.err
    assert "a milder recipe: optimize" in done.err
    assert (tmp_path / "out.pb").exists()


def test_a_result_that_is_not_good_enough_is_not_written(tmp_path: Path) -> None:
    done = commands.run("shrink", coarse(tmp_path), "-o", tmp_path / "out.pb", "--recipe=round-legacy", "--min-snr=30")
    assert (done.code, done.out, done.err.count("\n")) == (1, "", 1)
    assert done.err.startswith("error: the result is broken, nothing was written: 'y': ")
    assert [file.name for file in tmp_path.iterdir()] == ["coarse.pb"]
    with pytest.raises(CheckError):
        pbslim.shrink(
            tmp_path / "coarse.pb",
            tmp_path / "out.pb",
            options=CompressionOptions(effort="low"),
            proof=Proof(min_snr=150),
        )


@pytest.mark.slow
def test_nothing_runs_without_a_proof(tmp_path: Path) -> None:
    done = commands.run("shrink", DIGITS, "-o", tmp_path / "o.pb", "--effort=low", "--no-verify")
    assert (done.code, "verdict" in done.out) == (0, False)
    options = CompressionOptions(effort="low")
    assert pbslim.shrink(DIGITS, tmp_path / "o.pb", options=options).verification is None


def test_what_the_engine_cannot_run_is_written_and_told(tmp_path: Path) -> None:
    graph, _ = parse("x = Placeholder(shape=[2])\nt = Bessel(x)\ny = Neg(t)\n-> y")
    pbslim.save(graph, tmp_path / "in.pb")
    done = commands.run("shrink", tmp_path / "in.pb", "-o", tmp_path / "out.pb", "--recipe=optimize")
    assert done.code == 0
    assert "note: not verified: " in done.err
    assert "node 't' (Bessel)" in done.err
    done = commands.run("shrink", tmp_path / "in.pb", "-o", tmp_path / "no.pb", "--recipe=round-legacy", "--min-snr=30")
    assert done.refused
    assert not (tmp_path / "no.pb").exists()


def test_a_cut_graph_is_compared_from_the_cut_on(tmp_path: Path) -> None:
    text = "x = Placeholder(shape=[4])\na = Const(0, dtype='int32')\ns = Split(a, x, num_split=2)\ny = Neg(s:1)\n-> y"
    pbslim.save(parse(text)[0], tmp_path / "in.pb")
    found = pbslim.shrink(tmp_path / "in.pb", tmp_path / "out.pb", "optimize", inputs=["s:1"], proof=Proof())
    assert found.verification
    assert (found.verification.verdict, len(found.verification)) == (Verdict.IDENTICAL, 1)


@pytest.mark.parametrize("options", [["--max-drop=1%"], ["--no-verify", "--min-snr=3"], ["--max-drop=half"]])
def test_options_that_do_not_go_together(tmp_path: Path, options: list[str]) -> None:
    assert commands.run("shrink", DIGITS, "-o", tmp_path / "o.pb", "--recipe=round-legacy", *options).refused
    assert not list(tmp_path.iterdir())
