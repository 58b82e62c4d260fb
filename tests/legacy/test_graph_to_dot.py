"""graph_to_dot: nodes, arrows, escapes."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from shutil import which

import pytest

import pbslim
from pbslim.legacy.graph_to_dot import graph_to_dot
from tests.cli.test_commands import DIGITS, run

GRAPH = b"""
node { name: 'x' op: 'Placeholder' }
node { name: 'y' op: 'Add' input: 'x:0' input: 'x' input: '^x' }
"""


def test_a_graph() -> None:
    assert graph_to_dot(pbslim.load(GRAPH)) == (
        "digraph graphname {\n"
        '  "x" [label="Placeholder"];\n'
        '  "y" [label="Add"];\n'
        '  "x" -> "y";\n'
        '  "x" -> "y";\n'
        '  "x" -> "y" [style=dashed];\n'
        "}\n"
    )


def test_quotes_and_backslashes() -> None:
    text = graph_to_dot(pbslim.load(rb"""node { name: 'a"b\\' op: 'F"' }"""))
    assert r'  "a\"b\\" [label="F\""];' in text


def test_the_program(tmp_path: Path) -> None:
    out = tmp_path / "graph.dot"
    done = run(f"--graph={DIGITS}", "--input_binary=true", f"--dot_output={out}", program="graph_to_dot")
    assert (done.returncode, done.stdout, done.stderr) == (0, f"Created DOT file '{out}'.\n", "")
    graph = pbslim.load(DIGITS)
    text = out.read_text()
    assert len(re.findall(r"\[label=", text)) == len(graph)
    assert text.count(" -> ") == sum(len(node.inputs) + len(node.controls) for node in graph)


@pytest.mark.parametrize(
    ("args", "says"),
    [
        (["--graph=nothing.pb", "--dot_output=x.dot"], "Input graph file 'nothing.pb' does not exist!"),
        ([f"--graph={DIGITS}"], "name the file to write with --dot_output"),
        (["--dot_output=x.dot"], "Missing option '--graph'"),
    ],
)
def test_errors(args: list[str], says: str) -> None:
    done = run(*args, program="graph_to_dot")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("error: ")
    assert says in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_a_picture(tmp_path: Path) -> None:
    pytest.importorskip("graphviz")
    out = tmp_path / "graph.svg"
    done = run(f"--graph={DIGITS}", f"--svg_output={out}", program="graph_to_dot")
    if which("dot"):
        assert done.returncode == 0, done.stderr
        assert b"<svg" in out.read_bytes()
    else:
        assert done.returncode == 2
        assert "Graphviz" in done.stderr
        assert not out.exists()


def test_a_picture_without_graphviz(tmp_path: Path) -> None:
    code = "import sys; sys.modules['graphviz'] = None; from pbslim.cli import graph_to_dot; graph_to_dot(sys.argv[1:])"
    args = [f"--graph={DIGITS}", f"--svg_output={tmp_path / 'graph.svg'}"]
    done = subprocess.run([sys.executable, "-c", code, *args], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (2, "")
    assert "pip install 'pbslim[graphviz]'" in done.stderr
