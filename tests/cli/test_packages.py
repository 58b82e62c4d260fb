"""Memory-mapped packages on the command line, and every command that is given one."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import pbslim
from pbslim.ir import ArrayTensor
from tests import commands, functions, packages
from tests.cli.test_commands import DIGITS, run, write
from tests.graphs import parse
from tests.shared import ROOT

PROGRAM = "convert_graphdef_memmapped_format"


def test_as_people_copy_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "rounded_graph.pb").write_bytes(DIGITS.read_bytes())
    done = run("–in_graph=rounded_graph.pb", "–out_graph=mmapped_graph.pb", program=PROGRAM)
    assert (done.returncode, done.stdout) == (0, "")
    assert done.stderr.splitlines() == [
        "Converted 3 nodes",
        "491.52 kB in 3 regions of mmapped_graph.pb",
        "constants that stay in the graph, below the threshold: 26",
        "note: typographic dashes before options were read as --",
    ]
    inspected = run("inspect", "mmapped_graph.pb")
    assert (inspected.returncode, inspected.stderr) == (0, "")
    rows = [line.split() for line in inspected.stdout.splitlines() if "memmapped_package://" in line]
    kernel = "memmapped_package://conv3_conv2d_kernel 73728 4096 221184 float [3, 3, 64, 96] conv3/conv2d/kernel"
    assert kernel.split() in rows
    assert (rows[-1][0], rows[-1][-2:]) == ("memmapped_package://.", ["the", "graph"])
    back = run("unmap", "mmapped_graph.pb", "-o", "graph.pb")
    assert (back.returncode, back.stdout, back.stderr) == (0, "graph.pb written, 512.15 kB\n", "")
    assert (tmp_path / "graph.pb").read_bytes() == DIGITS.read_bytes()


def test_the_bare_name_is_installed() -> None:
    text = (ROOT / "pyproject.toml").read_text()
    assert f'\n{PROGRAM} = "pbslim.cli:{PROGRAM}"\n' in text


@pytest.mark.parametrize("flag", ["min_conversion_tensor_size", "min_conversion_size_bytes"])
def test_both_spellings_and_reasons(tmp_path: Path, flag: str) -> None:
    options = [f"--in_graph={DIGITS}", f"--out_graph={tmp_path / 'g.pbmm'}", f"--{flag}=1", "--explain", "--json"]
    done = run(PROGRAM, *options)
    found = json.loads(done.stdout)
    assert len(found["converted"]) == 18
    assert found["size"] == (tmp_path / "g.pbmm").stat().st_size
    assert found["reasons"] == {"its consumer may write into the mapping": 11}
    reason = "its consumer may write into the mapping: 'fc1_bn/batchnorm/mul' (Mul)"
    assert {"node": "fc1_bn/gamma", "reason": reason} in found["kept"]
    assert f"'fc1_bn/gamma': {reason}" in done.stderr.splitlines()


def test_the_reference_warns_of_what_may_die(tmp_path: Path) -> None:
    done = run(f"--in_graph={DIGITS}", f"--out_graph={tmp_path / 'g'}", "--reference", program=PROGRAM)
    assert "may die" not in done.stderr
    size = "--min_conversion_tensor_size=100"
    done = run(f"--in_graph={DIGITS}", f"--out_graph={tmp_path / 'g'}", "--reference", size, program=PROGRAM)
    assert "note: running the graph may crash on 10 of the mapped constants, for instance of 'conv1/bn" in done.stderr


GIVEN = [f"--in_graph={DIGITS}", "--out_graph=out.pb"]


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (GIVEN[1:], "Missing option '--in_graph'"),
        (GIVEN[:1], "Missing option '--out_graph'"),
        (["--in_graph=", GIVEN[1]], "'--in_graph': a file name cannot be empty"),
        ([GIVEN[0], "--out_graph="], "'--out_graph': a file name cannot be empty"),
        ([*GIVEN, "--min_conversion_tensor_size=0"], "min_conversion_tensor_size must be > 0, not 0"),
        ([*GIVEN, "--min_conversion_size_bytes=-1"], "min_conversion_tensor_size must be > 0, not -1"),
        ([*GIVEN, "--min_conversion_tensor_size=10k"], "'10k' is not a valid integer"),
        ([*GIVEN, "--threshold=3"], "No such option"),
        ([*GIVEN, "more"], "unexpected extra argument"),
        (["--in_graph=no.pb", GIVEN[1]], "cannot read 'no.pb': No such file or directory"),
        ([GIVEN[0], "--out_graph=no/out.pb"], "cannot write 'no/out.pb': No such file or directory"),
        ([GIVEN[0], "--out_graph=."], "cannot write '.': it is a directory"),
    ],
)
def test_mistakes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, options: list[str], says: str) -> None:
    monkeypatch.chdir(tmp_path)
    done = commands.run(PROGRAM, *options)
    assert done.refused, done
    assert says in done.err
    assert not list(tmp_path.iterdir())


def test_the_input_is_never_written(package: Path) -> None:
    before = package.read_bytes()
    for args in (["unmap", package, "-o", package], [PROGRAM, f"--in_graph={package}", f"--out_graph={package}"]):
        done = commands.run(*args)
        assert done.refused, done
        assert f"'{package}' is the input, which stays as it is; name another file" in done.err
    assert package.read_bytes() == before


@pytest.fixture
def package(tmp_path: Path) -> Path:
    path = tmp_path / "digits.pbmm"
    path.write_bytes(packages.convert(DIGITS, tmp_path, 100))
    return path


DAMAGES: dict[str, Callable[[bytes], bytes]] = {
    "cut": lambda data: data[:-100],
    "a byte more": lambda data: data + b"\n",
    "an ordinary file": lambda data: packages.edit_graph(data, name_a_file),
    "names that write on the screen": lambda data: packages.edit_graph(data, name_a_screen),
}


def name_a_file(message: Any) -> None:
    constant = next(node for node in message.node if node.op == "ImmutableConst")
    constant.attr["memory_region_name"].s = b"/etc/passwd"


def name_a_screen(message: Any) -> None:
    constant = next(node for node in message.node if node.op == "ImmutableConst")
    constant.name = "\x1b[2J\n" + "x" * 100_000
    constant.attr["dtype"].type = 7


@pytest.mark.parametrize("damage", DAMAGES)
@pytest.mark.parametrize("command", [["inspect"], ["inspect", "--json"], ["unmap", "-o", "out.pb"]])
def test_a_damaged_package_gives_one_line(
    package: Path, monkeypatch: pytest.MonkeyPatch, command: list[str], damage: str
) -> None:
    monkeypatch.chdir(package.parent)
    package.write_bytes(DAMAGES[damage](package.read_bytes()))
    done = commands.run(*command, package.name)
    assert done.refused, done
    assert f"'{package.name}' is a damaged memory-mapped package: " in done.err
    assert len(done.err) < 3000
    assert not Path("out.pb").exists()


def test_an_old_package_is_remarked_on(package: Path) -> None:
    pieces = packages.take_apart(package.read_bytes())
    for entry in pieces.entries:
        entry.length = 0
    package.write_bytes(pieces.to_bytes())
    done = commands.run("inspect", package)
    assert done.err.startswith("note: the directory has no lengths (an old file, newer runtimes need them)")
    found = json.loads(commands.run("inspect", package, "--json").out)
    assert [region["length"] % 64 for region in found["regions"][:-1]] == [0] * 15
    assert found["advice"]


# Every other command takes a package as the graph that it holds.

NAMES = ["--inputs=input", "--outputs=class"]
COMMANDS = {
    "transform_graph": [
        *NAMES,
        "--transforms=fold_constants fold_batch_norms round_weights",
        "--in_graph",
        "--out_graph",
    ],
    "optimize_for_inference": ["--input_names=input", "--output_names=class", "--input", "--output"],
    "quantize_graph": ["--output_node_names=class", "--mode=eightbit", "--input", "--output"],
    "strip_unused": ["--input_node_names=input", "--output_node_names=class", "--input_graph", "--output_graph"],
    "shrink": ["--recipe=eight-bit-legacy", "", "-o"],
    PROGRAM: ["--min_conversion_size_bytes=1", "--in_graph", "--out_graph"],
    "graph_to_dot": ["--graph", "--dot_output"],
}


@pytest.mark.slow
@pytest.mark.parametrize("command", COMMANDS)
def test_a_package_is_changed_as_its_graph_is(package: Path, command: str) -> None:
    *options, source, target = COMMANDS[command]
    written = []
    for given in (DIGITS, package):
        out = package.parent / "out"
        done = commands.run(command, *options, *filter(None, [source]), given, target, out)
        assert done.code == 0, done.err
        written.append(out.read_bytes())
    assert written[0] == written[1]


@pytest.mark.parametrize(
    "command",
    [
        ["summarize_graph", "--print_structure", "--in_graph"],
        *(["diff", DIGITS], ["compare_graphs", "--all", "--library", DIGITS]),
    ],
    ids=lambda command: command[0],
)
def test_a_package_is_told_about_as_its_graph_is(package: Path, command: list[str]) -> None:
    said = [
        [str(text).replace(str(given), "FILE") for text in commands.run(*command, given)] for given in (DIGITS, package)
    ]
    assert said[0] == said[1]
    assert said[0][1]


def test_what_a_runtime_must_have_for_a_package(package: Path) -> None:
    counts = {each["op"]: each["nodes"] for each in json.loads(commands.run("ops", package, "--json").out)["ops"]}
    plain = {each["op"]: each["nodes"] for each in json.loads(commands.run("ops", DIGITS, "--json").out)["ops"]}
    assert counts == plain | {"Const": 14, "ImmutableConst": 15}
    assert plain["Const"] == 14 + 15
    header = commands.run("print_selective_registration_header", f"--graphs={package}").out
    assert '"ImmutableConstantOp",\n' in header
    assert 'isequal(op, "ImmutableConst")' in header
    said = [commands.run("ops", path, "--since=1.4").out.replace(str(path), "FILE") for path in (DIGITS, package)]
    assert said[0] == said[1]


def test_the_functions_of_a_package_too(tmp_path: Path) -> None:
    body = "w = Const([[1, 2], [3, 4]])\ny = MatMul(a, w:output:0)\n-> r = y:product:0"
    graph = functions.load("x = Placeholder()\ny = F(x)\n-> y", {"F(a: float)": body})
    path = tmp_path / "f.pbmm"
    path.write_bytes(packages.convert(graph, tmp_path))
    found = json.loads(commands.run("ops", path, "--json").out)["ops"]
    assert [(each["op"], each["types"]) for each in found if "Const" in each["op"]] == [("ImmutableConst", ["float"])]


# Proof


def verify(*args: object, folder: Path) -> subprocess.CompletedProcess[str]:
    """Run it with a folder of its own for temporary files, which must be empty afterwards."""
    folder.mkdir(exist_ok=True)
    code = "from pbslim.cli import main; main()"
    command = [sys.executable, "-c", code, "verify", *map(str, args)]
    environment = {**os.environ, "TMPDIR": str(folder)}
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    assert not list(folder.iterdir())
    return done


@pytest.mark.tensorflow
def test_verify_keeps_packages_mapped_and_prints_the_memory(tmp_path: Path) -> None:
    graph, rows = parse("x = Placeholder(shape=[1, 4000])")[0], np.random.default_rng(0)
    weights = ArrayTensor(rows.standard_normal((4000, 4000), np.float32))  # 64 MB
    w = graph.add("w", "Const", attrs={"dtype": weights.dtype, "value": weights})
    graph.add("y", "MatMul", [graph["x"].output(), w.output()], {"T": weights.dtype})
    plain, mapped = tmp_path / "g.pb", tmp_path / "g.pbmm"
    pbslim.save(graph, plain)
    pbslim.convert_graphdef_memmapped_format(plain, mapped)
    done = verify(plain, mapped, "--atol=0", "--rtol=0", folder=tmp_path / "scratch")
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("agrees") == 1
    took = [rf"note: {each} took (.*) of resident memory, (.*) of it private\n" for each in (plain, mapped)]
    notes = re.fullmatch("".join(took), done.stderr)
    if sys.platform == "linux":
        assert notes
        resident, private, mapped_resident, mapped_private = map(megabytes, notes.groups())
        assert private > mapped_private + 64
        assert resident > mapped_resident + 64


def megabytes(text: str) -> float:
    number, unit = text.split()
    return float(number) * {"B": 1e-6, "kB": 1e-3, "MB": 1}[unit]


@pytest.mark.tensorflow
def test_verify_says_when_the_runtime_dies(tmp_path: Path) -> None:
    text = "x = Placeholder(shape=[2])\nw = Const([1, 2])\nn = Neg(w)\ny = Add(x, n)\n-> y"
    plain, mapped = write(tmp_path / "g.pb", text), tmp_path / "g.pbmm"
    pbslim.convert_graphdef_memmapped_format(plain, mapped, min_conversion_tensor_size=1, reference=True)
    done = verify(plain, mapped, folder=tmp_path / "scratch")
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1)
    assert done.stderr.startswith(f"error: TensorFlow crashed on '{mapped}' (SIGSEGV)")
