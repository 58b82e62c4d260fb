"""Models that TensorFlow saved: frozen, they answer as it does; those of TensorFlow 1 are the graphs that it makes."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

import pbslim
from pbslim.engines.builtin import ENGINE
from pbslim.ir import Node
from pbslim.ops.definitions import is_default
from tests.freezing.cases import CASES, Case, damaged, differences

_CALLS = {"PartitionedCall", "StatefulPartitionedCall"}
_VARIABLES = {"VarHandleOp", "ReadVariableOp", "VariableV2", "ResourceGather"}
_WITH_REFERENCE = [case for case in CASES if case.facts.get("frozen")]


@pytest.mark.parametrize("case", CASES, ids=str)
def test_answers(case: Case) -> None:
    found = case.frozen()
    feeds, expected = case.arrays("feeds"), case.arrays("expected")
    fed = {name: feeds[key] for key, name in case.names(found, "inputs").items()}
    names = case.names(found, "outputs")
    with ENGINE.load(found.graph) as program:
        results = program.run(fed, [names[key] for key in expected])
    assert not differences(dict(zip(expected, results, strict=True)), expected)


@pytest.mark.tensorflow
def test_answers_of_tensorflow() -> None:
    from pbslim.engines.tensorflow import ENGINE as TENSORFLOW

    for case in CASES:
        found = case.frozen()
        feeds, expected = case.arrays("feeds"), case.arrays("expected")
        fed = {name: feeds[key] for key, name in case.names(found, "inputs").items()}
        names = case.names(found, "outputs")
        with TENSORFLOW.load(found.graph) as program:
            results = program.run(fed, [names[key] for key in expected])
        assert not differences(dict(zip(expected, results, strict=True)), expected), case


@pytest.mark.parametrize("case", [case for case in _WITH_REFERENCE if case.name.startswith("tf1")], ids=str)
def test_graphs_of_tensorflow_1_are_the_same_node_by_node(case: Case) -> None:
    found, reference = case.frozen().graph, pbslim.load(case.folder / case.facts["frozen"])
    assert [_described(node) for node in found] == [_described(node) for node in reference]
    for node in reference:
        if node.op == "Const":
            np.testing.assert_array_equal(found[node.name].tensor().numpy(), node.tensor().numpy())


def _described(node: Node) -> tuple[object, ...]:
    attrs = {
        key: value
        for key, value in node.attrs.items()
        if key not in ("_output_shapes", "value") and not is_default(node.op, key, value)
    }
    return node.name, node.op, [value.name for value in node.inputs], {each.name for each in node.controls}, attrs


@pytest.mark.parametrize("case", [case for case in CASES if case.name.startswith("tf2")], ids=str)
def test_graphs_of_tensorflow_2_need_nothing_beside_them(case: Case) -> None:
    found = case.frozen()
    graph = found.graph
    assert case.names(found, "inputs") == {k: v.removesuffix(":0") for k, v in case.facts["frozen_inputs"].items()}
    assert case.names(found, "outputs") == {k: v.removesuffix(":0") for k, v in case.facts["frozen_outputs"].items()}
    used = {node.op for node in graph} | {op for each in graph.library.functions.values() for op in each.ops}
    assert not {node.op for node in graph} & _CALLS
    assert "VarHandleOp" not in used
    for name in graph.library.functions:
        body = graph.library.functions[name].body()
        assert not {node.op for node in body.graph} & (_VARIABLES | _CALLS), name
    if case.facts.get("frozen"):
        wanted = [
            node.tensor().numpy() for node in pbslim.load(case.folder / case.facts["frozen"]) if node.op == "Const"
        ]
        held = [node.tensor().numpy() for node in graph if node.op == "Const"]
        missing = [value for value in wanted if not any(_is_equal(value, other) for other in held)]
        assert not [value.shape for value in missing if value.size > 1]


def _is_equal(a: np.ndarray, b: np.ndarray) -> bool:
    return a.shape == b.shape and a.dtype == b.dtype and bool(np.array_equal(a, b))


@pytest.mark.parametrize(
    ("path", "error"), damaged(), ids=lambda value: getattr(value, "parent", Path(str(value))).name
)
def test_damaged_models_are_refused(path: Path, error: str, tmp_path: Path) -> None:
    target = tmp_path / "frozen.pb"
    with pytest.raises(pbslim.PbslimError) as found:
        pbslim.save(pbslim.freeze(path).graph, target)
    assert "\n" not in str(found.value), error
    assert list(tmp_path.iterdir()) == []


def test_tags_that_no_graph_has_are_refused_with_those_that_there_are() -> None:
    folder = next((case.folder for case in CASES if case.folder.name == "tf1_several_tags"), None)
    if folder is None:
        pytest.skip("the golden cases are not here")
    facts = json.loads((folder / "case.json").read_text())
    for tags in facts["must_refuse_tags"]:
        with pytest.raises(pbslim.UsageError, match="cpu,serve"):
            pbslim.freeze(folder / facts["path"], tags=tags)
