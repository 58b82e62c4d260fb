"""Standard streams: graphs go through them, and whatever becomes of them nobody sees a traceback."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

import pbslim
from pbslim.errors import printable
from tests import commands
from tests.shared import ROOT

DIGITS = ROOT / "examples" / "digits.pb"
MAIN = [sys.executable, "-m", "pbslim"]
posix = pytest.mark.skipif(os.name != "posix", reason="no such streams here")


def shell(command: str, folder: Path) -> subprocess.CompletedProcess[bytes]:
    script = command.replace("pbslim", f"'{sys.executable}' -m pbslim")
    return subprocess.run(["/bin/sh", "-c", script], capture_output=True, check=False, cwd=folder)


def refused(done: subprocess.CompletedProcess[bytes], says: str) -> bool:
    return done.returncode == 2 and done.stderr.count(b"\n") == 1 and done.stderr.startswith(f"error: {says}".encode())


@posix
def test_graphs_through_pipes(tmp_path: Path) -> None:
    done = shell(
        f"cat '{DIGITS}' | pbslim shrink - -o - --recipe optimize --no-verify |"
        " pbslim transform_graph --in_graph=- --out_graph=/dev/stdout --transforms=remove_device > out.pb",
        tmp_path,
    )
    assert done.returncode == 0, done.stderr
    assert 0 < len(pbslim.load(tmp_path / "out.pb")) < 84
    assert b"constants" in done.stderr  # what shrink says, as its result is on standard output
    assert b"out.pb" not in done.stderr


@posix
@pytest.mark.parametrize(
    "command",
    [
        "inspect - --json",
        "summarize_graph --in_graph=- --json",
        "diff - other.pb --json",
        "compare_graphs - other.pb --json",
        "ops - --json",
        "graph_to_dot --graph=- --dot_output=-",
        "strip_unused --input_graph=- --output_graph=- --input_node_names=input --output_node_names=class",
        "optimize_for_inference --input=- --output=- --input_names=input --output_names=class",
        "quantize_graph --input=- --output=- --output_node_names=class --mode=weights_rounded",
        "convert_graphdef_memmapped_format --in_graph=- --out_graph=-",
    ],
)
def test_every_command_reads_and_writes_streams(tmp_path: Path, command: str) -> None:
    (tmp_path / "other.pb").write_bytes(DIGITS.read_bytes())
    argv = [*MAIN, *command.split()]
    done = subprocess.run(argv, input=DIGITS.read_bytes(), capture_output=True, cwd=tmp_path, check=True)
    if "--json" in command:
        json.loads(done.stdout)
    elif "dot" in command:
        assert done.stdout.startswith(b"digraph")
        assert done.stdout.endswith(b"}\n")
    else:
        assert len(pbslim.load(done.stdout)) > 10
    assert [path.name for path in tmp_path.iterdir()] == ["other.pb"]


def test_an_unnamed_result_of_a_stream() -> None:
    done = commands.run("shrink", "-")
    assert done.refused
    assert "name the file to write with -o" in done.err


def test_a_file_called_dash(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "-").write_bytes(DIGITS.read_bytes())
    done = commands.run("inspect", "./-", "--json")
    assert json.loads(done.out)["nodes"] == 84


@posix
def test_no_room_on_standard_output(tmp_path: Path) -> None:
    if not Path("/dev/full").exists():
        pytest.skip("no device that is always full")
    for command in ("inspect", "inspect --json", "graph_to_dot --dot_output=- --graph"):
        done = shell(f"pbslim {command} '{DIGITS}' > /dev/full", tmp_path)
        assert refused(done, "cannot write ")
        assert b"No space left on device" in done.stderr


@pytest.mark.slow
@posix
def test_closed_streams(tmp_path: Path) -> None:
    done = shell(f"pbslim shrink '{DIGITS}' -o out.pb --effort least --no-verify <&- >&- 2>&-", tmp_path)
    assert done.returncode == 0
    assert len(pbslim.load(tmp_path / "out.pb")) > 0
    done = shell(f"pbslim shrink '{DIGITS}' -o - --effort least --no-verify >&-", tmp_path)
    assert refused(done, "cannot write '-': Bad file")
    assert refused(shell("pbslim inspect - <&-", tmp_path), "'-' is a device, not a GraphDef file")
    assert shell(f"pbslim inspect '{DIGITS}' >&-", tmp_path).stderr == b""


@pytest.mark.slow
@posix
def test_a_reader_that_has_read_enough(tmp_path: Path) -> None:
    shrink = "shrink --effort least --no-verify -o - 2>/dev/null"
    for command in ("summarize_graph --print_structure --in_graph", shrink):
        assert shell(f"pbslim {command} '{DIGITS}' | head -c 1 > /dev/null", tmp_path).stderr == b""


@pytest.mark.slow
@pytest.mark.parametrize("encoding", ["ascii", "cp1252", "latin-1", "utf-8"])
def test_what_an_encoding_lacks_is_escaped(tmp_path: Path, encoding: str) -> None:
    graph = pbslim.load(DIGITS)
    graph.rename({graph["fc1/kernel"]: "weiß→猫", graph["class"]: "weiter→"})
    pbslim.save(graph, tmp_path / "g.pb")
    (tmp_path / "digits.pb").write_bytes(DIGITS.read_bytes())
    shrink = "shrink g.pb -o o.pb --effort least --no-verify"
    for command in ("inspect g.pb", "inspect g.pb --json", "diff g.pb digits.pb", shrink):
        env = {**os.environ, "PYTHONIOENCODING": encoding}
        done = subprocess.run([*MAIN, *command.split()], capture_output=True, check=False, cwd=tmp_path, env=env)
        assert done.returncode in (0, 1), done.stderr
        assert "wei" in done.stdout.decode(encoding)
        assert b"Traceback" not in done.stderr


@posix
def test_interrupted_while_it_starts() -> None:
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    for delay in (0.1, 0.2, 0.3):
        code = (
            "import os, signal, threading, sys; from pbslim.cli import main;"
            f"threading.Timer({delay}, lambda: os.kill(os.getpid(), signal.SIGINT)).start();"
            f"main(['benchmark', {str(DIGITS)!r}, '--engine', 'builtin', '--runs', '100000'])"
        )
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, env=env, check=False, timeout=60)
        assert (done.returncode, done.stderr.strip()) == (130, b"error: interrupted")


def test_an_interrupt_that_comes_while_something_goes() -> None:
    code = """
import signal, time
from pbslim import cli

class Something:
    def __del__(self):
        signal.raise_signal(signal.SIGINT)

def command(*_):
    Something()
    time.sleep(60)

cli._command = command
cli.main([])
"""
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, env=env, check=False, timeout=50)
    assert (done.returncode, done.stderr.strip()) == (130, b"error: interrupted")


@pytest.mark.slow
@posix
def test_terminated_while_it_writes_to_a_pipe(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    env = {**os.environ, "TMPDIR": str(tmp_path)}
    argv = [*MAIN, "shrink", str(DIGITS), "-o", str(tmp_path / "pipe"), "--effort", "least", "--no-verify"]
    child = subprocess.Popen(argv, env=env, stderr=subprocess.PIPE, stdout=subprocess.PIPE)
    while child.poll() is None and not [path for path in tmp_path.iterdir() if path.suffix == ".part"]:
        time.sleep(0.01)
    time.sleep(0.3)  # nobody reads the pipe
    child.send_signal(signal.SIGTERM)
    _, err = child.communicate()
    assert (child.returncode, err) == (-signal.SIGTERM, b"")
    assert [path.name for path in tmp_path.iterdir()] == ["pipe"]


NAME = "a\x1b[31m\x07\x7f\x9b2J\r\n\u202eb\u2066\u061c\u00adc"
SEEN = r"a\x1b[31m\x07\x7f\x9b2J\r\n\u202eb\u2066\u061c\xadc"


def test_what_is_printable_stays() -> None:
    for text in ("", "plain", "weiß 猫 🐈", "a\\nb", "quotes \"'"):
        assert printable(text) == text
    assert printable(NAME) == SEEN
    assert printable("a\n\tb\x1b", keep="\n") == "a\n\\tb\\x1b"
    assert printable("\udcff") == "\\udcff"


def test_names_are_escaped_wherever_they_are_printed(tmp_path: Path) -> None:
    graph = pbslim.load(DIGITS)
    graph.rename({graph["fc1/kernel"]: NAME})
    graph["conv1/conv2d/kernel"].set_device(NAME)
    graph.add(f"{NAME}2", f"Op{NAME}", [graph["input"].output()])
    path = tmp_path / "g.pb"
    pbslim.save(graph, path)
    assert SEEN in str(graph)
    for command in (
        f"inspect {path}",
        f"summarize_graph --in_graph={path} --print_structure",
        f"diff {path} {DIGITS}",
        f"diff {path} {DIGITS} --by-op",
        f"compare_graphs {path} {DIGITS} --all",
        f"ops {path}",
        f"ops {path} --since=1.4 --nodes",
        f"transform_graph --in_graph={path} --out_graph={tmp_path / 'o.pb'} --transforms=remove_device --explain",
    ):
        for options in ([], ["--json"]):
            done = commands.run(*command.split(), *options)
            text = (done.out + done.err).replace("\n", "")
            assert done.code in (0, 1), done
            assert text.isprintable(), [char for char in text if not char.isprintable()]
    assert NAME in [each["name"] for each in json.loads(commands.run("inspect", path, "--json").out)["biggest"]]
    commands.run("graph_to_dot", f"--graph={path}", f"--dot_output={tmp_path / 'g.dot'}")
    drawing = (tmp_path / "g.dot").read_text()
    assert drawing.replace("\n", "").isprintable()
    assert SEEN.replace("\\", "\\\\") in drawing
