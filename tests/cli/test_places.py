"""Where `pbslim shrink` writes: nothing in the place of an input or of another output, and no result after an error."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests import commands
from tests.cli.test_commands import DIGITS
from tests.shared import ROOT

MODEL = ROOT / "tests" / "data" / "models" / "tf1_embedding_gather" / "saved_model"
EVAL = DIGITS.with_name("digits_eval.npz")
CHECKPOINT = ROOT / "tests" / "data" / "models" / "tf1_sharded"


@pytest.fixture(autouse=True)
def _in_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    shutil.copy(DIGITS, "digits.pb")
    shutil.copy(EVAL, "eval.npz")
    Path("folder.html").mkdir()


def _content() -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in Path().iterdir() if path.is_file()}


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (["-o", "out.pb", "--save-plan", "digits.pb"], "is the input"),
        (["-o", "out.pb", "--eval", "eval.npz", "--save-plan", "eval.npz"], "is the input"),
        (["-o", "out.json", "--save-plan", "./out.json"], "is to be written twice"),
        (["-o", "out.md", "--report", "out.md"], "is to be written twice"),
        (["-o", "out.pb", "--report", "r.json", "--save-plan", "r.json"], "is to be written twice"),
        (["-o", "out.pb", "--report", "folder.html"], "it is a directory"),
        (["-o", "out.pb", "--save-plan", "nowhere/plan.json"], "cannot write 'nowhere/plan.json'"),
        (["-o", "-", "--as", "saved_model"], "written to a stream"),
        (["-o", "eval.npz", "--eval", "eval.npz"], "is the input"),
    ],
)
def test_what_has_no_place_is_refused(options: list[str], says: str) -> None:
    before = _content()
    done = commands.run("shrink", "digits.pb", *options)
    assert done.refused
    assert says in done.err
    assert _content() == before


@pytest.fixture
def model() -> dict[Path, bytes]:
    """The files of a SavedModel in this folder."""
    shutil.copytree(MODEL, "model")
    return _files(Path("model"))


def _files(folder: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


INTO_A_MODEL = [
    ["shrink", "model", "-o", "model/small.pb"],
    ["shrink", "model", "-o", "model/saved_model.pb"],
    ["shrink", "model/saved_model.pb", "-o", "model/small.pb"],
    ["shrink", "model", "-o", "out.pb", "--save-plan", "model/variables/variables.index"],
    ["shrink", "model", "-o", "out.pb", "--report", "model/report.md"],
    ["shrink", "model", "-o", "model/new", "--as", "saved_model"],
    ["shrink", "digits.pb", "model", "--out-dir", "model/variables"],
    ["freeze", "model", "-o", "model/frozen.pb"],
    ["freeze_graph", "--input_saved_model_dir=model", "--output_node_names=y", "--output_graph=model/saved_model.pb"],
    ["to-saved-model", "model", "model/new"],
    ["transform_graph", "--in_graph=model", "--out_graph=model/x.pb", "--transforms=fold_constants"],
    ["report", "model", "model", "-o", "model/report.md"],
    ["run", "model", "--feeds", "eval.npz", "-o", "model/answers.npz"],
    ["graph_to_dot", "--graph=model", "--dot_output=model/x.dot"],
    ["ops", "model", "--header", "model/x.h"],
]


@pytest.mark.parametrize("words", INTO_A_MODEL, ids=" ".join)
def test_nothing_is_written_into_a_model(words: list[str], model: dict[Path, bytes]) -> None:
    done = commands.run(*words)
    assert done.refused
    assert "is in the input 'model', which stays as it is; name another place" in done.err
    assert _files(Path("model")) == model


@pytest.mark.parametrize("given", ["ckpt", "ckpt/model.meta", "ckpt/model"])
def test_a_file_of_a_checkpoint_is_not_replaced(given: str) -> None:
    shutil.copytree(CHECKPOINT, "ckpt")
    before = _files(Path("ckpt"))
    done = commands.run("shrink", given, "-o", "ckpt/model.index", "--recipe=optimize")
    assert done.refused
    assert "is the input" in done.err
    assert _files(Path("ckpt")) == before


@pytest.mark.parametrize("given", [".", "saved_model.pb", "../model"])
def test_the_result_goes_beside_the_model(
    given: str, model: dict[Path, bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir("model")
    assert commands.run("shrink", given, "--recipe=optimize", "--no-verify").code == 0
    monkeypatch.chdir("..")
    assert _files(Path("model")) == model
    assert Path("model-small.pb").is_file()


@pytest.mark.skipif(not Path("/proc/self").is_dir(), reason="a folder that takes no files, not even from root")
@pytest.mark.parametrize(
    "options",
    [["--report", "/proc/self/report.md"], ["--save-plan", "/proc/self/plan.json"], ["-o", "/proc/self/out.pb"]],
)
def test_a_folder_that_takes_no_files_is_found_out_before_the_work(options: list[str]) -> None:
    before = _content()
    done = commands.run("shrink", "digits.pb", "-o", "out.pb", *options)
    assert done.refused
    assert done.err.startswith(f"error: cannot write '{options[1]}': ")
    assert _content() == before


def test_a_report_does_not_replace_what_it_is_made_of() -> None:
    shutil.copy("digits.pb", "digits.md")
    done = commands.run("report", "digits.md", "digits.pb", "-o", "digits.md")
    assert done.refused
    assert "is the input" in done.err


@pytest.mark.parametrize(("option", "value"), [("--eval", "eval.npz"), ("--samples", "3"), ("--engine", "builtin")])
def test_a_report_in_json_is_not_compared_anew(option: str, value: str) -> None:
    done = commands.run("report", "report.json", option, value)
    assert done.refused
    assert f"name both models, or leave out {option}" in done.err


def test_a_folder_is_not_written_to_a_stream() -> None:
    assert commands.run("to-saved-model", "digits.pb", "-").refused
    assert not Path("-").exists()


def test_a_plan_that_there_is_none_of_is_not_passed_over() -> None:
    done = commands.run("shrink", MODEL, "-o", "out.pb", "--save-plan", "plan.json")
    assert done.code == 0
    assert "no plan to write to 'plan.json'" in done.err
    assert not Path("plan.json").exists()


def test_a_report_on_inputs_that_are_not_there_is_refused() -> None:
    done = commands.run("report", "digits.pb", "digits.pb", "--eval", "nowhere.npz", "-o", "report.md")
    assert done.refused
    assert "nowhere.npz" in done.err
    assert not Path("report.md").exists()


@pytest.mark.parametrize("words", [["report", "no.json"], ["shrink", "digits.pb", "-o", "out.pb", "--plan", "no.json"]])
def test_a_file_that_is_not_there_is_said_to_be_missing(words: list[str]) -> None:
    done = commands.run(*words)
    assert done.refused
    assert done.err == "error: cannot read 'no.json': No such file or directory\n"


@pytest.mark.parametrize(
    ("options", "says"),
    [(["--min-snr", "nan"], "is not a number"), (["--max-drop", "1%"], "--eval"), (["--min-snr", "x"], "--min-snr")],
)
def test_a_demand_that_cannot_fail_is_refused(options: list[str], says: str) -> None:
    done = commands.run("verify", "digits.pb", "digits.pb", *options)
    assert done.refused
    assert says in done.err


def test_every_weight_may_be_told_its_scheme() -> None:
    done = commands.run("shrink", "digits.pb", "-o", "out.pb", "--scheme", "*=float16", "--eval", "eval.npz")
    assert done.code == 0
    assert Path("out.pb").stat().st_size < 0.52 * DIGITS.stat().st_size
    assert len(done.err.splitlines()) == len(set(done.err.splitlines()))
