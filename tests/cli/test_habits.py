"""What every command has: help with examples, JSON, quiet, progress, plain output where nothing else can be shown."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import click
import numpy as np
import pytest
from click.shell_completion import ShellComplete

from pbslim.cli.command import EXIT_CODES, Command
from pbslim.cli.commands import pbslim
from tests import commands
from tests.cli.test_commands import DIGITS
from tests.shared import ROOT
from tests.terminals import read_terminal

NAMES = pbslim.list_commands(None)
MODEL = ROOT / "tests" / "data" / "models" / "tf1_embedding_gather" / "saved_model"


@pytest.mark.parametrize("name", NAMES)
def test_help_has_examples_that_are_understood_and_exit_codes(name: str) -> None:
    command = pbslim.commands[name]
    assert isinstance(command, Command)
    shown = commands.run(name, "--help")
    assert shown.code == 0
    assert EXIT_CODES in " ".join(shown.out.split())
    assert command.examples
    for example in command.examples:
        assert example in shown.out
        program, called, *args = shlex.split(example.split(" > ")[0])
        assert (program, called) == ("pbslim", name)
        command.make_context(name, args)


@pytest.mark.parametrize("name", NAMES)
def test_help_has_every_option_once(name: str) -> None:
    shown = commands.run(name, "--help").out
    for param in pbslim.commands[name].params:
        if not isinstance(param, click.Option):
            continue
        begins = [
            line for line in shown.splitlines() if re.match(rf"  ((-\w|--[\w-]+), )*{param.opts[-1]}\b(?!-)", line)
        ]
        assert len(begins) == 1, param.opts


def test_help_has_whole_sentences_about_all_commands() -> None:
    shown = " ".join(commands.run("--help").out.split())
    for name in NAMES:
        assert f"{name} {pbslim.commands[name].get_short_help_str(1000)}" in shown


@pytest.mark.parametrize("name", NAMES)
def test_every_command_has_json_and_quiet(name: str) -> None:
    options = {text for param in pbslim.commands[name].params for text in param.opts}
    assert {"--json", "--quiet", "-q"} <= options


CALLS: dict[str, list[object]] = {
    "benchmark": ["benchmark", DIGITS, "--engine=builtin", "--runs=1"],
    "compare_graphs": ["compare_graphs", DIGITS, DIGITS],
    "convert_graphdef_memmapped_format": [
        "convert_graphdef_memmapped_format",
        f"--in_graph={DIGITS}",
        "--out_graph=m.pb",
    ],
    "diff": ["diff", DIGITS, DIGITS],
    "freeze": ["freeze", MODEL, "-o", "o.pb"],
    "freeze_graph": [
        "freeze_graph",
        f"--input_saved_model_dir={MODEL}",
        "--output_node_names=y",
        "--output_graph=o.pb",
    ],
    "graph_to_dot": ["graph_to_dot", f"--graph={DIGITS}", "--dot_output=g.dot"],
    "inspect": ["inspect", DIGITS],
    "ops": ["ops", DIGITS],
    "optimize_for_inference": [
        "optimize_for_inference",
        f"--input={DIGITS}",
        "--output=o.pb",
        "--input_names=input",
        "--output_names=class",
    ],
    "print_selective_registration_header": ["print_selective_registration_header", f"--graphs={DIGITS}"],
    "quantize_graph": [
        "quantize_graph",
        f"--input={DIGITS}",
        "--output=o.pb",
        "--output_node_names=class",
        "--mode=weights",
    ],
    "shrink": ["shrink", DIGITS, "-o", "o.pb", "--recipe=optimize", "--no-verify"],
    "strip_unused": [
        "strip_unused",
        f"--input_graph={DIGITS}",
        "--output_graph=o.pb",
        "--input_node_names=input",
        "--output_node_names=class",
    ],
    "summarize_graph": ["summarize_graph", f"--in_graph={DIGITS}"],
    "transform_graph": [
        "transform_graph",
        f"--in_graph={DIGITS}",
        "--out_graph=o.pb",
        "--outputs=class",
        "--transforms=round_weights(num_steps=4, no_such=1)",
    ],
    "transforms": ["transforms", "round_weights"],
    "verify": ["verify", DIGITS, DIGITS, "--samples=2"],
}
WRITE_A_FILE = {
    "freeze",
    "freeze_graph",
    "graph_to_dot",
    "optimize_for_inference",
    "quantize_graph",
    "shrink",
    "strip_unused",
    "transform_graph",
}


@pytest.mark.parametrize("name", CALLS)
def test_json_is_all_that_stdout_gets(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    done = commands.run(*CALLS[name], "--json", "--quiet")
    assert (done.code, done.err.replace("note:", "")) == (0, done.err)
    assert json.loads(done.out)


@pytest.mark.parametrize("name", sorted(WRITE_A_FILE))
def test_a_quiet_command_that_writes_a_file_says_nothing(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    done = commands.run(*CALLS[name], "--quiet")
    assert done == (0, "", "")
    assert list(tmp_path.iterdir())


def test_packages_and_runs_in_json(tmp_path: Path) -> None:
    package, feeds = tmp_path / "m.pb", tmp_path / "x.npy"
    np.save(feeds, np.zeros((1, 8, 8, 1), np.float32))
    convert = ["convert_graphdef_memmapped_format", f"--in_graph={DIGITS}", f"--out_graph={package}", "-q"]
    assert commands.run(*convert) == (0, "", "")
    done = commands.run("unmap", package, "-o", tmp_path / "back.pb", "--json")
    assert json.loads(done.out)["bytes"] == (tmp_path / "back.pb").stat().st_size
    assert json.loads(commands.run("run", DIGITS, "--feeds", feeds, "--json").out)["class"]["shape"] == [1]


def test_errors_and_results_are_never_quiet(tmp_path: Path) -> None:
    assert commands.run("inspect", tmp_path / "no.pb", "--quiet").refused
    assert "class" in commands.run("inspect", DIGITS, "--quiet").out
    told = commands.run("shrink", DIGITS, "-o", tmp_path / "x.pb", "--recipe=optimize", "–no-verify", "-q")
    assert told == (0, "", "")


def in_terminal(*args: object, stdout: bool, **environment: str) -> tuple[str, str]:
    """What a command prints to a pipe, and to a terminal: stderr, and stdout too if wanted."""
    if not hasattr(os, "openpty"):
        pytest.skip("needs a pseudo terminal")
    ours, theirs = os.openpty()
    command = [sys.executable, "-m", "pbslim", *map(str, args)]
    variables = {**os.environ, "TERM": "xterm-256color", **environment}
    streams: dict[str, Any] = {"stdin": subprocess.DEVNULL, "stderr": theirs}
    streams["stdout"] = theirs if stdout else subprocess.PIPE
    with subprocess.Popen(command, env=variables, **streams) as process:
        found = read_terminal(ours, theirs)
        piped = process.stdout.read().decode() if process.stdout else ""
    return piped, found


def test_progress_is_for_people_alone() -> None:
    piped, shown = in_terminal("diff", DIGITS, DIGITS, stdout=False)
    assert piped == "the graphs are equal\n"
    assert "working" in shown
    assert "equal" not in shown
    assert in_terminal("diff", DIGITS, DIGITS, "--quiet", stdout=False) == (piped, "")


def test_what_is_printed_comes_after_the_progress_is_gone() -> None:
    shown = in_terminal("diff", DIGITS, DIGITS, stdout=True)[1]
    assert shown.rindex("working") < shown.index("the graphs are equal")


def test_no_colors_where_nobody_wants_any() -> None:
    color = re.compile(r"\x1b\[[\d;]*3\d[\d;]*m")
    assert not color.search(in_terminal("diff", DIGITS, DIGITS, stdout=True, NO_COLOR="1")[1])
    assert not color.search(in_terminal("inspect", DIGITS, stdout=True, NO_COLOR="1")[1])


@pytest.mark.parametrize("arguments", [["transforms", "fold_batch_norms"], ["inspect", DIGITS], ["--help"]])
def test_ascii_is_enough(arguments: list[object]) -> None:
    environment = {**os.environ, "PYTHONIOENCODING": "ascii", "COLUMNS": "200"}
    command = [sys.executable, "-m", "pbslim", *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, env=environment, check=True)
    assert b"\\u" not in done.stdout
    assert done.stdout.decode("ascii").strip()


@pytest.mark.parametrize(
    ("typed", "offered"), [("class/d", ["class/dimension"]), ("class,inp", ["class,input"]), ("nope", [])]
)
def test_names_of_nodes_are_completed(typed: str, offered: list[str]) -> None:
    assert completed("shrink", DIGITS, "--outputs", typed) == offered
    assert completed("shrink", "--outputs", typed) == []  # of no file yet
    assert completed("strip_unused", f"--input_graph={DIGITS}", "--input_node_names", typed) == offered


@pytest.mark.parametrize(
    ("words", "offered"),
    [
        (["shrink", "--recipe", "opt"], ["optimize"]),
        (["transforms", "round_"], ["round_weights", "round_weights_per_channel"]),
        (["transform_graph", "--transforms", "remove_device sparsify"], ["remove_device sparsify_gather"]),
        (["transform_graph", "--transforms", "round_weights(num"], ["round_weights(num_steps="]),
        (["transform_graph", "--transforms", "no_such(num"], []),
        (["ver"], ["verify"]),
        (["shrink", "no such file", "--outputs", ""], []),
        (["shrink", ROOT / "README.md", "--outputs", ""], []),
    ],
)
def test_what_can_be_said_is_completed(words: list[object], offered: list[str]) -> None:
    assert completed(*words) == offered


def completed(*words: object) -> list[str]:
    """What is offered for the last word."""
    *before, typed = map(str, words)
    return [each.value for each in ShellComplete(pbslim, {}, "pbslim", "").get_completions(before, typed)]


SHELLS = {
    "bash": """eval "$(_PBSLIM_COMPLETE=bash_source pbslim)"
        COMP_WORDS=(pbslim transforms round_); COMP_CWORD=2; _pbslim_completion pbslim; echo ${COMPREPLY[@]}""",
    "fish": "_PBSLIM_COMPLETE=fish_source pbslim | source; complete -C 'pbslim transforms round_'",
}


@pytest.mark.parametrize("shell", SHELLS)
def test_shells_understand_the_completion(shell: str, tmp_path: Path) -> None:
    if not shutil.which(shell):
        pytest.skip(f"{shell} is not installed")
    program = tmp_path / "pbslim"
    program.write_text(f'#!/bin/sh\nexec {sys.executable} -m pbslim "$@"\n')
    program.chmod(0o755)
    environment = {**os.environ, "PATH": f"{tmp_path}{os.pathsep}{os.environ['PATH']}"}
    done = subprocess.run([shell, "-c", SHELLS[shell]], capture_output=True, text=True, env=environment, check=True)
    assert done.stdout.split()[0] == "round_weights"


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    inner = tmp_path / "models"
    inner.mkdir()
    monkeypatch.chdir(inner)
    return tmp_path / "pbslim.toml"


def test_settings_are_defaults(settings: Path) -> None:
    settings.write_text(
        'quiet = true\n[shrink]\nrecipe = "optimize"\nverify = false\nout = "there.pb"\nkeep = ["input", "class"]\n'
    )
    assert commands.run("shrink", DIGITS) == (0, "", "")
    assert Path("there.pb").exists()
    assert commands.run("shrink", DIGITS, "-o", "here.pb").code == 0
    assert Path("here.pb").exists()


def test_settings_of_a_project(settings: Path) -> None:
    settings.with_name("pyproject.toml").write_text(
        "[tool.other]\nx = 1\n[tool.pbslim.diff]\nby_op = true\njson = true\n"
    )
    assert json.loads(commands.run("diff", DIGITS, DIGITS).out)["equal"]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("[shrink]\nqualty = 'small'", "[shrink] has no option 'qualty', did you mean 'quality'?"),
        ("[shrink]\nsources = 'a.pb'", "[shrink] has no option 'sources', did you mean 'force'?"),
        ("[shrnk]\nquality = 'small'", "there is no command 'shrnk', did you mean 'shrink'?"),
        ("quality = 'small'", "'quality' belongs into the table of a command, such as [shrink]"),
        ("[shrink]\nquality = 'smal'", "[shrink] Invalid value for '--quality'"),
        ("[shrink]\nexplain = 1", "[shrink] explain is true or false, not 1"),
        ("[shrink]\nscheme = ['a=int9']", "[shrink] Invalid value for '--scheme': unknown scheme 'int9'"),
        ("[shrink.scheme]\na = 'int9'", "[shrink] Invalid value for '--scheme': unknown scheme 'int9'"),
        ("[shrink]\nmin-snr = [1, 2]", "[shrink] Invalid value for '--min-snr'"),
        ("[shrink", "cannot be read"),
    ],
)
def test_wrong_settings_are_named(text: str, says: str, settings: Path) -> None:
    settings.write_text(text)
    done = commands.run("shrink", DIGITS, "-o", "out.pb")
    assert done.refused
    assert done.err.startswith(f"error: {settings}: ")
    assert says in done.err
    assert not Path("out.pb").exists()


def test_programs_of_their_own_have_settings_too(settings: Path) -> None:
    from pbslim.cli import transform_graph

    settings.write_text('[transform_graph]\ntransforms = "round_weights"\n')
    done = commands.run(f"--in_graph={DIGITS}", "--out_graph=out.pb", program=transform_graph)
    assert (done.code, done.err) == (0, "")
    assert Path("out.pb").exists()
