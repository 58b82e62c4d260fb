"""The table of places where a constant may be mapped, checked against TensorFlow's kernels by running them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import pbslim
from pbslim import ops
from pbslim.dtypes import DTYPES, DType, Shape
from pbslim.ir import ArrayTensor, Graph, StringTensor, Value
from pbslim.legacy.convert_graphdef_memmapped_format import TYPES
from pbslim.ops import buffers
from tests.kernels import cases as kernels
from tests.kernels.operands import Case
from tests.ops import mapped_cases

REFERENCE = os.environ.get("PBSLIM_TENSORFLOW_1")
"""A Python that has TensorFlow 1.15.5."""
MOST_CASES = 6  # of one op
OLD = 6  # version of graphs in which removed ops still run

# An op that takes over the memory of its input, for each type.
SPOILERS = dict.fromkeys(["float", "double", "half", "bfloat16", "int32", "int64", "int16", "int8", "complex64"], "Neg")
SPOILERS |= dict.fromkeys(["complex128"], "Neg") | dict.fromkeys(["uint8", "uint16", "uint32", "uint64"], "Invert")
SPOILERS |= {"bool": "LogicalNot"}
PLAIN = {"qint8": "int8", "quint8": "uint8", "qint32": "int32", "qint16": "int16", "quint16": "uint16"}


def attributes(case: Case) -> dict[str, Any]:
    """All attributes of a call: its own and those that follow from the types of its operands."""
    definition = ops.find(case.op)
    assert definition
    found: dict[str, Any] = {}
    for key, value in case.attrs.items():
        if isinstance(value, np.ndarray):
            found[key] = ArrayTensor(value)
        else:
            known = definition.attrs.get(key)  # later releases may have added some
            found[key] = float(value) if known and known.kind == "float" else value
    left = list(case.types)
    others = len(definition.inputs) - sum(bool(arg.number_attr) for arg in definition.inputs)
    groups = max(len(definition.inputs) - others, 1)
    for arg in definition.inputs:
        count = 1
        if arg.type_list_attr:
            found[arg.type_list_attr] = tuple(left)
            continue
        if arg.number_attr:
            count = found[arg.number_attr] = (len(case.types) - others) // groups
        if arg.type_attr and definition.attrs[arg.type_attr].default != left[0]:  # old releases lack some of these
            found[arg.type_attr] = left[0]
        del left[:count]
    return found


def spoiled(graph: Graph, value: Value, dtype: DType, number: int) -> str:
    """A node behind `value` that writes into its memory, if there is an op that does."""
    if dtype.name in PLAIN:
        plain = DType.parse(PLAIN[dtype.name])
        value = graph.add(f"plain{number}", "Bitcast", [value], {"T": dtype, "type": plain}).output()
        dtype = plain
    op = SPOILERS.get(dtype.name, "Identity")
    return graph.add(f"spoiled{number}", op, [value], {} if op == "LogicalNot" else {"T": dtype}).name


def write(case: Case, slots: Iterable[int], base: Path, *, spoil: bool = True) -> None:
    """The call as a graph, once with constants and once with the operands in `slots` mapped from files."""
    outputs = ops.output_dtypes(case.op, attributes(case))
    assert outputs, case
    for kind in ("plain", "mapped"):
        graph = Graph()
        graph.producer = OLD if case.op == "BatchNormWithGlobalNormalization" else 30
        operands = []
        for i, (dtype, array) in enumerate(zip(case.types, case.operands, strict=True)):
            if kind == "mapped" and i in slots and dtype.name in TYPES and array.size:
                file = base.with_suffix(f".{i}")
                file.write_bytes(np.ascontiguousarray(array).tobytes())
                name = str(file).encode()
                attrs: dict[str, Any] = {"dtype": dtype, "shape": Shape(array.shape), "memory_region_name": name}
                operands.append(graph.add(f"c{i}", "ImmutableConst", (), attrs).output())
            else:
                text = dtype.name == "string"
                tensor = StringTensor(tuple(array.ravel()), array.shape) if text else ArrayTensor(array, dtype)
                operands.append(graph.add(f"c{i}", "Const", (), {"dtype": dtype, "value": tensor}).output())
        node = graph.add("call", case.op, operands, attributes(case))
        fetches = [
            spoiled(graph, node.output(k), dtype, k) if spoil else node.output(k).name
            for k, dtype in enumerate(outputs)
        ]
        pbslim.save(graph, base.with_suffix(f".{kind}.pb"))
    # TensorFlow 1.15 leaves the other outputs of a batch norm as they happen to be.
    ask(base, fetches, 1 if case.op.startswith("FusedBatchNorm") else case.ports)


def ask(base: Path, fetches: list[str], compared: int | None = None) -> None:
    outputs = [name if ":" in name else f"{name}:0" for name in fetches]
    base.with_suffix(".json").write_text(json.dumps({"outputs": outputs, "compared": compared}))


@dataclass(frozen=True)
class Runtime:
    """A TensorFlow with one of its sets of kernels, whatever the processor would make it choose."""

    python: str
    onednn: bool = False
    lacks: frozenset[str] = frozenset()


def run(folder: Path, runtime: Runtime) -> dict[str, str]:
    command = [runtime.python, str(Path(__file__).with_name("run_mapped.py")), str(folder)]
    env = os.environ | {"TF_ENABLE_ONEDNN_OPTS": str(int(runtime.onednn))}
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True, env=env)
    found: dict[str, str] = json.loads(done.stdout)
    return found


def problems(found: dict[str, str]) -> dict[str, str]:
    """All that is neither the same result nor a call that the release does not know."""
    wrong = {name: said for name, said in found.items() if said != "same" and not said.startswith("not for")}
    # oneDNN adds up the products of transposed weights in an order that depends on where they lie in memory.
    return {k: said for k, said in wrong.items() if said != "rounded differently" or not k.startswith("_FusedMatMul")}


def calls() -> dict[str, list[Case]]:
    """Calls of each op, some of each kind where there are many."""
    found = defaultdict(list)
    for case in [*mapped_cases.CASES, *kernels.CASES]:
        found[case.op].append(case)
    for op, every in found.items():
        step = -(-len(every) // MOST_CASES) if op not in {each.op for each in mapped_cases.CASES} else 1
        found[op] = every[::step]
    return found


ONEDNN_ONLY = frozenset({"_FusedDepthwiseConv2dNative"})
NEW = ONEDNN_ONLY | {"BatchMatMulV3", "_FusedConv2D", "_FusedMatMul"}
RUNTIMES = [
    pytest.param(Runtime(sys.executable, lacks=ONEDNN_ONLY), id="installed"),
    pytest.param(Runtime(sys.executable, onednn=True), id="installed, oneDNN"),
    pytest.param(
        Runtime(REFERENCE or "", lacks=NEW),
        id="1.15.5",
        marks=pytest.mark.skipif(not REFERENCE, reason="no PBSLIM_TENSORFLOW_1"),
    ),
]


Step = tuple[str, dict[str, Any], list[Any]]


def chain(base: Path, *steps: Step) -> None:
    """A mapped constant through `steps`: op, attributes, further operands."""
    for kind in ("plain", "mapped"):
        graph, array = Graph(), np.arange(1, 5, dtype=np.float32).reshape(1, 4)
        file = base.with_suffix(".bin")
        file.write_bytes(array.tobytes())
        float32 = DTYPES[1]
        if kind == "plain":
            node = graph.add("c", "Const", (), {"dtype": float32, "value": ArrayTensor(array)})
        else:
            place: dict[str, Any] = {"shape": Shape(array.shape), "memory_region_name": str(file).encode()}
            node = graph.add("c", "ImmutableConst", (), {"dtype": float32, **place})
        for k, (op, attrs, others) in enumerate(steps):
            value = [node.output()]
            for i, other in enumerate(others):
                tensor = ArrayTensor(np.asarray(other))
                value.append(graph.add(f"o{k}_{i}", "Const", (), {"dtype": tensor.dtype, "value": tensor}).output())
            node = graph.add(f"n{k}", op, value, attrs)
        pbslim.save(graph, base.with_suffix(f".{kind}.pb"))
        ask(base, [node.name])


T: dict[str, Any] = {"T": DTYPES[1]}
NEG: Step = ("Neg", T, [])
FRAME = {**T, "frame_name": b"loop"}
WRITERS: dict[str, list[Step]] = {
    "Neg": [NEG],
    "Softmax": [("Softmax", T, [])],
    "Add": [("Add", T, [np.float32(1)])],
    "BiasAdd": [("BiasAdd", T, [np.ones(4, np.float32)])],
    "Identity": [("Identity", T, []), NEG],
    "Reshape": [("Reshape", {**T, "Tshape": DTYPES[3]}, [np.array([2, 2], np.int32)]), NEG],
    "Squeeze": [("Squeeze", T, []), NEG],
    "ExpandDims": [("ExpandDims", {**T, "Tdim": DTYPES[3]}, [np.int32(0)]), NEG],
    "Enter, Exit": [("Enter", FRAME, []), ("Exit", T, []), NEG],
    "Switch, Merge": [("Switch", T, [np.bool_(False)]), ("Merge", {**T, "N": 1}, []), NEG],
    "two in a row": [("Identity", T, []), ("StopGradient", T, []), NEG],
}


@dataclass(frozen=True)
class Outcome:
    """How all cases ended in one TensorFlow, which is started once for them all."""

    runtime: Runtime
    read_only: dict[str, Case]
    said: dict[str, str]

    def of(self, group: str) -> dict[str, str]:
        """Name of each case of a group → how it ended."""
        return {name.partition("/")[2]: said for name, said in self.said.items() if name.startswith(f"{group}/")}


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Case]]:
    """The graphs that each TensorFlow runs, and the cases of read-only places by their names."""
    folder, every, read_only = tmp_path_factory.mktemp("mapped"), calls(), {}
    for group in ("read only", "handed on", "writers"):
        (folder / group).mkdir()
    for op, slots in buffers.read_only_inputs().items():
        for k, case in enumerate(every[op]):
            write(case, slots, folder / "read only" / f"{op}-{k}")
            read_only[f"{op}-{k}"] = case
    for op, taken in buffers.handed_on_inputs().items():
        for k, case in enumerate(every.get(op, ())):
            write(case, range(99) if taken is None else taken, folder / "handed on" / f"{op}-{k}", spoil=False)
    for name, steps in WRITERS.items():
        chain(folder / "writers" / name, *steps)
    return folder, read_only


@pytest.fixture(scope="module", params=RUNTIMES)
def outcome(request: pytest.FixtureRequest, written: tuple[Path, dict[str, Case]]) -> Outcome:
    folder, read_only = written
    return Outcome(request.param, read_only, run(folder, request.param))


@pytest.mark.tensorflow
def test_read_only_places_are(outcome: Outcome) -> None:
    found = outcome.of("read only")
    assert not problems(found)
    table = buffers.read_only_inputs()
    ran: dict[str, set[int]] = defaultdict(set)
    for name in (name for name, said in found.items() if said == "same"):
        case = outcome.read_only[name]
        ran[case.op] |= {i for i in table[case.op] if i < len(case.operands) and case.operands[i].size}
    for op, slots in table.items():
        if op not in outcome.runtime.lacks:
            assert ran[op] == slots, f"{op} was run with {sorted(ran[op])}"


@pytest.mark.tensorflow
def test_ops_that_hand_memory_on_do_not_write_into_it(outcome: Outcome) -> None:
    found = outcome.of("handed on")
    assert len(found) > 150
    assert not problems(found)


@pytest.mark.tensorflow
def test_the_runner_sees_a_writer(outcome: Outcome) -> None:
    """Else the tests above would say nothing; and these are the places that conversion must leave alone."""
    assert outcome.of("writers") == dict.fromkeys(WRITERS, "crash")


def test_writers_are_not_in_the_table() -> None:
    for steps in WRITERS.values():
        *forwarding, writer = [op for op, _, _ in steps]
        assert not buffers.only_reads(writer, 0)
        assert not buffers.hands_on(writer, 0)
        assert all(buffers.hands_on(op, 0) for op in forwarding)
    assert not buffers.only_reads("FusedBatchNormV3", 3)
    assert buffers.hands_on("ConcatV2", 7)
    assert not buffers.only_reads("NoSuchOp", 0)
