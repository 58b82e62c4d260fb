"""Graphs in a process of their own: what ends it, and what it leaves."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

import pbslim
from pbslim.engines.apart import ProgramApart
from pbslim.errors import PbslimError, UsageError
from tests.graphs import parse

needs_proc = pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="there is no /proc to look at")
ENDLESS = (
    "x = Placeholder(shape=[])\nq = FIFOQueueV2(component_types=['float'])\n"
    "y = QueueDequeueV2(q, component_types=['float'])\nz = Add(y, x)\n-> z"
)
SLOW = (
    "m0 = Placeholder(shape=[2000, 2000])\n"
    + "\n".join(f"m{i + 1} = MatMul(m{i}, m0)" for i in range(200))
    + "\n-> m200"
)


def _write(folder: Path, text: str) -> Path:
    path = folder / "g.pb"
    pbslim.save(parse(text)[0], path)
    return path


def _program(path: Path, engine: str = "builtin", timeout: float = 60) -> ProgramApart:
    return ProgramApart(engine, path, label="model.pb", timeout=timeout)


def test_runs_many_times_and_any_tensor(tmp_path: Path) -> None:
    path = _write(tmp_path, "x = Placeholder(shape=[2])\ny = Neg(x)\nz = Mul(y, y)\n-> z")
    with _program(path) as program:
        for number in (1.0, 2.0):
            found = program.run({"x": np.full(2, number, np.float32)}, ["z", "y"])
            assert [each.tolist() for each in found] == [[number**2] * 2, [-number] * 2]


def test_errors_come_back_with_the_name_of_the_file(tmp_path: Path) -> None:
    path = _write(tmp_path, "x = Placeholder(shape=[2])\ny = Neg(x)\n-> y")
    with _program(path) as program, pytest.raises(UsageError, match="fed for input 'x'"):
        program.run({}, ["y"])
    with _program(tmp_path / "none.pb") as program, pytest.raises(PbslimError, match=r"model\.pb"):
        program.wait()


@pytest.mark.parametrize(
    ("engine", "text", "feeds", "fetch"),
    [
        ("builtin", SLOW, {"m0": np.zeros((2000, 2000), np.float32)}, "m200"),
        pytest.param("tensorflow", ENDLESS, {"x": np.zeros((), np.float32)}, "z", marks=pytest.mark.tensorflow),
    ],
)
def test_what_does_not_end_is_ended(
    tmp_path: Path, engine: str, text: str, feeds: dict[str, np.ndarray], fetch: str
) -> None:
    with _program(_write(tmp_path, text), engine) as program:
        program.wait()
        program.timeout = 1
        started = time.monotonic()
        with pytest.raises(PbslimError, match=r"'model\.pb' did not run within 1 s"):
            program.run(feeds, [fetch])
        assert time.monotonic() - started < 10


def _children(pid: int) -> list[int]:
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            fields = (folder / "stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(fields[1]) == pid and fields[0] != "Z":
            found.append(int(folder.name))
    return found


def _is_alive(pid: int) -> bool:
    try:
        return (Path("/proc") / str(pid) / "stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


@pytest.mark.tensorflow
@needs_proc
@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT])
def test_the_processes_end_with_the_one_that_started_them(tmp_path: Path, how: signal.Signals) -> None:
    path = _write(tmp_path, SLOW)
    code = f"from pbslim.cli import main; main(['verify', {str(path)!r}, {str(path)!r}])"
    environment = {**os.environ, "TMPDIR": str(tmp_path)}
    parent = subprocess.Popen([sys.executable, "-c", code], stderr=subprocess.PIPE, text=True, env=environment)
    children: list[int] = []
    end = time.monotonic() + 60
    while len(children) < 2 and time.monotonic() < end:
        children = _children(parent.pid)
        time.sleep(0.05)
    assert len(children) == 2
    parent.send_signal(how)
    _, told = parent.communicate(timeout=20)
    if how is signal.SIGINT:
        assert (parent.returncode, told.strip()) == (130, "error: interrupted")
    while any(map(_is_alive, children)) and time.monotonic() < end:
        time.sleep(0.05)
    assert not any(map(_is_alive, children))
