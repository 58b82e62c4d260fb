"""Every public function takes a graph in whatever form the caller has it, and gives back what it was given."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import pbslim
from pbslim.errors import UsageError
from pbslim.ir import Graph
from pbslim.wire import schema, to_bytes
from tests.graphs import parse, show
from tests.here import apart as apart
from tests.here import in_this_process as in_this_process

BEFORE = """
    x = Placeholder(shape=[2, 2])
    i = Identity(x)
    w = Const([[1, 2], [3, 4]])
    y = MatMul(i, w)
    unused = Neg(x)
    -> y
"""
CHANGES: dict[str, Callable[[Any], Any]] = {
    "optimize_for_inference": lambda graph: pbslim.optimize_for_inference(graph, ["x"], ["y"], 1),
    "strip_unused": lambda graph: pbslim.strip_unused(graph, ["x"], ["y"], 1),
    "quantize_graph": lambda graph: pbslim.quantize_graph(graph, ["y"], "weights_rounded"),
    "transform": lambda graph: pbslim.transform(graph, "strip_unused_nodes", ["x"], ["y"]),
    "TransformGraph": lambda graph: pbslim.TransformGraph(graph, ["x"], ["y"], ["strip_unused_nodes"]),
}
LOOKS: dict[str, Callable[[Any, Path], Any]] = {
    "load": lambda graph, _: show(pbslim.load(graph)),
    "save": lambda graph, folder: pbslim.save(graph, folder / "out.pb"),
    "summarize_graph": lambda graph, _: pbslim.summarize_graph(graph),
    "compare_graphs": lambda graph, _: list(pbslim.compare_graphs(graph, graph)),
    "graph_to_dot": lambda graph, _: pbslim.graph_to_dot(graph),
    "diff": lambda graph, _: pbslim.diff(graph, graph),
    "incompatibilities": lambda graph, _: pbslim.incompatibilities(graph, "1.15"),
    "op_inventory": lambda graph, _: pbslim.op_inventory([graph]),
    "op_inventory of one": lambda graph, _: pbslim.op_inventory(graph),
    "selective_registration_header": lambda graph, _: pbslim.selective_registration_header([graph]),
    "convert_graphdef_memmapped_format": lambda graph, folder: (
        pbslim.convert_graphdef_memmapped_format(graph, folder / "out.pb", min_conversion_tensor_size=1).regions
    ),
    "inspect_file": lambda graph, _: len(pbslim.inspect_file(graph).ops),
    "shrink": lambda graph, folder: pbslim.shrink(graph, folder / "out.pb", "optimize", outputs=["y"]).after.nodes,
    "verify": lambda graph, _: pbslim.verify(graph, graph, outputs=["y"], engine="builtin", samples=1).agrees,
}


def _message() -> Any:
    found = schema.new("GraphDef")
    found.ParseFromString(to_bytes(parse(BEFORE)[0]))
    return found


def _path(folder: Path) -> Path:
    path = folder / "in.pb"
    path.write_bytes(to_bytes(parse(BEFORE)[0]))
    return path


KINDS: dict[str, Callable[[Path], Any]] = {
    "message": lambda _: _message(),
    "bytes": lambda _: to_bytes(parse(BEFORE)[0]),
    "path": _path,
    "text of a path": lambda folder: str(_path(folder)),
}


@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_the_result_is_of_the_kind_that_was_given(
    change: Callable[[Any], Any], kind: Callable[[Path], Any], tmp_path: Path
) -> None:
    given = kind(tmp_path)
    result = change(given)
    assert type(result) is (Graph if isinstance(given, str | Path) else type(given))
    graph = parse(BEFORE)[0]
    changed = change(graph)
    expected = changed if isinstance(changed, Graph) else graph
    found = result if isinstance(result, Graph) else pbslim.load(_bytes(result))
    assert "unused" not in found
    assert show(found) == show(expected)
    original = given if isinstance(given, bytes | str | Path) else given.SerializeToString()
    assert show(pbslim.load(original)) == show(parse(BEFORE)[0])


def _bytes(result: Any) -> bytes:
    data: bytes = result if isinstance(result, bytes) else result.SerializeToString()
    return data


@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
@pytest.mark.parametrize("look", LOOKS.values(), ids=LOOKS)
def test_looking_says_the_same_of_every_kind(
    look: Callable[[Any, Path], Any], kind: Callable[[Path], Any], tmp_path: Path
) -> None:
    graph = parse(BEFORE)[0]
    assert look(kind(tmp_path), tmp_path) == look(graph, tmp_path)
    assert show(graph) == show(parse(BEFORE)[0])


def test_a_graph_is_changed_in_place() -> None:
    graph = parse(BEFORE)[0]
    steps = pbslim.optimize_for_inference(graph, ["x"], ["y"], 1)
    assert [step.nodes_after for step in steps][-1] == len(graph) == 3


def test_the_names_of_the_parameters_are_those_of_tensorflow() -> None:
    result = pbslim.optimize_for_inference(
        input_graph_def=to_bytes(parse(BEFORE)[0]),  # type: ignore[call-overload]
        input_node_names="x",
        output_node_names="y",
        placeholder_type_enum=1,
    )
    assert len(pbslim.load(result)) == 3


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_what_is_no_graph_is_refused(change: Callable[[Any], Any]) -> None:
    with pytest.raises(UsageError, match=r"a graph must be a GraphDef, bytes, a path or a pbslim\.Graph, not list"):
        change([])


def test_names_that_are_no_names() -> None:
    with pytest.raises(UsageError, match="inputs must be text, not int"):
        pbslim.optimize_for_inference(parse(BEFORE)[0], [3], ["y"], 1)  # type: ignore[list-item]
    with pytest.raises(UsageError, match="there is an empty name among the outputs"):
        pbslim.strip_unused(parse(BEFORE)[0], ["x"], ["y", ""], 1)


@pytest.mark.parametrize("inputs", [[], (), ""])
def test_no_inputs_are_fine(inputs: list[str]) -> None:
    """As in TensorFlow's own test of ``optimize_for_inference``, where everything is constant."""
    before = """
        a = Const([1, 2, 3, 4, 5, 6], dtype='float')
        c = CheckNumerics(a)
        i = Identity(c)
        b = Const([2, 2, 2, 2, 2, 2])
        y = Add(i, b)
        unused = Neg(y)
        -> y
    """
    graph = parse(before)[0]
    pbslim.optimize_for_inference(graph, inputs, ["y"], 1)
    assert sorted(node.name for node in graph) == ["a", "b", "y"]
    pbslim.strip_unused(graph, inputs, ["y"], 1)
    assert len(pbslim.load(pbslim.strip_unused(to_bytes(graph), inputs, ["y"]))) == 3


@pytest.mark.tensorflow
def test_tensorflows_own_messages_and_types() -> None:
    tf = pytest.importorskip("tensorflow")
    with tf.Graph().as_default() as built:
        x = tf.compat.v1.placeholder(tf.float32, [1, 2], name="x")
        weights = tf.constant(np.ones((2, 2), np.float32))
        tf.identity(tf.matmul(tf.identity(x), weights), name="y")
    given = built.as_graph_def()
    for dtype in (tf.float32.as_datatype_enum, tf.float32, [tf.float32]):
        result = pbslim.optimize_for_inference(given, ["x"], ["y"], dtype)
        assert isinstance(result, tf.compat.v1.GraphDef)
        assert sorted(node.op for node in result.node) == ["Const", "Identity", "MatMul", "Placeholder"]
    with tf.Graph().as_default():
        tf.import_graph_def(result, name="")
