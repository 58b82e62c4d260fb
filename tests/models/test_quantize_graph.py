"""Every shared model through quantize_graph, held against what it answered before."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from pbslim import load, quantize_graph, save
from pbslim.dtypes import FLOAT
from tests.shared import SHARED, examples, meta, models, needs_shared

pytestmark = needs_shared

FOLDERS = models() if SHARED.exists() else []
# What eight bits leave of an answer is the model's matter; these are made for it or have margins to spare.
# How far an answer may be off, in parts of the largest one; TensorFlow's two sets of eight-bit kernels differ.
STURDY = {"digits_conv": 0.01, "fake_quant": 0.05, "fused_bn": 0.1, "lstm_while": 0.05, "odd_graph": 0.02}
STURDY |= {"old_batchnorm": 0.15, "unfused_bn": 0.05, "vscode_langdetect": 0.01}


def outputs_of(folder: Path) -> list[str]:
    return [output["name"] for output in meta(folder)["outputs"]]


def answers(folder: Path, path: Path) -> dict[str, tuple[npt.NDArray[Any], npt.NDArray[Any]]]:
    pytest.importorskip("tensorflow")
    from pbslim.engines import tensorflow

    names = outputs_of(folder)
    with np.load(folder / "feeds.npz") as feeds, np.load(folder / "expected.npz") as expected:
        got = tensorflow.run(path, {k: feeds[k] for k in feeds.files}, names)
        pairs = {name: (expected[name], array) for name, array in zip(names, got, strict=True)}
    for want, array in pairs.values():
        assert want.dtype.kind == "S" or array.dtype == want.dtype
    return pairs


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_rounding_moves_each_weight_by_half_a_bucket_and_touches_nothing_else(folder: Path, tmp_path: Path) -> None:
    before, after = load(folder / "model.pb"), load(folder / "model.pb")
    quantize_graph(after, outputs_of(folder), "weights_rounded")
    save(after, tmp_path / "out.pb")
    for node in load(tmp_path / "out.pb"):
        old = before[node.name]
        assert [value.name for value in node.inputs] == [value.name for value in old.inputs]
        if node.op != "Const" or node.tensor().dtype is not FLOAT:
            assert (node.op, dict(node.attrs).keys()) == (old.op, dict(old.attrs).keys())
            continue
        values, rounded = old.tensor().numpy().astype(np.float64), node.tensor().numpy()
        if not values.size or not np.isfinite(values).all():
            continue
        assert len(np.unique(rounded)) <= 256
        half_bucket, slack = np.ptp(values) / 512, 4 * np.finfo(np.float32).eps * np.abs(values).max()
        assert np.abs(rounded - values).max() <= half_bucket + slack


@pytest.mark.tensorflow
@pytest.mark.parametrize("mode", ["weights_rounded", "weights", "eightbit"])
@pytest.mark.parametrize("name", STURDY)
def test_answers_are_nearly_those_of_before(name: str, mode: str, tmp_path: Path) -> None:
    folder, out = SHARED / "models" / name, tmp_path / "out.pb"
    graph = load(folder / "model.pb")
    quantize_graph(graph, outputs_of(folder), mode)
    save(graph, out)
    assert mode == "weights_rounded" or any(node.op == "Dequantize" for node in graph)
    for want, got in answers(folder, out).values():
        assert got.shape == want.shape
        if want.dtype.kind == "f":
            assert np.abs(got - want).max() <= STURDY[name] * np.abs(want).max()


@pytest.mark.tensorflow
@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_eight_bit_graphs_run(folder: Path, tmp_path: Path) -> None:
    graph, out = load(folder / "model.pb"), tmp_path / "out.pb"
    result = quantize_graph(graph, outputs_of(folder), "eightbit")
    save(graph, out)
    eight_bit = sum(node.op.startswith("Quantized") for node in graph)
    assert eight_bit or result.skipped
    for want, got in answers(folder, out).values():
        assert want.dtype.kind == "S" or np.isfinite(got).all() or not np.isfinite(want).all()


@pytest.mark.tensorflow
@pytest.mark.parametrize("mode", ["weights_rounded", "weights", "eightbit"])
@pytest.mark.parametrize("name", ["digits_conv", "ctn_digits_dense"])
def test_accuracy_holds(name: str, mode: str, tmp_path: Path) -> None:
    pytest.importorskip("tensorflow")
    from pbslim.engines import tensorflow

    folder = SHARED / "models" / name
    feeds, prediction = examples(folder)
    graph, out = load(folder / "model.pb"), tmp_path / "out.pb"
    quantize_graph(graph, [prediction], mode)
    save(graph, out)
    want, got = (tensorflow.run(path, feeds, [prediction])[0] for path in (folder / "model.pb", out))
    assert np.mean(want == got) >= 0.97
