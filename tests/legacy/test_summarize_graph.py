"""summarize_graph: the text of the original, and what it says better."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import pbslim
from pbslim.cli.commands.summarize_graph import human, lines
from pbslim.errors import GraphError
from pbslim.legacy.summarize_graph import summarize_graph
from tests.cli.test_commands import DIGITS, run

EXAMPLE = """
node { name: 'x' op: 'Placeholder' attr { key: 'dtype' value { type: DT_FLOAT } }
  attr { key: 'shape' value { shape { dim { size: -1 } dim { size: 4 } } } } }
node { name: 'w' op: 'Const' attr { key: 'dtype' value { type: DT_FLOAT } } attr { key: 'value' value { tensor {
  dtype: DT_FLOAT tensor_shape { dim { size: 4 } dim { size: 300 } } float_val: 1 } } } }
node { name: 'mm' op: 'MatMul' input: 'x' input: 'w' device: '/cpu:0' attr { key: 'T' value { type: DT_FLOAT } } }
node { name: 'v' op: 'VariableV2' attr { key: 'dtype' value { type: DT_FLOAT } }
  attr { key: 'shape' value { shape { dim { size: 2 } dim { size: 3 } } } } }
node { name: 'o' op: 'Relu' input: 'mm' input: '^w' attr { key: 'T' value { type: DT_FLOAT } } }
node { name: 'noop' op: 'NoOp' }
"""
# As the reference prints it, but for the variable (no output; its size is known) and the end of the device's line.
TEXT = """\
Found 1 possible inputs: (name=x, type=float(1), shape=[?,4])_
Found 1 variables: (name=v, type=float(1), shape=[2,3])_
Found 1 possible outputs: (name=o, op=Relu)_
Found 1200 (1.20k) const parameters, 6 (6) variable parameters, and 1 control_edges
1 nodes assigned to device '/cpu:0'
Op types used: 1 Const, 1 MatMul, 1 NoOp, 1 Placeholder, 1 Relu, 1 VariableV2
To use with tensorflow/tools/benchmark:benchmark_model try these arguments:
bazel run tensorflow/tools/benchmark:benchmark_model -- --graph=FILE --show_flops --input_layer=x,v \
--input_layer_type=float,float --input_layer_shape=-1,4:2,3 --output_layer=o
noop (NoOp): []
v (VariableV2): []
w (Const): [], value=Tensor<type: float shape: [4,300] values: [1 1 1...]...>
x (Placeholder): []
mm (MatMul): [x, w]
o (Relu): [mm, ^w]
""".replace("_\n", " \n")


def text_of(graph: str, *, structure: bool = False) -> str:
    return "\n".join([*lines(summarize_graph(pbslim.load(graph.encode()), structure=structure), "FILE"), ""])


def test_the_worked_example() -> None:
    assert text_of(EXAMPLE, structure=True) == TEXT


def test_the_program(tmp_path: Path) -> None:
    path = tmp_path / "my.pbtxt"
    path.write_text(EXAMPLE)
    done = run(f"--in_graph={path}", "--print_structure=true", program="summarize_graph")
    assert (done.returncode, done.stdout, done.stderr) == (0, TEXT.replace("FILE", str(path)), "")
    done = run(f"--in_graph={path}", "--print_structure=false", program="summarize_graph")
    assert done.stdout == TEXT.partition("noop")[0].replace("FILE", str(path))
    content = json.loads(run(f"--in_graph={path}", "--json", program="summarize_graph").stdout)
    assert content["inputs"] == [{"name": "x", "op": "Placeholder", "type": "float", "shape": [-1, 4]}]
    assert (content["const_parameters"], content["variable_parameters"], content["control_edges"]) == (1200, 6, 1)
    assert content["benchmark_command"] in done.stdout


def test_nothing_to_tell() -> None:
    assert text_of("node { name: 'n' op: 'NoOp' }").splitlines()[:4] == [
        "No inputs spotted.",
        "No variables spotted.",
        "No outputs spotted.",
        "Found 0 (0) const parameters, 0 (0) variable parameters, and 0 control_edges",
    ]


@pytest.mark.parametrize(
    ("attrs", "info", "fed"),
    [
        ("", "type=INVALID(0), shape=None", "--input_layer_type=INVALID --input_layer_shape= "),
        (
            "attr { key: 'dtype' value { type: DT_INT64 } } "
            "attr { key: 'shape' value { shape { unknown_rank: true } } }",
            "type=int64(9), shape=<unknown>",
            "--input_layer_type=int64 --input_layer_shape= ",
        ),
        (
            "attr { key: 'dtype' value { type: DT_HALF } } attr { key: 'shape' value { shape { } } }",
            "type=half(19), shape=[]",
            "--input_layer_type=half --input_layer_shape= ",
        ),
        (
            "attr { key: 'shape' value { shape { dim { size: -2 } } } }",
            "shape=Shape [-2] has dimensions with values below -1 (where -1 means unknown)",
            "--input_layer_shape=-2 ",
        ),
        ("attr { key: 'dtype' value { type: DT_FLOAT_REF } }", "type=float_ref(101), shape=None", ""),
    ],
)
def test_inputs(attrs: str, info: str, fed: str) -> None:
    found = text_of(f"node {{ name: 'p' op: 'Placeholder' {attrs} }}").splitlines()
    assert info in found[0]
    assert found[0].endswith(") ")
    assert fed in found[-1]


@pytest.mark.parametrize(
    ("count", "text"),
    [
        (0, "0"),
        (999, "999"),
        (1000, "1.00k"),
        (999_999, "1000.00k"),
        (1_000_000, "1.00M"),
        (23_851_784, "23.85M"),
        (10**9, "1.00B"),
        (10**15 - 1, "1000.00T"),
        (10**15, "1E+15"),
    ],
)
def test_human_numbers(count: int, text: str) -> None:
    assert human(count) == text


def test_ops_of_functions_count_and_ties_are_by_name() -> None:
    found = text_of(
        "node { name: 'b' op: 'B' } node { name: 'a' op: 'A' } library { function { signature { name: 'f' } "
        "node_def { name: 'c' op: 'C' } node_def { name: 'd' op: 'C' } } }"
    )
    assert "Op types used: 2 C, 1 A, 1 B\n" in found


def test_what_the_original_misses() -> None:
    found = text_of(
        "node { name: 'p' op: 'PlaceholderV2' } node { name: 'h' op: 'VarHandleOp' } "
        "node { name: 'd' op: 'PlaceholderWithDefault' input: 'p' device: '/gpu:0' } "
        "node { name: 'e' op: 'X' device: '/cpu:0' }"
    )
    assert "Found 1 possible inputs: (name=p, type=INVALID(0), shape=None) \n" in found
    assert "Found 1 variables: (name=h, " in found
    assert "Found 2 possible outputs: (name=d, op=PlaceholderWithDefault) (name=e, op=X) \n" in found
    assert "1 nodes assigned to device '/cpu:0'\n1 nodes assigned to device '/gpu:0'\nOp types" in found
    assert "--input_layer=p --" in found


def test_inputs_are_spelled_as_in_the_file() -> None:
    found = text_of(
        "node { name: 'x' op: 'Placeholder' } node { name: 'y' op: 'F' input: 'x:0' input: '^x' input: '^x' }",
        structure=True,
    )
    assert "and 2 control_edges" in found
    assert found.endswith("\ny (F): [x:0, ^x, ^x]\n")


def test_a_missing_input() -> None:
    with pytest.raises(GraphError, match=r"Invalid input b for node a; Invalid input c for node a: Invalid graph with"):
        text_of("node { name: 'a' op: 'F' input: 'b' input: '^c' input: 'b:1' }")


def test_a_cycle_stops_the_structure_only() -> None:
    ring = "node { name: 'a' op: 'F' input: 'b' } node { name: 'b' op: 'F' input: 'a' }"
    assert "Op types used: 2 F" in text_of(ring)
    with pytest.raises(GraphError, match="cycle"):
        text_of(ring, structure=True)


def test_a_constant_that_cannot_be_decoded(tmp_path: Path) -> None:
    path = tmp_path / "broken.pbtxt"
    path.write_text(
        "node { name: 'c' op: 'Const' attr { key: 'value' value { tensor { dtype: DT_FLOAT "
        "tensor_content: 'xyz' } } } }"
        "node { name: 'd' op: 'Const' }"
    )
    done = run(f"--in_graph={path}", "--print_structure", program="summarize_graph")
    assert done.returncode == 0
    assert "\nc (Const): []\n" in done.stdout
    notes = done.stderr.splitlines()
    assert [note.partition(": ")[2].partition(":")[0] for note in notes] == [
        "Decoding Tensor failed for node c",
        "Decoding Tensor failed for node d",
    ]


def test_no_file() -> None:
    done = run(program="summarize_graph")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "error: in_graph graph can't be empty; name the file with --in_graph\n"


def test_no_weights_are_read(monkeypatch: pytest.MonkeyPatch) -> None:
    from pbslim.ir import MappedTensor

    def fails(*_: object) -> None:
        raise AssertionError("read")

    monkeypatch.setattr(MappedTensor, "numpy", fails)
    monkeypatch.setattr(MappedTensor, "chunks", fails)
    assert summarize_graph(pbslim.load(DIGITS)).const_parameters == 126_062
    with pytest.raises(AssertionError, match="read"):
        summarize_graph(pbslim.load(DIGITS), structure=True)
