"""The article's command lines: those of transform_graph, and optimize_for_inference before quantize_graph."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from pbslim import load, optimize_for_inference, quantize_graph, save
from pbslim.dtypes import FLOAT
from pbslim.ir import ArrayTensor, Graph
from tests.shared import SHARED, meta, models, needs_shared

pytestmark = needs_shared

# Detectors choose boxes at the end, and a choice jumps; what they choose from is held against before.
CHOSEN_FROM = {
    "detection_v1": ["Postprocessor/decoded", "scores_all"],
    "faceboxes": ["postprocessing/clip_by_value_1", "postprocessing/strided_slice_2"],
}
TRIES = 5
MARGIN = 3
"""How much further rounding may move an answer than the worst of `TRIES` others: as many buckets at random offsets."""


@pytest.mark.parametrize("folder", models() if SHARED.exists() else [], ids=lambda folder: folder.name)
def test_the_loss_is_what_rounding_explains(folder: Path, tmp_path: Path) -> None:
    pytest.importorskip("tensorflow")
    from pbslim.engines import tensorflow

    facts = meta(folder)
    inputs, outputs = ([each["name"] for each in facts[key]] for key in ("inputs", "outputs"))
    outputs = [*outputs, *CHOSEN_FROM.get(folder.name, ())]
    compared = CHOSEN_FROM.get(folder.name, outputs)
    with np.load(folder / "feeds.npz") as file:
        feeds = {name: file[name] for name in file.files}

    def answers(graph: Graph) -> list[npt.NDArray[Any]]:
        save(graph, tmp_path / "graph.pb")
        found = tensorflow.run(tmp_path / "graph.pb", feeds, [*compared, *outputs])[: len(compared)]
        return [a for a in found if a.dtype.kind == "f"]

    graph = load(folder / "model.pb")
    optimize_for_inference(graph, inputs, outputs)
    save(graph, tmp_path / "optimized.pb")
    want = answers(graph)
    others = [answers(_otherwise_rounded(load(tmp_path / "optimized.pb"), seed)) for seed in range(TRIES)]
    rounded = load(tmp_path / "optimized.pb")
    quantize_graph(rounded, outputs, "weights_rounded")
    for i, got in enumerate(answers(rounded)):
        assert got.shape == want[i].shape
        explained = max(_distance(each[i], want[i]) for each in others)
        assert _distance(got, want[i]) <= MARGIN * explained + 1e-5 * np.abs(want[i][np.isfinite(want[i])]).max(
            initial=0
        )


def _distance(got: npt.NDArray[Any], want: npt.NDArray[Any]) -> float:
    finite = np.isfinite(want)
    assert (np.isfinite(got) == finite).all()
    return float(np.abs(got[finite] - want[finite]).max(initial=0))


def _otherwise_rounded(graph: Graph, seed: int) -> Graph:
    """Every float constant to the middles of buckets as wide as those of 256 levels, but placed at random."""
    random = np.random.default_rng(seed)
    for node in graph:
        if node.op == "Const" and node.tensor().dtype is FLOAT and node.tensor().size:
            values = node.tensor().numpy().astype(np.float64)
            low, high, offset = values.min(), values.max(), random.random()
            if low < high and np.isfinite([low, high]).all():
                width = (high - low) / 256
                moved = (np.floor(values / width + offset) + 0.5 - offset) * width
                moved = moved.clip(low, high)  # a variance must not become negative
                node.set_attr("value", ArrayTensor(moved.astype(np.float32), FLOAT))
    return graph


REMOVE_NODES = "remove_nodes(op=Identity, op=CheckNumerics)\n"
COPIED = f"""transform_graph --in_graph=CTNModel.pb --out_graph=optimized_graph.pb --inputs='inputs/X' --outputs='output/predict' --transforms='
strip_unused_nodes(type=float, shape="256*64")
{REMOVE_NODES}fold_constants(ignore_errors=true)
fold_batch_norms
fold_old_batch_norms'
"""  # noqa: E501 - as it is copied
VARIANTS = {
    "as it is": COPIED,
    "without remove_nodes": COPIED.replace(REMOVE_NODES, ""),
    "rounded": COPIED.replace("old_batch_norms'", "old_batch_norms\nround_weights(num_steps=256)'"),
    "quantized": COPIED.replace("old_batch_norms'", "old_batch_norms\nquantize_weights'"),
}
STRINGS = 100


@pytest.mark.parametrize("command", VARIANTS.values(), ids=VARIANTS)
def test_transform_graph_as_people_copy_it(command: str, tmp_path: Path) -> None:
    pytest.importorskip("tensorflow")
    from pbslim.engines import tensorflow

    folder = SHARED / "models" / "ctn_digits_dense"
    (tmp_path / "CTNModel.pb").symlink_to(folder / "model.pb")
    env = os.environ | {"PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}
    done = subprocess.run(
        ["/bin/bash", "-euc", command], cwd=tmp_path, env=env, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert 'note: shape="256*64": dimensions are separated by commas; read as [256,64]' in done.stderr.splitlines()

    made = tmp_path / "optimized_graph.pb"
    size = (folder / "model.pb").stat().st_size
    assert made.stat().st_size < (size / 3.9 if "quantize_weights" in command else size)
    with np.load(folder / "eval.npz") as file:
        images, labels = file["inputs/X"][:STRINGS].astype(np.float32) / 255, file["labels"][:STRINGS]
    (predicted,) = tensorflow.run(made, {"inputs/X": images}, ["output/predict"])
    read = ((predicted == labels) | (labels < 0)).all(axis=1)
    assert read.mean() >= 0.97  # 98.33 % of all 300 as it was trained
