"""The article's command lines: those of transform_graph, and optimize_for_inference before quantize_graph.

How far 256 levels move an answer is the model's matter (where a batch norm is not folded, its variances are rounded
too), so it is the loss that is held against rounding: all of it, and nothing else, comes from the levels.
"""

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
from tests.shared import SHARED, STEEP, examples, meta, models, needs_shared

pytestmark = needs_shared

FINE = 24
"""So many bits move no weight further than float arithmetic does."""
RTOL = 1e-2  # of the largest value; a small variance beside a large one moves by more than a float of its size
Answers = dict[str, npt.NDArray[Any]]


@pytest.mark.tensorflow
@pytest.mark.parametrize("folder", models() if SHARED.exists() else [], ids=lambda folder: folder.name)
def test_the_loss_is_what_rounding_explains(folder: Path, tmp_path: Path) -> None:
    optimized = _optimized(folder, tmp_path)
    with np.load(folder / "feeds.npz") as file:
        feeds = {name: file[name] for name in file.files}
    outputs = [each["name"] for each in meta(folder)["outputs"]]

    def answers(graph: Graph) -> Answers:
        return _answers(graph, tmp_path, feeds, outputs)

    before, fine, rounded = (load(optimized) for _ in range(3))
    quantize_graph(fine, outputs, "weights_rounded", bitdepth=FINE)
    found, want = answers(fine), answers(before)
    for name in set(outputs).difference(meta(folder).get("order_sensitive", [])):
        if want[name].dtype.kind == "f":
            largest = np.abs(want[name][np.isfinite(want[name])]).max(initial=0)
            apart = ~np.isclose(found[name], want[name], rtol=0, atol=RTOL * largest, equal_nan=True)
            assert np.mean(apart) <= (2e-3 if (folder.name, name) in STEEP else 0), name
        else:
            assert found[name].tolist() == want[name].tolist()
    quantize_graph(rounded, outputs, "weights_rounded")
    found, want = answers(rounded), answers(_rounded(before))
    for name in outputs:
        np.testing.assert_array_equal(found[name], want[name])


@pytest.mark.tensorflow
@pytest.mark.parametrize("name", ["digits_conv", "ctn_digits_dense"])
def test_accuracy_holds(name: str, tmp_path: Path) -> None:
    folder = SHARED / "models" / name
    feeds, prediction = examples(folder)
    rounded = load(_optimized(folder, tmp_path))
    quantize_graph(rounded, [prediction], "weights_rounded")
    want, got = (
        _answers(graph, tmp_path, feeds, [prediction])[prediction] for graph in (load(folder / "model.pb"), rounded)
    )
    assert np.mean(want == got) >= 0.99


def _optimized(folder: Path, tmp_path: Path) -> Path:
    graph = load(folder / "model.pb")
    inputs, outputs = ([each["name"] for each in meta(folder)[key]] for key in ("inputs", "outputs"))
    optimize_for_inference(graph, inputs, outputs)
    save(graph, tmp_path / "optimized.pb")
    return tmp_path / "optimized.pb"


def _answers(graph: Graph, tmp_path: Path, feeds: Answers, outputs: list[str]) -> Answers:
    pytest.importorskip("tensorflow")
    from pbslim.engines import tensorflow

    save(graph, tmp_path / "graph.pb")
    return dict(zip(outputs, tensorflow.run(tmp_path / "graph.pb", feeds, outputs), strict=True))


def _rounded(graph: Graph) -> Graph:
    """Every float constant moved to the middles of 256 equal buckets between its lowest and its highest value."""
    for node in graph:
        values = node.tensor().numpy() if node.op == "Const" and node.tensor().dtype is FLOAT else np.empty(0)
        width = np.ptp(values) / np.float32(256) if values.size and np.isfinite(values).all() else 0
        if 0 < width < np.inf:
            bucket = np.floor((values - values.min()) / width).clip(max=255)
            node.set_attr("value", ArrayTensor(values.min() + width * (bucket + np.float32(0.5)), FLOAT))
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


@pytest.mark.tensorflow
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
