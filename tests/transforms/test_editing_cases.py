"""The transforms that only edit, node for node against what TensorFlow 1.15.5 makes of small graphs.

``scripts/record_editing_cases.py`` records the cases.
"""

from __future__ import annotations

import json
from typing import Any

import pytest
from google.protobuf import json_format

import pbslim
from pbslim.ir import Graph, Tensor
from pbslim.wire import schema, to_bytes
from tests.shared import ROOT

CASES = json.loads((ROOT / "tests" / "data" / "editing_cases.json").read_text())


def load(nodes: list[dict[str, Any]]) -> Graph:
    return pbslim.load(json_format.ParseDict({"node": nodes}, schema.new("GraphDef")).SerializeToString())


def plain(value: object) -> object:
    if isinstance(value, Tensor):
        return value.dtype, value.shape, value.numpy().tolist()
    return tuple(map(plain, value)) if isinstance(value, tuple) else value


def shown(graph: Graph) -> list[object]:
    return [
        (
            node.name,
            node.op,
            node.device,
            [value.name for value in node.inputs],
            sorted(control.name for control in node.controls),
            {key: plain(value) for key, value in node.attrs.items()},
        )
        for node in graph
    ]


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case['transforms']}-{len(case['outputs'])}")
def test_as_the_reference_does(case: dict[str, Any]) -> None:
    graph = load(case["graph"])
    pbslim.transform(graph, case["transforms"], case["inputs"], case["outputs"])
    got, wanted = shown(pbslim.load(to_bytes(graph))), shown(load(case["result"]))
    if case["transforms"] == "merge_duplicate_nodes":  # the order of the reference is that of hashes
        got, wanted = sorted(got, key=repr), sorted(wanted, key=repr)
    assert got == wanted
