"""What users expect of a command line without being told."""

from __future__ import annotations

import os
import struct
import subprocess
import sys
from pathlib import Path

import click
import pytest

import pbslim
import pbslim.transforms
from pbslim.cli.options import SIZE
from pbslim.passes import registry
from pbslim.report.terminal import ratio_text
from tests import commands
from tests.cli.test_commands import DIGITS
from tests.terminals import read_terminal

TRANSFORM = ["transform_graph", f"--in_graph={DIGITS}", "--inputs=input", "--outputs=class"]


def test_without_a_command_the_help_is_printed() -> None:
    done = commands.run()
    assert (done.code, done.err) == (0, "")
    assert done.out == commands.run("--help").out
    assert "shrink" in done.out


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["shrnk", "a.pb"], "No such command 'shrnk', did you mean 'shrink'?"),
        (["to_saved_modle"], "No such command 'to_saved_modle', did you mean 'to-saved-model'?"),
        (["xyz"], "No such command 'xyz'."),
        (["shrink", "a.pb", "--qualty=small"], "--quality"),
    ],
)
def test_a_slip_suggests_the_nearest(words: list[str], says: str) -> None:
    done = commands.run(*words)
    assert done.refused
    assert says in done.err


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["--min-snr", "-5"], "'--min-snr': -5 is out of range; give 0 dB or more"),
        (["--min-snr", "nan"], "'--min-snr': 'nan' is not a number"),
        (["--min-agreement", "99"], "'--min-agreement': '99' is not a share from 0% to 100%, such as 1% or 0.01"),
        (["--max-drop", "-1%"], "'--max-drop': '-1%' is not a share from 0% to 100%, such as 1% or 0.01"),
        (["--time-limit", "0"], "'--time-limit': 0 is out of range; give more than 0 seconds"),
        (["--time-limit", "nan"], "'--time-limit': 'nan' is not a number"),
        (["--target-size", "0"], "'--target-size': '0' is not a size such as 60000, 60kB, 2.5MB or 300KiB"),
        (
            ["--target-size", "60 pounds"],
            "'--target-size': '60 pounds' is not a size such as 60000, 60kB, 2.5MB or 300KiB",
        ),
        (["--target-size", "0.1B"], "'--target-size': '0.1B' is not a size such as 60000, 60kB, 2.5MB or 300KiB"),
        (["--jobs", "0"], "'--jobs': 0 is not in the range x>=1."),
    ],
)
def test_a_number_out_of_range_is_refused_with_the_range(words: list[str], says: str) -> None:
    done = commands.run("shrink", DIGITS, "-o", "out.pb", *words)
    assert done.refused
    assert done.err == f"error: Invalid value for {says}\n"


@pytest.mark.parametrize(
    ("before", "after", "says"),
    [
        (300, 100, "3.00x smaller"),
        (40, 1000, "25.00x larger"),
        (1000, 1001, "about the same"),
        (7, 7, "about the same"),
        (5, 0, "5.00x smaller"),
    ],
)
def test_what_grew_is_not_called_smaller(before: int, after: int, says: str) -> None:
    assert ratio_text(before, after) == says


def on_a_terminal(columns: int, *args: object) -> str:
    """What a command writes to a terminal of so many columns."""
    termios, fcntl = pytest.importorskip("termios"), pytest.importorskip("fcntl")
    ours, theirs = os.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 40, columns, 0, 0))
    environment = {name: value for name, value in os.environ.items() if name not in ("COLUMNS", "LINES")}
    command = [sys.executable, "-m", "pbslim", *map(str, args)]
    with subprocess.Popen(command, stdout=theirs, stdin=subprocess.DEVNULL, env=environment):
        return read_terminal(ours, theirs)


@pytest.mark.parametrize("columns", [40, 60, 119, 120])
def test_names_are_not_cut_on_a_narrow_terminal(columns: int) -> None:
    shown = on_a_terminal(columns, "transforms")
    assert [name for name in registry.names() if name not in shown] == []


def test_nothing_is_lost_in_a_narrow_table() -> None:
    shown = on_a_terminal(40, "inspect", DIGITS)
    assert "…" not in shown


def test_transform_graph_says_what_it_wrote(tmp_path: Path) -> None:
    out = tmp_path / "out.pb"
    done = commands.run(*TRANSFORM, f"--out_graph={out}", "--transforms=strip_unused_nodes fold_constants")
    nodes = len(pbslim.load(out))
    assert (done.code, done.err) == (0, "")
    assert done.out == f"{out} written, {nodes} nodes (84 before), {out.stat().st_size / 1000:.2f} kB\n"


def test_transforms_from_a_file(tmp_path: Path) -> None:
    recipe, out, same = tmp_path / "recipe.txt", tmp_path / "out.pb", tmp_path / "same.pb"
    text = "strip_unused_nodes\nfold_constants(ignore_errors=true)\nround_weights(num_steps=16)\n"
    recipe.write_text("\ufeff" + text, encoding="utf-8")
    assert commands.run(*TRANSFORM, f"--out_graph={out}", f"--transforms=@{recipe}").code == 0
    assert commands.run(*TRANSFORM, f"--out_graph={same}", f"--transforms={text}").code == 0
    assert out.read_bytes() == same.read_bytes()


@pytest.mark.parametrize(
    ("content", "says"),
    [(None, "cannot read"), (b"\xff\xfe", "is not UTF-8 text"), (b"", "names no transform"), (b"nope", "unknown")],
)
def test_a_file_without_transforms_is_refused(content: bytes | None, says: str, tmp_path: Path) -> None:
    recipe, out = tmp_path / "recipe.txt", tmp_path / "out.pb"
    if content is not None:
        recipe.write_bytes(content)
    done = commands.run(*TRANSFORM, f"--out_graph={out}", f"--transforms=@{recipe}")
    assert done.refused
    assert says in done.err
    assert not out.exists()


@pytest.mark.parametrize("name", ["@", "@.", "@~nosuchuser/recipe"])
def test_what_is_no_file_of_transforms_is_refused(name: str, tmp_path: Path) -> None:
    done = commands.run(*TRANSFORM, f"--out_graph={tmp_path / 'out.pb'}", f"--transforms={name}")
    assert done.refused, done


def test_an_unknown_parameter_suggests_the_nearest(tmp_path: Path) -> None:
    done = commands.run(*TRANSFORM, f"--out_graph={tmp_path / 'out.pb'}", "--transforms=round_weights(num_step=3)")
    assert done.code == 0
    assert done.err == "note: round_weights has no parameter 'num_step', it is ignored, did you mean 'num_steps'?\n"


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("60000", 60000),
        ("60kB", 60000),
        ("60 KB", 60000),
        ("2.5MB", 2500000),
        ("300KiB", 307200),
        (".5mib", 524288),
        ("1.GB", 10**9),
        ("1GiB", 2**30),
        ("7B", 7),
        (7, 7),
    ],
)
def test_sizes_have_units(text: str | int, size: int) -> None:
    assert SIZE.convert(text, None, None) == size


@pytest.mark.parametrize(
    ("typed", "offered"),
    [
        ("60", ["60kB", "60KiB", "60MB", "60MiB"]),
        ("2.5m", ["2.5MB", "2.5MiB"]),
        ("60kB", ["60kB"]),
        ("", []),
        ("x", []),
    ],
)
def test_units_of_sizes_are_completed(typed: str, offered: list[str]) -> None:
    option = click.Option(["--target-size"], type=SIZE)
    found = SIZE.shell_complete(click.Context(click.Command("shrink")), option, typed)
    assert [item.value for item in found] == offered
