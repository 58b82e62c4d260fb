"""The header for selective registration, byte for byte that of TensorFlow."""

from __future__ import annotations

import logging
import subprocess
import sys
from pathlib import Path

import pytest

import pbslim
from pbslim.dtypes import FLOAT, HALF, INT32, STRING
from pbslim.errors import UsageError
from pbslim.legacy.print_selective_registration_header import selective_registration_header
from pbslim.ops.kernel_classes import KERNEL_RELEASES, kernel_class
from tests import functions
from tests.cli.test_commands import DIGITS, run, write
from tests.graphs import parse
from tests.shared import SHARED

MODELS = [DIGITS, *sorted((SHARED / "models").glob("*/model.pb"))]


@pytest.fixture(scope="module")
def original() -> object:
    tensorflow = pytest.importorskip("tensorflow")
    if not tensorflow.__version__.startswith("2.21."):
        pytest.skip("the table is that of another TensorFlow")
    from tensorflow.python.tools import selective_registration_header_lib

    return selective_registration_header_lib


@pytest.mark.tensorflow
@pytest.mark.parametrize("model", MODELS, ids=lambda path: path.parent.name)
def test_as_tensorflow_writes_it(
    model: Path, original: object, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(sys, "argv", ["/bin/pbslim"])
    with caplog.at_level(logging.WARNING, logger="tensorflow"):
        theirs = original.get_header([str(model)])  # type: ignore[attr-defined]
    ours, unknown = selective_registration_header([pbslim.load(model)], release="2.21")
    assert ours == f"{theirs}\n"
    warnings = [record.getMessage() for record in caplog.records if "no kernel" in record.getMessage()]
    elsewhere = {node.op for node in pbslim.load(model) if node.device}  # it wants kernels of the device, we of the CPU
    assert {text.rpartition(" ")[2] for text in warnings} - elsewhere == set(unknown)


@pytest.mark.tensorflow
@pytest.mark.parametrize("options", [{"default_ops": "all"}, {"default_ops": ""}, {"default_ops": "Abs:A,Neg:N"}])
def test_default_ops_as_tensorflow_takes_them(
    options: dict[str, str], original: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "argv", ["pbslim"])
    models = [DIGITS, DIGITS]
    theirs = original.get_header([str(path) for path in models], **options)  # type: ignore[attr-defined]
    assert selective_registration_header(map(pbslim.load, models), release="2.21", **options)[0] == f"{theirs}\n"


@pytest.mark.parametrize(
    ("op", "attrs", "name"),
    [
        ("Relu", {"T": FLOAT}, "ReluOp<CPUDevice, float>"),
        ("Relu", {"T": HALF}, "ReluOp<CPUDevice, Eigen::half>"),
        ("Relu", {"T": STRING}, None),
        ("Relu", {}, None),
        ("Shape", {"T": FLOAT}, "ShapeOp<int32>"),
        ("Shape", {"T": FLOAT, "out_type": INT32}, "ShapeOp<int32>"),
        ("NoOp", {}, "NoOp"),
        ("NoSuchOp", {}, None),
    ],
)
def test_classes(op: str, attrs: dict[str, object], name: str | None) -> None:
    assert kernel_class(op, attrs, "1.15") == name


def test_functions_count_and_unknown_ops_are_told() -> None:
    graph = functions.load(
        "x = Placeholder()\ny = F(x)\nz = MyOp(y)\n-> z", {"F(a: float)": "m = Exp(a, T='float')\n-> r = m:y:0"}
    )
    text, unknown = selective_registration_header([graph])
    assert '"UnaryOp<CPUDevice, functor::exp<float>>",\n' in text
    assert '     || isequal(op, "Exp")\n' in text
    assert unknown == ["MyOp"]
    assert "MyOp" not in text
    assert '"F"' not in text


def test_an_op_that_needs_no_kernel() -> None:
    graph = parse("x = Placeholder()\ny = AccumulateNV2(x, N=1)\ns = SymbolicGradient(x)")[0]
    text, unknown = selective_registration_header([graph])
    assert 'isequal(op, "AccumulateNV2")' in text
    assert '"",' not in text
    assert not unknown
    assert "OP_GRADIENT true" in text
    assert "OP_GRADIENT false" in selective_registration_header([])[0]


@pytest.mark.parametrize("options", [{"default_ops": "NoOp"}, {"default_ops": "NoOp:"}, {"release": "1.0"}])
def test_wrong_options(options: dict[str, str]) -> None:
    with pytest.raises(UsageError):
        selective_registration_header([], **options)


def test_the_program(tmp_path: Path) -> None:
    a = write(tmp_path / "a.pb", "x = Placeholder()\ny = Relu(x)")
    b = write(tmp_path / "b.pb", "x = Placeholder()\ny = MyOp(x)")
    done = run(f"--graphs={a},{b}", "--proto_fileformat=rawproto", program="print_selective_registration_header")
    assert done.returncode == 0
    assert done.stderr == "note: no kernel found for op MyOp\n"
    expected = selective_registration_header([pbslim.load(a)], author="print_selective_registration_header")[0]
    assert done.stdout == expected
    done = run("--graphs=", program="print_selective_registration_header")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "error: name the graphs with --graphs\n"


@pytest.mark.parametrize("release", KERNEL_RELEASES)
def test_the_header_compiles(tmp_path: Path, release: str) -> None:
    from shutil import which

    compiler = which("c++") or which("g++") or which("clang++")
    if not compiler:
        pytest.skip("no C++ compiler")
    header = selective_registration_header([pbslim.load(DIGITS)], release=release)[0]
    (tmp_path / "ops_to_register.h").write_text(header)
    source = tmp_path / "test.cc"
    source.write_text(
        '#include "ops_to_register.h"\n'
        'static_assert(SHOULD_REGISTER_OP("Conv2D"), "");\n'
        'static_assert(!SHOULD_REGISTER_OP("Conv3D"), "");\n'
        'static_assert(SHOULD_REGISTER_OP_KERNEL("Conv2DOp<CPUDevice,float>"), "");\n'
        'static_assert(!SHOULD_REGISTER_OP_KERNEL("Conv2DOp<CPUDevice, double>"), "");\n'
    )
    subprocess.run([compiler, "-std=c++11", "-fsyntax-only", str(source)], check=True, cwd=tmp_path)
