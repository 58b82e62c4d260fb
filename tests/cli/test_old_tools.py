"""The tools of old: how their flags may be spelled, and how each ends on what it cannot read or write."""

from __future__ import annotations

import gc
import json
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

import pbslim
from pbslim import cli
from tests.cli.test_commands import write
from tests.graphs import parse

GRAPH = "x = Placeholder()\nw = Const([-1, 2])\ny = Mul(x, w)\n-> y"
WRITERS = {
    "optimize_for_inference": ("--input={}", "--output={}", "--input_names=x", "--output_names=y"),
    "quantize_graph": ("--input={}", "--output={}", "--output_node_names=y", "--mode=weights"),
    "strip_unused": ("--input_graph={}", "--output_graph={}", "--input_node_names=x", "--output_node_names=y"),
    "graph_to_dot": ("--graph={}", "--dot_output={}"),
}
READERS = {
    "summarize_graph": ("--in_graph={}", "--print_structure"),
    "compare_graphs": ("{}", "{}"),
    "print_selective_registration_header": ("--graphs={}",),
}


class Ended(NamedTuple):
    code: object
    out: str
    err: str


@pytest.fixture(autouse=True)
def _collected() -> Iterator[None]:
    yield
    gc.enable()  # programs switch it off


def ended(capsys: pytest.CaptureFixture[str], program: str, *args: object) -> Ended:
    with pytest.raises(SystemExit) as stopped:
        cli.main([program, *map(str, args)])
    return Ended(stopped.value.code, *capsys.readouterr())


@pytest.fixture
def model(tmp_path: Path) -> Path:
    return write(tmp_path / "model.pb", GRAPH)


@pytest.mark.parametrize("program", [*WRITERS, *READERS])
def test_what_is_no_graph(program: str, model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out, bad = tmp_path / "out", tmp_path / "bad.pb"
    whole = model.read_bytes()
    contents = {"empty": b"", "cut off": whole[: len(whole) // 2], "text": b"hello\nworld\n", "twice": whole * 2}
    contents["random"] = bytes(range(255, 0, -1))
    for name, content in contents.items():
        bad.write_bytes(content)
        args = [text.format(path) for text, path in zip((WRITERS | READERS)[program], (bad, out), strict=False)]
        done = ended(capsys, program, *args, *(WRITERS | READERS)[program][2:])
        assert (done.code, done.out, done.err.count("\n"), out.exists()) == (2, "", 1, False), name
        assert "bad.pb" in done.err
    for missing in (tmp_path / "none.pb", tmp_path):
        args = [text.format(missing) for text in (WRITERS | READERS)[program]]
        done = ended(capsys, program, *args)
        assert (done.code, done.out, done.err.count("\n")) == (2, "", 1)


@pytest.mark.parametrize("program", WRITERS)
def test_where_it_cannot_write(program: str, model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = model.read_bytes()
    (tmp_path / "link.pb").symlink_to(model)
    given, written, *names = WRITERS[program]
    for target, says in (
        (model, "is the input, which stays as it is"),
        (tmp_path / "link.pb", "is the input, which stays as it is"),
        (tmp_path / "none" / "out.pb", "No such file or directory"),
        (tmp_path, "is a directory"),
        ("", "a file name cannot be empty"),
    ):
        done = ended(capsys, program, given.format(model), written.format(target), *names)
        assert (done.code, done.out, done.err.count("\n")) == (2, "", 1)
        assert says in done.err
    assert model.read_bytes() == before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["link.pb", "model.pb"]


@pytest.mark.parametrize("program", [*WRITERS, *READERS])
def test_flags_that_are_not_there(program: str, capsys: pytest.CaptureFixture[str]) -> None:
    for args in (["--unknown=1"], ["--no"], ["stray", "stray", "stray"]):
        done = ended(capsys, program, *args)
        assert (done.code, done.out, done.err.count("\n")) == (2, "", 1)
    assert ended(capsys, program, "-h").out.startswith(f"Usage: pbslim {program} ")


def test_beginnings_of_flags_and_flags_with_no(model: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = model.with_name("out.pb")
    args = ("--input_g", model, f"--output_g={out}", "--input_no=x", "--output_no", "y")
    assert ended(capsys, "strip_unused", *args, "--nooutput_binary").out == "3 ops in the final graph.\n"
    assert out.read_text().startswith("node {")
    done = ended(capsys, "strip_unused", *args, "--output=n")  # one of three
    assert (done.code, done.err.count("\n")) == (2, 1)
    both = ("--noinput_binary", "--input_binary")
    assert ended(capsys, "graph_to_dot", f"--graph={model}", *both, "--dot", out).code == 0
    mode = ("--mode=eightbit", "--nostrip_redundant_quantization", "--noprint_nodes", "--test_input_dims=1,2")
    write(model, "x = Placeholder()\na = Relu(x)\nb = Relu6(a)\n-> b")
    assert ended(capsys, "quantize_graph", f"--input={model}", f"--output={out}", "--output_node=b", *mode).code == 0
    assert sum(node.op == "QuantizeV2" for node in pbslim.load(out)) == 2


def test_strip_unused(model: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out, names = model.with_name("out.pb"), WRITERS["strip_unused"][2:]
    args = (f"--input_graph={model}", f"--output_graph={out}", *names)
    assert ended(capsys, "strip_unused", *args) == (0, "3 ops in the final graph.\n", "")
    assert len(pbslim.load(out)) == len(parse(GRAPH)[0])
    done = ended(capsys, "strip_unused", *args, "--placeholder_type_enum=9")
    assert done.err == "note: input 'x' is a placeholder of type float and stays one\n"
    done = ended(capsys, "strip_unused", *args, "--placeholder_type_enum=1,2")
    assert (done.code, "not a valid integer" in done.err) == (2, True)


@pytest.mark.parametrize("program", ["optimize_for_inference", "quantize_graph", "strip_unused"])
def test_json(program: str, model: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = model.with_name("out.pb")
    given, written, *names = WRITERS[program]
    content = json.loads(ended(capsys, program, given.format(model), written.format(out), *names, "--json").out)
    assert content["bytes"] == out.stat().st_size
    assert content["steps"][-1]["nodes_after"] == len(pbslim.load(out))


def test_the_folder_of_a_text_is_made(model: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = model.with_name("none") / "there" / "out.pbtxt"
    args = (f"--input={model}", f"--output={out}", *WRITERS["optimize_for_inference"][2:])
    assert ended(capsys, "optimize_for_inference", *args, "--frozen_graph=false").code == 0
    assert out.exists()
