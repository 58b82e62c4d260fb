"""Float rounding is told from a real difference: on a few models here, on all of them with ``PBSLIM_EVERY_MODEL=1``."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from pbslim import api
from pbslim.ir import ArrayTensor, Graph, Node
from pbslim.ir.order import ancestors, file_order
from tests.shared import meta, models, needs_shared

EVERY = bool(os.environ.get("PBSLIM_EVERY_MODEL"))
# Activations are rounded to 8 bits; boxes are selected; values go round a loop; weights are folded into each other.
FEW = ("fake_quant", "detection_v1", "lstm_while", "unfused_bn")
SEEDS, SAMPLES = (range(20), 8) if EVERY else (range(2), 2)

pytestmark = needs_shared
folders = [folder for folder in models() if EVERY or folder.name in FEW]
each_model = pytest.mark.parametrize("folder", folders, ids=[folder.name for folder in folders])


def names(folder: Path) -> tuple[list[str], list[str]]:
    facts = meta(folder)
    inputs, outputs = ([each["name"] for each in facts[key]] for key in ("inputs", "outputs"))
    return inputs, outputs


def middle_weights(graph: Graph, outputs: list[str]) -> Node:
    """The constant of the middle layer: of those with weights, in the order in which they run."""
    needed = ancestors(graph[name.partition(":")[0]] for name in outputs)
    found = [
        node
        for node in file_order(graph)
        if node in needed and node.op == "Const" and node.tensor().dtype.name == "float"
        if node.tensor().size >= 128 and len(node.tensor().shape) >= 2
    ]
    return found[len(found) // 2]


@pytest.mark.slow
@each_model
def test_optimizing_is_never_a_false_alarm(folder: Path, tmp_path: Path) -> None:
    inputs, outputs = names(folder)
    api.shrink(folder / "model.pb", tmp_path / "o.pb", "optimize", inputs=inputs, outputs=outputs)
    for seed in SEEDS:
        found = api.verify(folder / "model.pb", tmp_path / "o.pb", outputs=outputs, seed=seed, samples=SAMPLES)
        assert found.agrees, (seed, str(found.verdict), found.failures, found.notes)
        assert found.verdict.is_exact


@pytest.mark.slow
@each_model
@pytest.mark.parametrize("optimized", [False, True], ids=["as it is", "optimized"])
def test_one_weight_is_always_told_from_rounding(folder: Path, tmp_path: Path, optimized: bool) -> None:
    inputs, outputs = names(folder)
    graph = api.load(folder / "model.pb")
    if optimized:
        api.shrink(folder / "model.pb", tmp_path / "o.pb", "optimize", inputs=inputs, outputs=outputs)
        graph = api.load(tmp_path / "o.pb")
    node = middle_weights(graph, outputs)
    tensor = node.tensor()
    weights = tensor.numpy().copy()
    for seed in SEEDS[:5]:
        changed = weights.copy()
        changed.flat[np.random.default_rng(seed).integers(weights.size)] += np.abs(weights).max() / 10
        node.set_attr("value", ArrayTensor(changed, tensor.dtype))
        found = api.verify(folder / "model.pb", graph, outputs=outputs, seed=seed, samples=SAMPLES)
        assert not found.agrees, (seed, node.name)
        assert not found.verdict.is_exact


@each_model
def test_the_layer_of_a_changed_weight_is_named(folder: Path) -> None:
    _, outputs = names(folder)
    graph = api.load(folder / "model.pb")
    node = middle_weights(graph, outputs)
    tensor = node.tensor()
    weights = tensor.numpy().copy()
    weights.flat[np.random.default_rng(0).integers(weights.size)] += np.abs(weights).max() / 10
    node.set_attr("value", ArrayTensor(weights, tensor.dtype))
    found = api.verify(folder / "model.pb", graph, outputs=outputs, samples=SAMPLES, per_layer=True)
    assert node.name in found.worst_layers()[0].constants
