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
    ],
)
def test_what_has_no_place_is_refused(options: list[str], says: str) -> None:
    before = _content()
    done = commands.run("shrink", "digits.pb", *options)
    assert done.refused
    assert says in done.err
    assert _content() == before


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
