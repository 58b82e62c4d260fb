"""A graph is run once, from Python and from the command line."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import pbslim
from pbslim.errors import UsageError
from tests.graphs import parse
from tests.shared import ROOT

GRAPH = """
    x = Placeholder(shape=[-1, 2])
    w = Const([[1, 2], [3, 4]])
    y = MatMul(x, w)
    z = Relu(y)
"""
TWO = "x = Placeholder()\ny = Placeholder()\nz = Add(x, y)"
X = np.array([[1, -2]], np.float32)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    pbslim.save(parse(GRAPH)[0], tmp_path / "g.pb")
    np.savez(tmp_path / "x.npz", x=X)
    np.save(tmp_path / "x.npy", X)
    return tmp_path / "g.pb"


def test_files_and_objects(file: Path) -> None:
    graph = pbslim.load(file)
    for source in (graph, file, str(file)):
        for feeds in ({"x": X}, file.with_name("x.npz"), str(file.with_name("x.npy"))):
            found = pbslim.run(source, feeds)
            assert {name: array.tolist() for name, array in found.items()} == {"z": [[0, 0]]}
    assert pbslim.run(graph, {"x": X}, ["y", "w:0"])["y"].tolist() == [[-5, -6]]
    assert pbslim.run(graph, {"y": X}, engine="builtin")["z"].tolist() == [[1, 0]]


@pytest.mark.parametrize(
    ("text", "feeds", "outputs", "message"),
    [
        (TWO, {"x": X}, None, "no value is fed for input 'y'"),
        (TWO, {}, None, "no value is fed for inputs 'x', 'y'"),
        (GRAPH, {"X": X}, None, "the graph has no node 'X'"),
        (GRAPH, {"x": X}, ["zz"], "the graph has no node 'zz', did you mean 'z'?"),
        (GRAPH, {"x": X.T}, None, r"input 'x' takes the shape \[\?,2\], it is fed \[2, 1\]"),
        ("v = VariableV2(dtype='float')\nz = Neg(v)", {}, ["z"], "the graph is not frozen"),
        ("x = Placeholder()\nz = Frobnicate(x)", {"x": X}, None, r"cannot run node 'z' \(Frobnicate\): there is no"),
    ],
)
def test_mistakes(text: str, feeds: dict[str, np.ndarray], outputs: list[str] | None, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        pbslim.run(parse(text)[0], feeds, outputs, engine="builtin")


def test_an_npy_file_is_for_one_input(file: Path) -> None:
    with pytest.raises(UsageError, match=r"an \.npy file is for one input, the graph has 2: x, y"):
        pbslim.run(parse(TWO)[0], file.with_name("x.npy"))


def command(*args: object) -> subprocess.CompletedProcess[str]:
    line = [sys.executable, "-m", "pbslim", "run", *map(str, args)]
    return subprocess.run(line, capture_output=True, text=True, check=False)


@pytest.mark.slow
def test_the_command_writes_what_it_computes(file: Path) -> None:
    out = file.with_name("out.npz")
    done = command(file, "--feeds", file.with_name("x.npz"), "-o", out, "--outputs", "z,y", "--json")
    assert json.loads(done.stdout) == {name: {"dtype": "float32", "shape": [1, 2]} for name in ("z", "y")}
    with np.load(out) as arrays:
        assert arrays["y"].tolist() == [[-5, -6]]
    done = command(file, "--feeds", file.with_name("x.npy"), "-o", file.with_name("y.npy"))
    assert "float32" in done.stdout
    assert "written" in done.stdout
    assert np.load(file.with_name("y.npy")).tolist() == [[0, 0]]


def test_the_command_leaves_nothing_where_it_fails(file: Path) -> None:
    out = file.with_name("out.npz")
    done = command(file, "--feeds", file.with_name("x.npz"), "-o", out, "--outputs", "nowhere")
    assert done.returncode == 2
    assert done.stderr.strip() == "error: the graph has no node 'nowhere'"
    assert not out.exists()


def test_the_example_needs_no_tensorflow(tmp_path: Path) -> None:
    with np.load(ROOT / "examples" / "digits_eval.npz") as arrays:
        np.savez(tmp_path / "x.npz", input=arrays["input"])
        labels = arrays["labels"]
    code = (
        "import sys; sys.modules['tensorflow'] = None; from pbslim.cli import main; "
        f"main(['run', {str(ROOT / 'examples' / 'digits.pb')!r}, '--feeds', {str(tmp_path / 'x.npz')!r},"
        f" '-o', {str(tmp_path / 'out.npz')!r}])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    with np.load(tmp_path / "out.npz") as arrays:
        assert np.mean(arrays["class"] == labels) > 0.99
