"""Packages: what is converted, what is not and why, the way back, and that TensorFlow runs them."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

import pbslim
from pbslim.dtypes import DType
from pbslim.errors import PbslimError, UsageError
from pbslim.ir import ArrayTensor, Graph, OpaqueTensor, SplatTensor
from pbslim.legacy.convert_graphdef_memmapped_format import (
    BELOW,
    LOST,
    TYPES,
    UNREADABLE,
    WRITER,
    Conversion,
    convert_graphdef_memmapped_format,
)
from pbslim.verification import compare_files
from pbslim.wire import schema, to_bytes
from pbslim.wire.memmapped import package_of
from pbslim.wire.packages import read_directory
from pbslim.wire.unmap import unmap
from tests import functions
from tests.graphs import parse
from tests.here import apart as apart
from tests.here import in_this_process as in_this_process
from tests.shared import ROOT, SHARED, documented, models, needs_shared

GOLDEN = SHARED / "golden" / "memmapped"
DIGITS = ROOT / "examples" / "digits.pb"


def convert(graph: str | Graph, path: Path, size: int = 1, **options: Any) -> Conversion:
    given = parse(graph)[0] if isinstance(graph, str) else graph
    return convert_graphdef_memmapped_format(given, path, min_conversion_tensor_size=size, **options)


def reasons(result: Conversion) -> dict[str, str]:
    return {kept.node: kept.reason for kept in result.kept}


def parsed(data: bytes) -> Any:
    message = schema.new("GraphDef")
    message.ParseFromString(data)
    return message


def there_and_back(source: bytes | Path, folder: Path, size: int = 1) -> tuple[Conversion, bytes]:
    result = convert(pbslim.load(source), folder / "g.pbmm", size)
    unmap(folder / "g.pbmm", folder / "g.pb")
    return result, (folder / "g.pb").read_bytes()


# The golden packages


def _checker() -> ModuleType:
    spec = importlib.util.spec_from_file_location("check_memmapped", GOLDEN.parent / "check_memmapped.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@needs_shared
def test_the_golden_packages_are_reproduced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for case in sorted(GOLDEN.iterdir()):
        facts = json.loads((case / "case.json").read_text())
        out = tmp_path / case.name / "out.pb"
        out.parent.mkdir()
        graph, size = pbslim.load(case / "in.pb"), facts["min_conversion_size_bytes"]
        if "expected_convert_error" in facts:
            with pytest.raises(PbslimError, match="node 'bad'"):
                convert(graph, out, size, reference=True)
            assert not list(out.parent.iterdir())
            continue
        result = convert(graph, out, size, reference=True)
        assert len(result.converted) == facts["converted_nodes"]
        mine, theirs = out.read_bytes(), (case / "out.pb").read_bytes()
        at = facts["directory_offset"]
        assert mine[at:] == theirs[at:], "the directory"
    checker = _checker()
    monkeypatch.setattr(checker, "graph_def", parsed)
    monkeypatch.setattr(sys, "argv", ["check", "--golden", str(GOLDEN), "--got", str(tmp_path)])
    assert checker.main() == 0
    assert capsys.readouterr().out.strip().endswith(" passed, 0 failed")


@needs_shared
def test_golden_packages_that_come_out_otherwise_without_that_are_documented(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    checker = _checker()
    monkeypatch.setattr(checker, "graph_def", parsed)
    other = set()
    for case in (path.parent for path in GOLDEN.glob("*/out.pb")):
        size = json.loads((case / "case.json").read_text())["min_conversion_size_bytes"]
        convert(pbslim.load(case / "in.pb"), tmp_path / "out.pb", size)
        if checker.difference((case / "out.pb").read_bytes(), (tmp_path / "out.pb").read_bytes()):
            other.add(f"memmapped/{case.name}")
    assert other == documented("memmapped/")


# What is converted


def test_reasons(tmp_path: Path) -> None:
    result = convert(
        """
        x = Placeholder()
        w = Const([[1, 2], [3, 4]])
        small = Const([1])
        one = Const([2, 2, 2, 2])
        text = Const(['some', 'words'], dtype='string')
        bias = Const([5, 6, 7, 8])
        y = MatMul(x, w)
        z = Add(y, bias)
        t = Identity(text)
        v = MatMul(y, small)
        u = MatMul(v, one)
        -> z
        """,
        tmp_path / "g.pbmm",
        16,
    )
    assert result.converted == ["w", "one"]
    assert reasons(result) == {
        "small": BELOW,
        "text": "its type is string",
        "bias": f"{WRITER}: 'z' (Add)",
    }
    assert result.reasons == {BELOW: 1, "its type is string": 1, WRITER: 1}


def test_a_consumer_behind_others_counts(tmp_path: Path) -> None:
    result = convert(
        """
        x = Placeholder()
        w = Const([[1, 2], [3, 4]])
        shape = Const([4], dtype='int32')
        flat = Reshape(w, shape)
        same = Identity(flat)
        y = MatMul(x, w)
        z = Mul(same, x)
        k = Const([[1, 3], [3, 4]])
        id = Identity(k)
        m = MatMul(x, id)
        -> z
        """,
        tmp_path / "g.pbmm",
    )
    assert reasons(result) == {"w": f"{WRITER}: 'z' (Mul)"}
    assert result.converted == ["shape", "k"]


def test_unknown_ops_may_write(tmp_path: Path) -> None:
    result = convert("w = Const([1, 2])\ny = MyOp(w)\n-> y", tmp_path / "g.pbmm")
    assert reasons(result) == {"w": f"{WRITER}: 'y' (MyOp)"}


def test_the_reference_does_all_that_and_is_told_so(tmp_path: Path) -> None:
    result = convert("w = Const([1, 2])\ny = Neg(w)\n-> y", tmp_path / "g.pbmm", reference=True)
    assert result.converted == ["w"]
    assert [(each.node, each.reason) for each in result.endangered] == [("w", f"{WRITER}: 'y' (Neg)")]


def splat(value: float, *shape: int) -> SplatTensor:
    return SplatTensor(np.float32(value), DType.parse("float"), shape)


@pytest.mark.parametrize("reference", [False, True])
def test_one_value_for_a_whole_tensor_is_mapped_whole_and_comes_back_as_one(tmp_path: Path, reference: bool) -> None:
    graph = Graph()
    graph.add("w", "Const", attrs={"dtype": DType.parse("float"), "value": splat(2, 500, 500)})
    before = to_bytes(graph)
    assert convert(graph, tmp_path / "g.pbmm", reference=reference).mapped_bytes == 1_000_000
    assert np.all(pbslim.load(tmp_path / "g.pbmm")["w"].tensor().numpy() == 2)
    size = unmap(tmp_path / "g.pbmm", tmp_path / "g.pb")
    assert size > 1_000_000 if reference else (tmp_path / "g.pb").read_bytes() == before


def test_a_tensor_larger_than_the_disk_is_refused(tmp_path: Path) -> None:
    graph = Graph()
    graph.add("w", "Const", attrs={"dtype": DType.parse("float"), "value": splat(2, 1 << 23, 1 << 23)})
    with pytest.raises(PbslimError, match="the constants need 281474976710656 bytes"):
        convert(graph, tmp_path / "g.pbmm", reference=True)
    assert not list(tmp_path.iterdir())


def test_equal_constants_share_a_region(tmp_path: Path) -> None:
    text = """
        x = Placeholder()
        a = Const([[1, 2], [3, 4]])
        b = Const([[1, 2], [3, 4]])
        c = Const([[1, 2], [3, 5]])
        d = Const([1, 2, 3, 4])
        p = MatMul(x, a)
        q = MatMul(p, b)
        r = MatMul(q, c)
        s = BiasAdd(r, d)
        -> s
    """
    path = tmp_path / "g.pbmm"
    assert (convert(text, path).converted, convert(text, path).regions) == (["a", "b", "c", "d"], 2)
    package = package_of(pbslim.load(path))
    assert package
    assert [constant.region[-1] for constant in package.constants] == ["a", "a", "c", "a"]
    assert convert(text, path, reference=True).regions == 4


@pytest.mark.parametrize("dtype", sorted(TYPES))
def test_every_type_goes_there_and_back(dtype: str, tmp_path: Path) -> None:
    one = DType.parse(dtype)
    value = np.arange(300).astype(one.numpy)
    graph = Graph()
    node = graph.add("w", "Const", attrs={"dtype": one, "value": ArrayTensor(value, one)})
    graph.add("y", "Gather", [node.output(), node.output()])
    before = to_bytes(graph)
    result, after = there_and_back(before, tmp_path)
    assert result.converted == ["w"]
    assert parsed(after) == parsed(before)
    again = pbslim.load(tmp_path / "g.pbmm")["w"].tensor()
    assert (again.dtype, again.numpy().tolist()) == (one, value.tolist())


def test_a_broken_constant_is_named(tmp_path: Path) -> None:
    graph = Graph()
    graph.add("w", "Const", attrs={"dtype": DType.parse("float")})
    with pytest.raises(PbslimError, match=r"node 'w' \(Const\) has no 'value' tensor"):
        convert(graph, tmp_path / "g.pbmm")


@pytest.mark.parametrize("size", [0, -1])
def test_the_threshold_is_positive(size: int, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="must be > 0"):
        convert("w = Const([1])\n-> w", tmp_path / "g.pbmm", size)


def test_a_given_graph_stays_as_it_is(tmp_path: Path) -> None:
    graph = pbslim.load(DIGITS)
    assert convert(graph, tmp_path / "g.pbmm").converted
    assert to_bytes(graph) == DIGITS.read_bytes()


def test_names_of_regions(tmp_path: Path) -> None:
    graph = Graph()
    names = ["a/b", "a_b", ".", "ü-x", "a_b_"]
    for k, name in enumerate(names):
        value = ArrayTensor(np.array([k, 1], np.float32))
        graph.add(name, "Const", attrs={"dtype": value.dtype, "value": value})
    convert(graph, tmp_path / "g.pbmm")
    regions = read_directory((tmp_path / "g.pbmm").read_bytes()).regions
    found = [region.name.removeprefix("memmapped_package://") for region in regions]
    assert found == ["a_b", "a_b_", "._", "___x", "a_b__", "."]


# There and back


def test_attributes_and_lists_come_back(tmp_path: Path) -> None:
    message = schema.new("GraphDef")
    content: dict[str, tuple[int, list[Any]]] = {
        "float_val": (1, [0.5, 2.0, -1.0]),
        "half_val": (19, [0x3C00, 0xC000, 0x3800]),
        "int_val": (3, [-1, 300, 2]),
        "int64_val": (9, [-(1 << 40), 5, 1 << 50]),
        "bool_val": (10, [True, False, True]),
        "scomplex_val": (8, [1.0, 2.0, 3.0, 4.0]),
        "double_val": (2, [0.1, 0.2]),
        "uint64_val": (23, [1 << 63, 1]),
        "uint32_val": (22, [1 << 31, 7, 8]),
    }
    names = set()
    for name, (dtype, values) in content.items():
        one = 2 if name == "scomplex_val" else 1
        # All elements; the last one, one for all, and no one (for zeros) stand for those that are missing.
        for elements, stored in ((3, values), (5, values), (7, values[:one]), (9, [])):
            node = message.node.add(name=f"{name}_{elements}", op="Const", device="/cpu:0", input=["^first"])
            names.add(node.name)
            node.attr["dtype"].type = dtype
            tensor = node.attr["value"].tensor
            tensor.dtype = dtype
            tensor.tensor_shape.dim.add(size=elements)
            getattr(tensor, name).extend(stored)
            node.attr["_class"].list.s.append(b"loc:@first")
            node.attr["_output_shapes"].list.shape.add().dim.add(size=elements)
            node.experimental_debug_info.original_node_names.append("before")
    message.node.add(name="first", op="NoOp")
    message.versions.producer = 1482
    data = message.SerializeToString()
    result, after = there_and_back(data, tmp_path)
    assert set(result.converted) == names
    assert parsed(after) == message
    # A second package is made from the first just as well.
    again, twice = there_and_back(tmp_path / "g.pbmm", tmp_path)
    assert (again.converted, parsed(twice)) == (result.converted, message)


def test_what_a_package_cannot_keep_is_not_converted(tmp_path: Path) -> None:
    message = schema.new("GraphDef")
    for name in ("attribute", "dimension", "version", "too many"):
        node = message.node.add(name=name, op="Const")
        node.attr["dtype"].type = 1
        tensor = node.attr["value"].tensor
        tensor.dtype, tensor.tensor_content = 1, np.arange(4, dtype=np.float32).tobytes()
        tensor.tensor_shape.dim.add(size=4)
    message.node[0].attr["mine"].i = 3
    message.node[1].attr["value"].tensor.tensor_shape.dim[0].name = "batch"
    message.node[2].attr["value"].tensor.version_number = 1
    message.node[3].attr["value"].tensor.ClearField("tensor_content")
    message.node[3].attr["value"].tensor.float_val.extend([1, 2, 3, 4, 5])
    result, after = there_and_back(message.SerializeToString(), tmp_path)
    assert reasons(result) == dict.fromkeys(("attribute", "dimension", "version", "too many"), LOST)
    assert parsed(after) == message


def test_an_opaque_tensor_stays(tmp_path: Path) -> None:
    graph = Graph()
    handle = OpaqueTensor(b"\x08\x14", "no value", DType.parse("resource"), ())
    graph.add("w", "Const", attrs={"dtype": handle.dtype, "value": handle})
    assert reasons(convert(graph, tmp_path / "g.pbmm")) == {"w": "its type is resource"}


FUNCTIONS = {
    "Reads(a: float)": """
        w = Const([[1, 2], [3, 4]])
        y = MatMul(a, w:output:0)
        -> result = y:product:0
    """,
    "Writes(a: float)": """
        w = Const([[1, 2], [3, 4]])
        y = Add(a, w:output:0)
        -> result = y:z:0
    """,
    "Returns(a: float)": """
        w = Const([[1, 2], [3, 4]])
        y = Identity(w:output:0)
        -> result = y:output:0
    """,
}
CALLS = """
    x = Placeholder(shape=(2, 2))
    a = Reads(x)
    b = Writes(a)
    c = Returns(b)
    d = MatMul(b, c)
    -> d
"""


def test_constants_in_functions(tmp_path: Path) -> None:
    data = functions.message(CALLS, FUNCTIONS).SerializeToString()
    result, after = there_and_back(data, tmp_path)
    assert result.converted == ["Reads/w"]
    assert reasons(result) == {
        "Writes/w": f"{WRITER}: 'y' (Add)",
        "Returns/w": f"{WRITER}: 'return' (whoever calls the function)",
    }
    assert parsed(after) == parsed(data)
    assert convert(pbslim.load(data), tmp_path / "g.pbmm", reference=True).converted == []


def test_a_function_of_which_the_ops_are_not_known_stays(tmp_path: Path) -> None:
    body = "w = Const([1, 2])\ny = MyOp(w:output:0)\nz = Neg(y:mine:0)\n-> result = z:y:0"
    data = functions.message("x = Placeholder()\ny = F(x)\n-> y", {"F(a: float)": body}).SerializeToString()
    result, after = there_and_back(data, tmp_path)
    assert reasons(result)["F"].startswith(f"{UNREADABLE}: 'function 'F': ")
    assert result.reasons == {UNREADABLE: 1}
    assert parsed(after) == parsed(data)


@pytest.mark.slow
@needs_shared
@pytest.mark.parametrize("size", [10000, 1])
def test_every_model_comes_back(size: int, tmp_path: Path) -> None:
    files = sorted((SHARED / "models").glob("*/model.pb"))
    assert len(files) > 20
    for file in files:
        _, after = there_and_back(file, tmp_path, size)
        assert parsed(after) == parsed(file.read_bytes()), file


def test_unmap_wants_a_package(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="not a memory-mapped package"):
        unmap(DIGITS, tmp_path / "g.pb")


# Running


@pytest.mark.tensorflow
@needs_shared
def test_every_model_runs_mapped() -> None:
    runner, sizes = Path(__file__).with_name("run_models.py"), ["10000", "1"]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), *sys.path])}
    done = subprocess.run(
        [sys.executable, str(runner), *sizes], capture_output=True, text=True, env=environment, check=False
    )
    assert not done.returncode, done.stdout + done.stderr[-1000:]
    lines = [line.split() for line in done.stdout.splitlines()]
    assert [line[:2] for line in lines] == [[size, folder.name] for folder in models() for size in sizes]
    assert [line for line in lines if len(line) > 3] == []
    for size in sizes:
        assert sum(int(count) > 0 for mapped_from, _, count in lines if mapped_from == size) >= 20


@pytest.mark.tensorflow
def test_a_quantized_graph_maps_and_runs(tmp_path: Path) -> None:
    graph = pbslim.load(DIGITS)
    pbslim.transform(graph, "fold_constants fold_batch_norms quantize_weights", ["input"], ["class"])
    pbslim.save(graph, tmp_path / "q.pb")
    result = convert(graph, tmp_path / "q.pbmm", 1000)
    package = package_of(pbslim.load(tmp_path / "q.pbmm"))
    assert package
    assert len(result.converted) >= 3
    assert sum(constant.dtype.name == "quint8" for constant in package.constants) >= 3
    assert len(convert(graph, tmp_path / "r.pbmm", 1000, reference=True).converted) < len(result.converted) - 2
    assert compare_files(tmp_path / "q.pb", tmp_path / "q.pbmm", rtol=0, atol=0).agrees


@pytest.mark.tensorflow
def test_functions_run_mapped(tmp_path: Path) -> None:
    (tmp_path / "g.pb").write_bytes(functions.message(CALLS, FUNCTIONS).SerializeToString())
    convert(pbslim.load(tmp_path / "g.pb"), tmp_path / "g.pbmm")
    assert compare_files(tmp_path / "g.pb", tmp_path / "g.pbmm", outputs=["d"]).agrees
