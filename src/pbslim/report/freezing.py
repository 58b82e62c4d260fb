"""What `freeze` did, as tables and as JSON."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from pbslim.analysis.endpoints import Endpoint, describe
from pbslim.freezing.freeze import Frozen
from pbslim.ir import Graph
from pbslim.report import terminal


def show(found: Frozen) -> None:
    """What the model calls inputs and outputs, and what they are in the graph."""
    rows = [
        (what, key, each.name, each.dtype, each.shape)
        for what, ends in (("input", found.signature.inputs), ("output", found.signature.outputs))
        for key, each in _described(found.graph, ends).items()
    ]
    console = terminal.stdout()
    name = found.signature.name or "in the model"
    console.print(terminal.table(["", name, "in the graph", "type", "shape"], rows))
    for each in found.initializers:
        console.print(f"run once before the first run: {each}", markup=False)


def content(found: Frozen) -> dict[str, Any]:
    """The result for JSON."""
    signature, graph = found.signature, found.graph
    return {
        "signature": signature.name,
        "inputs": {key: asdict(each) for key, each in _described(graph, signature.inputs).items()},
        "outputs": {key: asdict(each) for key, each in _described(graph, signature.outputs).items()},
        "variables": found.variables,
        "nodes": len(graph),
        "initializers": found.initializers,
        "notes": found.notes,
    }


def _described(graph: Graph, ends: Mapping[str, str]) -> dict[str, Endpoint]:
    return dict(zip(ends, describe(graph, list(ends.values())), strict=True))
