"""Which engine runs the search and the proof."""

from __future__ import annotations

import json
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from multiprocessing import get_context
from pathlib import Path

import pytest

import pbslim
from pbslim.compression.plan import Plan
from pbslim.engines import engine
from pbslim.errors import UsageError
from pbslim.shrinking.options import CompressionOptions
from pbslim.shrinking.shrink import shrink
from tests import commands
from tests.compression.networks import classifier


@pytest.fixture
def model(tmp_path: Path) -> Path:
    pbslim.save(classifier(), tmp_path / "in.pb")
    return tmp_path / "in.pb"


@pytest.fixture
def strange(tmp_path: Path) -> Path:
    """A model with an op that only TensorFlow runs."""
    graph = classifier()
    graph.add("strange", "Dawsn", [graph["logits"].output()], {"T": graph["logits"].attrs["T"]})
    pbslim.save(graph, tmp_path / "strange.pb")
    return tmp_path / "strange.pb"


@pytest.mark.tensorflow
def test_tensorflow_gives_the_same_bytes_each_time_and_from_a_plan(model: Path, tmp_path: Path) -> None:
    options = CompressionOptions(engine="tensorflow", effort="low")
    plan = shrink(model, tmp_path / "one.pb", options=options).plan
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:  # whose worker runs the same engine
        other = shrink(model, tmp_path / "other.pb", options=replace(options, executor=pool))
    assert plan is not None
    assert other.plan == plan
    assert (tmp_path / "other.pb").read_bytes() == (tmp_path / "one.pb").read_bytes()
    written = tmp_path / "plan.json"
    written.write_text(plan.to_json())
    assert json.loads(written.read_text())["engine"] == "tensorflow"
    done = commands.run("shrink", model, "-o", tmp_path / "again.pb", "--plan", written, "--json")
    assert done.code == 0, done.err
    assert json.loads(done.out)["verification"]["engine"] == "tensorflow"
    assert (tmp_path / "again.pb").read_bytes() == (tmp_path / "one.pb").read_bytes()


@pytest.mark.tensorflow
def test_what_only_tensorflow_runs_is_compressed_with_it(strange: Path, tmp_path: Path) -> None:
    done = commands.run("shrink", strange, "-o", tmp_path / "out.pb", "--engine=tensorflow", "--effort=low", "--json")
    assert done.code == 0, done.err
    found = json.loads(done.out)["verification"]
    assert found["engine"] == "tensorflow"
    assert found["snr"] >= 20


def test_the_builtin_engine_names_the_other_one(strange: Path, tmp_path: Path) -> None:
    done = commands.run("shrink", strange, "-o", tmp_path / "out.pb", "--json")
    reason = json.loads(done.out)["not_verified"]
    assert reason.startswith("the builtin engine cannot run node 'strange' (Dawsn): ")
    assert reason.endswith("; --engine tensorflow can")


@pytest.mark.parametrize("more", [[], ["--recipe=eight-bit"]])
def test_an_engine_that_is_not_installed_is_an_error(
    model: Path, tmp_path: Path, more: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine("tensorflow"), "missing", lambda: "TensorFlow is not installed")
    done = commands.run("shrink", model, "-o", tmp_path / "out.pb", "--engine=tensorflow", *more)
    assert (done.code, done.err) == (2, "error: TensorFlow is not installed\n")
    assert not (tmp_path / "out.pb").exists()


def test_plans_of_before_are_for_the_builtin_engine(model: Path, tmp_path: Path) -> None:
    plan = shrink(model, tmp_path / "out.pb", options=CompressionOptions(effort="low")).plan
    assert plan is not None
    content = json.loads(plan.to_json())
    assert content.pop("engine") == "builtin"
    (tmp_path / "old.json").write_text(json.dumps(content))
    assert Plan.read(tmp_path / "old.json") == plan
    content["engine"] = "other"
    (tmp_path / "new.json").write_text(json.dumps(content))
    options = CompressionOptions(plan=Plan.read(tmp_path / "new.json"))
    with pytest.raises(UsageError, match="unknown engine 'other'"):
        shrink(model, tmp_path / "again.pb", options=options)
