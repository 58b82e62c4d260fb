"""The programs as people call them: what they print, what they leave behind, how they end."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

import pbslim
from pbslim import cli
from tests import commands
from tests.graphs import parse
from tests.shared import ROOT

DIGITS = ROOT / "examples" / "digits.pb"


def run(*args: object, program: str = "main") -> subprocess.CompletedProcess[str]:
    """What a program does, within this process: starting one takes longer than most commands."""
    done = commands.run(*args, program=getattr(cli, program))
    return subprocess.CompletedProcess([program, *map(str, args)], int(str(done.code)), done.out, done.err)


def start(*args: object, program: str = "main") -> subprocess.CompletedProcess[str]:
    """The same in a process of its own."""
    code = f"import sys; from pbslim.cli import {program}; {program}(sys.argv[1:])"
    return subprocess.run([sys.executable, "-c", code, *map(str, args)], capture_output=True, text=True, check=False)


def write(path: Path, text: str) -> Path:
    pbslim.save(parse(text)[0], path)
    return path


def test_version_loads_nothing_heavy() -> None:
    code = "import sys; from pbslim.cli import main\ntry: main(['--version'])\nfinally: print('numpy' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == ["pbslim 0.1.0", "False"]


def test_the_article_recipe_as_people_copy_it(tmp_path: Path) -> None:
    out = tmp_path / "optimized_graph.pb"
    transforms = """
        strip_unused_nodes(type=float, shape="256*64")
        remove_nodes(op=Identity, op=CheckNumerics)
        fold_constants(ignore_errors=true)
        fold_batch_norms
        fold_old_batch_norms
        round_weights(num_steps=256)"""
    done = start(
        f"–in_graph={DIGITS}",
        f"—out_graph={out}",
        "--inputs=“input”",
        "–outputs=class",
        f"--transforms={transforms}",
        program="transform_graph",
    )
    assert done.returncode == 0, done.stderr
    notes = done.stderr.splitlines()
    assert "note: typographic dashes before options were read as --" in notes
    assert 'note: shape="256*64": dimensions are separated by commas; read as [256,64]' in notes
    assert 0 < len(pbslim.load(out)) < len(pbslim.load(DIGITS))


@pytest.mark.parametrize("recipe", ["optimize", "round", "eight-bit", "round-legacy", "eight-bit-legacy"])
def test_shrink_tells_what_it_did(tmp_path: Path, recipe: str) -> None:
    out = tmp_path / "small.pb"
    done = run("shrink", DIGITS, "-o", out, "--recipe", recipe)
    assert done.returncode == 0, done.stderr
    assert "input   input float [?,8,8,1]" in done.stdout
    assert "output  class" in done.stdout
    for row in ("nodes", "constants", "bytes", "zipped"):
        assert any(line.split()[:1] == [row] for line in done.stdout.splitlines())
    assert f"{out} written in" in done.stdout.replace("\n", "")


def test_shrink_cuts_at_inner_tensors(tmp_path: Path) -> None:
    text = "x = Placeholder()\ns = Split(a, x, num_split=2)\na = Const(0, dtype='int32')\ny = Add(s:1, b)\nb = Neg(x)"
    source, out = write(tmp_path / "in.pb", text), tmp_path / "out.pb"
    done = run("shrink", source, "-o", out, "--recipe", "optimize", "--input", "s:1:float[?,3],b", "--outputs", "y")
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[:2] == ["input   s float [?,3]", "input   b float ?"]
    assert sorted(node.name for node in pbslim.load(out)) == ["b", "s", "y"]


def test_files_that_tensorflow_does_not_load_are_repaired_or_named(tmp_path: Path) -> None:
    text = "x = Placeholder()\nw = Const([1])\nv = ReadVariableOp(w, dtype='float')\ny = Add(x, v)\nz = Add(y)\n-> z"
    source, out = write(tmp_path / "in.pb", text), tmp_path / "out.pb"
    advice = json.loads(run("inspect", source, "--json").stdout)["advice"]
    assert "2 nodes do not fit their ops, so TensorFlow does not load the graph: 'v' (ReadVariableOp)" in str(advice)
    done = run("shrink", source, "-o", out, "--recipe", "round")
    assert done.returncode == 0
    assert "note: repaired 'v' (ReadVariableOp): input 0 is 'w', which is float, not resource" in done.stderr
    assert "note: TensorFlow does not load this graph: 'z' (Add): it has 1 input, expected 2" in done.stderr
    assert run("ops", source, "--since", "2.21").returncode == 1


def test_shrink_json(tmp_path: Path) -> None:
    done = run("shrink", DIGITS, "-o", tmp_path / "small.pb", "--recipe=round-legacy", "--json")
    content = json.loads(done.stdout)
    assert content["after"]["size"] == (tmp_path / "small.pb").stat().st_size
    assert [step["step"].partition("(")[0] for step in content["steps"]][-1] == "round_weights"


def test_inspect() -> None:
    content = json.loads(run("inspect", DIGITS, "--json").stdout)
    assert content["nodes"] == 84
    assert content["parameters"] > 100_000
    assert [endpoint["name"] for endpoint in content["inputs"]] == ["input"]
    assert run("inspect", DIGITS).stdout.count("Const") >= 1


def test_transforms_prints_manuals() -> None:
    assert "round_weights" in run("transforms").stdout
    assert "num_steps: int = 256" in run("transforms", "round_weights").stdout


BAD = {
    "empty": (b"", "empty file"),
    "random": (bytes(range(256)) * 20, "is not a frozen graph"),
    "truncated": (DIGITS.read_bytes()[:100_000], "damaged or truncated"),
    "saved model": (b"\x08\x01\x12" + DIGITS.read_bytes()[:1000], "SavedModel"),
    "tflite": (b"\x1c\0\0\0TFL3" + bytes(100), "TensorFlow Lite"),
    "hdf5": (b"\x89HDF\r\n\x1a\n" + bytes(100), "HDF5"),
    "onnx": (b"\x08\x07\x12\x07pytorch\x3a\x05hello", "ONNX"),
    "broken text": (b"node { name: 'x' op: }", "text form"),
}


@pytest.mark.parametrize(("content", "says"), BAD.values(), ids=BAD)
@pytest.mark.parametrize("command", ["shrink", "transform_graph", "inspect"])
def test_a_bad_file_gives_one_line(tmp_path: Path, content: bytes, says: str, command: str) -> None:
    source, out = tmp_path / "in.pb", tmp_path / "out.pb"
    source.write_bytes(content)
    args = {
        "shrink": ["shrink", source, "-o", out],
        "transform_graph": ["transform_graph", "--in_graph", source, "--out_graph", out, "--transforms=remove_device"],
        "inspect": ["inspect", source],
    }[command]
    done = run(*args)
    assert_refused(done, out, says)


def assert_refused(done: subprocess.CompletedProcess[str], out: Path, says: str) -> None:
    assert done.returncode == 2, done
    assert len(done.stderr.splitlines()) == 1, done.stderr
    assert done.stderr.startswith("error: ")
    assert says in done.stderr
    assert not done.stdout
    assert not out.exists()
    assert not list(out.parent.glob("*.part"))


LINE = "x = Placeholder()\ny = Neg(x)\n-> y"


@pytest.mark.parametrize(
    ("graph", "options", "says"),
    [
        (LINE, ["--transforms=remove_everything"], "unknown transform 'remove_everything'"),
        (LINE, ["--transforms=fold_constant"], "did you mean 'fold_constants'?"),
        (LINE, ["--transforms=remove_nodes(op)"], "expected '=' after 'op'"),
        (LINE, ["--transforms="], "--transforms names no transform"),
        (LINE, ["--transforms=strip_unused_nodes", "--outputs=nope"], "output 'nope' is not in the graph"),
        (LINE, ["--transforms=fold_constants", "--outputs=y", "--inputs=nope"], "input 'nope' is not in the graph"),
        (LINE, ["--transforms=remove_device", "--outputs=a,,b"], "empty name"),
        (LINE, ["--transforms=remove_device", "--no_such_flag=1"], "No such option"),
        (LINE, ["--transforms=round_weights(num_steps=2.5)"], "'num_steps' must be a whole number, not '2.5'"),
        ("a = Neg(b)\nb = Neg(a)\n-> a", ["--transforms=remove_device"], "cycle: 'a' → 'b' → 'a'"),
        ("y = Neg(gone)\n-> y", ["--transforms=remove_device"], "'y' reads 'gone', which is not in the graph"),
    ],
)
def test_a_mistake_gives_one_line(tmp_path: Path, graph: str, options: list[str], says: str) -> None:
    source, out = write(tmp_path / "in.pb", graph), tmp_path / "out.pb"
    assert_refused(run(f"--in_graph={source}", f"--out_graph={out}", *options, program="transform_graph"), out, says)


def test_duplicate_names_are_refused(tmp_path: Path) -> None:
    source = write(tmp_path / "in.pb", LINE)
    source.write_bytes(source.read_bytes() * 2)
    assert_refused(run("shrink", source, "-o", tmp_path / "out.pb"), tmp_path / "out.pb", "two nodes named 'x'")


def test_a_directory_and_a_missing_file(tmp_path: Path) -> None:
    assert_refused(run("inspect", tmp_path), tmp_path / "out.pb", "is a directory")
    assert_refused(run("inspect", tmp_path / "no.pb"), tmp_path / "out.pb", "No such file")
    (tmp_path / "saved_model.pb").touch()
    assert_refused(run("inspect", tmp_path), tmp_path / "out.pb", "is not a SavedModel")


def test_missing_names_suggest_the_nearest(tmp_path: Path) -> None:
    out = tmp_path / "out.pb"
    done = run("shrink", DIGITS, "-o", out, "--outputs=clas")
    assert_refused(done, out, "the graph has no node 'clas', did you mean 'class'?")


def test_the_input_is_never_written(tmp_path: Path) -> None:
    source = tmp_path / "in.pb"
    source.write_bytes(DIGITS.read_bytes())
    done = run("shrink", source, "-o", source)
    assert done.returncode == 2
    assert source.read_bytes() == DIGITS.read_bytes()


def test_dry_run_writes_nothing(tmp_path: Path) -> None:
    out = tmp_path / "out.pb"
    options = [f"--in_graph={DIGITS}", f"--out_graph={out}", "--transforms=round_weights", "--dry_run"]
    done = run(*options, program="transform_graph")
    assert done.returncode == 0
    assert "round_weights" in done.stdout
    assert not out.exists()


def test_text_form_both_ways(tmp_path: Path) -> None:
    text, back = tmp_path / "g.pbtxt", tmp_path / "back.pb"
    source = write(tmp_path / "in.pb", LINE)
    for a, b, flags in ((source, text, ["--output_as_text"]), (text, back, ["--output_as_text=false"])):
        done = run(
            f"--in_graph={a}", f"--out_graph={b}", "--transforms=remove_device", *flags, program="transform_graph"
        )
        assert done.returncode == 0, done.stderr
    assert text.read_text().startswith("node {")
    assert [node.name for node in pbslim.load(back)] == ["x", "y"]


@pytest.mark.tensorflow
def test_verify_finds_a_difference(tmp_path: Path) -> None:
    pytest.importorskip("tensorflow")
    one = write(tmp_path / "a.pb", "x = Placeholder(shape=[2])\nc = Const([1, 2])\ny = Add(x, c)\n-> y")
    two = write(tmp_path / "b.pb", "x = Placeholder(shape=[2])\nc = Const([1, 3])\ny = Add(x, c)\n-> y")
    assert run("verify", one, one).returncode == 0
    done = run("verify", one, two)
    assert done.returncode == 1
    assert "off by 1" in done.stdout


# quantize_graph and strip_unused


def test_quantize_graph_as_people_copy_it(tmp_path: Path) -> None:
    out = tmp_path / "rounded_graph.pb"
    args = [f"–input={DIGITS}", f"–output={out}", "–output_node_names=class", "–mode=weights_rounded"]
    done = run(*args, program="quantize_graph")
    assert done.returncode == 0, done.stderr
    assert done.stderr.splitlines() == ["note: typographic dashes before options were read as --"]
    assert not done.stdout
    assert 0 < len(pbslim.load(out)) <= len(pbslim.load(DIGITS))


@pytest.mark.parametrize("form", [[], ["--output_binary=false"]])
def test_strip_unused(tmp_path: Path, form: list[str]) -> None:
    source = write(tmp_path / "in.pb", "f = Placeholder()\nx = Neg(f)\ny = Neg(x)\nz = Neg(y)\n-> z")
    out = tmp_path / "out.pb"
    args = [f"--input_graph={source}", f"--output_graph={out}", "--input_node_names=x", "--output_node_names=y", *form]
    done = run(*args, "--input_binary=true", program="strip_unused")
    assert (done.returncode, done.stdout, done.stderr) == (0, "2 ops in the final graph.\n", "")
    assert out.read_bytes().startswith(b"node {") is bool(form)
    assert [node.op for node in pbslim.load(out)] == ["Placeholder", "Neg"]


def test_quantize_graph_takes_all_flags_and_text(tmp_path: Path) -> None:
    text, out = tmp_path / "in.pbtxt", tmp_path / "out.pb"
    graph = "x = Placeholder(shape=[1])\nb = Const([1])\ny = BiasAdd(x, b)\nz = Relu(y, T='half')\n-> z"
    pbslim.save(parse(graph)[0], text, as_text=True)
    flags = ["--mode=eightbit", "--bitdepth=4", "--strip_redundant_quantization=false", "--quantized_input"]
    flags += ["--quantized_input_min=-1", "--quantized_input_max=2", "--quantized_fallback_min=-3"]
    flags += ["--quantized_fallback_max=3", "--print_nodes", "--test_input_dims=1,2", "--explain"]
    done = run("quantize_graph", f"--input={text}", f"--output={out}", "--output_node_names=z", *flags)
    assert done.returncode == 0, done.stderr
    assert done.stderr.splitlines() == ["quantize_graph: 'z': it works on half, only float is quantized"]
    made = pbslim.load(out)
    assert [float(node.tensor().numpy()) for node in list(made)[-4:]] == [-1, 2, -3, 3]
    assert "QuantizeV2" in {node.op for node in made}


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (["--mode=sixbit"], "mode is 'sixbit', not one of round, weights, weights_rounded, eightbit"),
        (["--mode=quantize"], "mode 'eightbit' does what it was meant to"),
        (["--mode=weights", "--output_node_names=nope"], "no node 'nope'"),
        (["--mode=weights", "--quantized_input"], "quantized_input_range goes with mode eightbit only"),
        (["--mode=eightbit", "--quantized_fallback_min=1"], "--quantized_fallback_max, or neither"),
        (["--mode=eightbit", "--quantized_fallback_min=1", "--quantized_fallback_max=0"], "1.0 is not below 0.0"),
        (["--mode=weights_rounded", "--bitdepth=eight"], "'eight' is not a valid integer"),
    ],
)
def test_quantize_graph_mistakes(tmp_path: Path, options: list[str], says: str) -> None:
    source, out = write(tmp_path / "in.pb", LINE), tmp_path / "out.pb"
    args = [f"--input={source}", f"--output={out}", "--output_node_names=y", *options]
    assert_refused(run(*args, program="quantize_graph"), out, says)
