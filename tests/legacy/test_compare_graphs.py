"""compare_graphs: the messages of the original, and its verdict."""

from __future__ import annotations

import copy
import json
import random
from pathlib import Path
from typing import Any

import pytest

import pbslim
from pbslim.legacy.compare_graphs import compare_graphs
from pbslim.wire import schema
from tests.cli.test_commands import run

BASE = "node { name: 'n' op: 'F' input: 'a' input: 'b:1' input: '^c' attr { key: 'T' value { type: DT_FLOAT } } }"


def differences(actual: str, expected: str, **options: Any) -> list[str]:
    return list(compare_graphs(pbslim.load(actual.encode()), pbslim.load(expected.encode()), **options))


@pytest.mark.parametrize(
    ("old", "new", "text"),
    [
        ("'F'", "'G'", "has op 'G' that is not expected 'F'"),
        ("op:", "device: '/cpu:0' op:", "has device '/cpu:0' that is not expected ''"),
        ("input: 'a'", "", "has inputs 'b:1, ^c' that don't match expected 'a, b:1, ^c'"),
        ("'b:1'", "'b'", "has input 1 'b' that doesn't match expected 'b:1'"),
        ("DT_FLOAT", "DT_HALF", "has attr 'T' with value: DT_HALF that does not match expected: DT_FLOAT"),
        ("'T'", "'_T'", "missing expected attr 'T' with value: DT_FLOAT"),
    ],
)
def test_messages(old: str, new: str, text: str) -> None:
    assert differences(BASE.replace(old, new), BASE) == [f"Node named 'n' {text}"]


def test_control_inputs_are_a_set() -> None:
    a = "node { name: 'n' op: 'F' input: '^a' input: '^b' }"
    assert not differences("node { name: 'n' op: 'F' input: '^b' input: '^a' }", a)
    assert differences("node { name: 'n' op: 'F' input: '^b' input: '^c' }", a) == [
        "Node named 'n' missing expected control input '^a'",
        "Node named 'n' has unexpected control input '^c'",
    ]


def test_nodes_that_only_one_has() -> None:
    other = "node { name: 'o' op: 'G' device: 'D' input: '^n' }"
    text = '{{node o}} = G[_device="D"](^n)'
    assert differences(BASE, BASE + other) == [f"Did not find expected node '{text}'"]
    assert differences(BASE + other, BASE) == [f"Found unexpected node '{text}'"]


EQUAL = {
    "order": (BASE + "node { name: 'o' op: 'G' }", "node { name: 'o' op: 'G' }" + BASE),
    "port 0": (BASE.replace("'a'", "'a:0'"), BASE),
    "private attributes": (BASE.replace("attr", "attr { key: '_c' value { i: 1 } } attr"), BASE),
    "versions": (BASE + "versions { producer: 21 }", BASE),
    "library": (BASE + "library { function { signature { name: 'f' } } }", BASE),
    "encodings": (
        "node { name: 'c' op: 'Const' attr { key: 'value' value { tensor { dtype: DT_FLOAT tensor_shape { dim { size: "
        "2 } } float_val: [1, 1] } } } }",
        "node { name: 'c' op: 'Const' attr { key: 'value' value { tensor { dtype: DT_FLOAT tensor_shape { dim { size: "
        "2 } } tensor_content: '\\000\\000\\200?\\000\\000\\200?' } } } }",
    ),
}


@pytest.mark.parametrize(("actual", "expected"), EQUAL.values(), ids=EQUAL)
def test_what_does_not_count(actual: str, expected: str) -> None:
    assert not differences(actual, expected)
    assert not differences(expected, actual)


def constant(value: float, dtype: str = "FLOAT", field: str = "float_val") -> str:
    return (
        f"node {{ name: 'c' op: 'Const' attr {{ key: 'value' value {{ tensor {{ dtype: DT_{dtype} tensor_shape {{ }} "
        f"{field}: {value} }} }} }} }}"
    )


def test_tolerance() -> None:
    assert len(differences(constant(1), constant(1.25))) == 1
    assert not differences(constant(1), constant(1.25), atol=0.25)
    assert len(differences(constant(1), constant(1.25), atol=0.2)) == 1
    assert not differences(constant(float("nan")), constant(float("nan")))
    assert len(differences(constant(float("nan")), constant(1), atol=9)) == 1
    assert len(differences(constant(1), constant(float("inf")), atol=9)) == 1
    assert len(differences(constant(1, "INT32", "int_val"), constant(2, "INT32", "int_val"), atol=9)) == 1


def test_library() -> None:
    def library(body: str, name: str = "f", ret: str = "") -> str:
        return f"{BASE} library {{ function {{ signature {{ name: '{name}' }} node_def {{ {body} }} {ret} }} }}"

    plain = library("name: 'x' op: 'F' input: 'a:out:0'")
    assert not differences(plain, plain, library=True)
    assert not differences(library("name: 'x' op: 'G'"), plain)
    assert differences(library("name: 'x' op: 'G' input: 'a:out:0'"), plain, library=True) == [
        "In function 'f': Node named 'x' has op 'G' that is not expected 'F'"
    ]
    assert differences(library("name: 'x' op: 'F' input: 'a:out:0'", "g"), plain, library=True) == [
        "Did not find expected function 'f'",
        "Found unexpected function 'g'",
    ]
    other = library("name: 'x' op: 'F' input: 'a:out:0'", ret="ret { key: 'y' value: 'x:out:0' }")
    assert differences(other, plain, library=True) == [
        "Function 'f' has a signature or results that don't match expected"
    ]


def test_the_program(tmp_path: Path) -> None:
    a, b = tmp_path / "a.pbtxt", tmp_path / "b.pbtxt"
    a.write_text(BASE)
    b.write_text(BASE.replace("'F'", "'G'").replace("DT_FLOAT", "DT_HALF"))
    done = run(a, a, program="compare_graphs")
    assert (done.returncode, done.stdout, done.stderr) == (0, "Graphs are equal.\n", "")
    done = run(a, b, program="compare_graphs")
    assert (done.returncode, done.stdout) == (1, "Node named 'n' has op 'F' that is not expected 'G'\n")
    assert len(run(a, b, "--all", program="compare_graphs").stdout.splitlines()) == 2
    content = json.loads(run(a, b, "--all", "--json", program="compare_graphs").stdout)
    assert content["equal"] is False
    assert len(content["differences"]) == 2


@pytest.mark.parametrize("files", [[], ["a"], ["a", "b", "c"]])
def test_two_files_are_needed(files: list[str]) -> None:
    done = run(*files, program="compare_graphs")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "error: compare_graphs expects two file names as arguments\n"


def random_value(value: Any, choose: random.Random) -> None:
    kind = choose.choice(["s", "i", "f", "b", "type", "shape", "tensor", "list"])
    if kind == "s":
        value.s = bytes(choose.choices(range(256), k=choose.choice([0, 3, 20, 78, 79, 80, 200])))
    elif kind == "i":
        value.i = choose.randint(-(2**63), 2**63 - 1) >> choose.randint(0, 60)
    elif kind == "f":
        value.f = choose.choice([choose.uniform(-1, 1) * 10 ** choose.uniform(-37, 37), 0.5, float("nan"), -0.0])
    elif kind == "b":
        value.b = choose.random() < 0.5
    elif kind == "type":
        value.type = choose.randint(1, 23)
    elif kind == "shape":
        value.shape.SetInParent()
        for _ in range(choose.randint(0, 3)):
            value.shape.dim.add(size=choose.randint(-1, 5))
    elif kind == "list":
        value.list.SetInParent()
        value.list.i.extend(choose.choices(range(9), k=choose.randint(0, 14)))
    else:
        shape = [choose.randint(1, 4) for _ in range(choose.randint(0, 4))]
        size = 1
        for dim in shape:
            value.tensor.tensor_shape.dim.add(size=dim)
            size *= dim
        value.tensor.tensor_shape.SetInParent()
        value.tensor.dtype = choose.choice([1, 3])
        if value.tensor.dtype == 1:
            value.tensor.float_val.extend(choose.uniform(-1, 1) for _ in range(choose.choice([1, size])))
        else:
            value.tensor.int_val.extend(choose.randint(-9, 9) for _ in range(choose.choice([1, size])))


def random_graph(choose: random.Random) -> Any:
    graph = schema.new("GraphDef")
    for name in "abcd":
        node = graph.node.add(name=name, op=choose.choice(["F", "G"]))
        node.input.extend(choose.choices(["b", "c:0", "c:1", "c"], k=choose.randint(0, 3)))
        node.input.extend(choose.choices(["^d", "^e"], k=choose.randint(0, 2)))
        for key in choose.sample(["T", "a", "_b", "value"], choose.randint(0, 2)):
            random_value(node.attr[key], choose)
    return graph


def changed(graph: Any, choose: random.Random) -> Any:
    graph = copy.deepcopy(graph)
    node, kind = choose.choice(graph.node), choose.randint(0, 6)
    if kind == 0:
        node.op = "H"
    elif kind == 1:
        node.device = "/gpu:0"
    elif kind == 2 and node.input:
        node.input[-1] = choose.choice(["^d", "^f"] if node.input[-1].startswith("^") else ["b", "c", "c:0", "c:1"])
    elif kind == 3 and node.input:
        node.input.pop()
    elif kind == 4:
        graph.node.remove(node)
    elif kind == 5:
        graph.node.add(name="new", op="X")
    else:
        random_value(node.attr[choose.choice(["T", "_b"])], choose)
    return graph


@pytest.mark.tensorflow
@pytest.mark.parametrize("seed", range(8))
def test_as_tensorflow_itself_compares(seed: int) -> None:
    pytest.importorskip("tensorflow")
    from tensorflow.python.client import pywrap_tf_session

    choose = random.Random(seed)  # noqa: S311
    verdicts = set()
    for _ in range(100):
        graph = random_graph(choose)
        a, b = graph.SerializeToString(), changed(graph, choose).SerializeToString()
        theirs = pywrap_tf_session.EqualGraphDefWrapper(a, b)
        ours = list(compare_graphs(pbslim.load(a), pbslim.load(b)))
        verdicts.add(bool(ours))
        # Its attributes come in an order of their own, so that another difference can be its first.
        assert theirs in ours if theirs else not ours
    assert verdicts == {True, False}
