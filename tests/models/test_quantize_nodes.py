"""The eight-bit recipe on every shared model: as TensorFlow 1.15.5 does it, and run by TensorFlow 2.

``scripts/record_quantized_models.py`` records what the former makes of the models and what its graphs answer. The graph
is held to that strictly: the same nodes, and constants that hold the same. The answers cannot be: the order in which a
processor adds up moves a sum by a rounding, that flips codes between layers, and these more codes in the next ones. So
they are held loosely, and only where little hangs on rounding; where no answer is recorded, finite ones are due.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from functools import cache
from pathlib import Path

import numpy as np
import pytest

import pbslim
from pbslim.verification.metrics import snr
from tests.constants import agrees, constants
from tests.shared import ROOT, SHARED, meta, models, needs_shared
from tests.structure import structure

pytestmark = needs_shared

RECORD = ROOT / "tests" / "data" / "quantized_models.json"
RECIPES = {
    "documented": """
        add_default_attributes
        strip_unused_nodes
        remove_nodes(op=Identity, op=CheckNumerics)
        fold_constants(ignore_errors=true)
        fold_batch_norms
        fold_old_batch_norms
        quantize_weights
        quantize_nodes
        strip_unused_nodes
        sort_by_execution_order""",
    "alone": """
        add_default_attributes
        strip_unused_nodes
        quantize_weights
        quantize_nodes
        strip_unused_nodes""",
}
# Where docs/differences.md says that another graph is due.
_PIVOTS = "remove_nodes leaves the pivots of loops"
_FOLDED = "fold_constants folds, where the reference fails"
DIFFERENT = {
    "documented": {
        "basic_pitch": "unequal strides, which QuantizedConv2D refuses",
        "blazepose_lite": "half_pixel_centers",
        "detection_v1": _PIVOTS,
        "faceboxes": _PIVOTS,
        "lstm_while": _PIVOTS,
        "movenet_lightning": "half_pixel_centers",
        "odd_graph": "control inputs",
        "selfie_segmentation": "half_pixel_centers",
        "tf2_keras_lstm": _FOLDED,
        "vscode_langdetect": _FOLDED,
    },
    "alone": {
        "basic_pitch": "unequal strides, which QuantizedConv2D refuses",
        "blazepose_lite": "half_pixel_centers",
        "fake_quant": "colocation with nodes that are gone",
        "movenet_lightning": "half_pixel_centers",
        "odd_graph": "control inputs",
        "selfie_segmentation": "half_pixel_centers",
    },
}
OTHER_CONSTANTS = {"basic_pitch", "odd_graph", "tf2_keras_lstm"}  # fewer; elsewhere the difference is not in them
FLOOR = 6.0
"""Decibels that an answer keeps to the recorded one on any processor; unrelated numbers have -3."""
OTHER_RESULTS = {"blazepose_lite", "movenet_lightning", "selfie_segmentation"}  # half_pixel_centers
_SHOWN = 16

Transformed = Callable[[Path, str], Path]
"""The folder of a model and a recipe → the file with what is made of it."""

folders = pytest.mark.parametrize("folder", models() if SHARED.exists() else [], ids=lambda folder: folder.name)


def endpoints(folder: Path) -> tuple[list[str], list[str]]:
    facts = meta(folder)
    return [i["name"] for i in facts["inputs"]], [o["name"] for o in facts["outputs"]]


def results(path: Path, folder: Path) -> dict[str, list[float]]:
    """Numbers from all over each output, rounded to six digits."""
    from pbslim.engines import tensorflow

    _, names = endpoints(folder)
    with np.load(folder / "feeds.npz") as feeds:
        arrays = tensorflow.run(path, {k: feeds[k] for k in feeds.files}, names)
    found = {}
    for name, array in zip(names, arrays, strict=True):
        if array.dtype.kind in "fiub":
            places = np.linspace(0, array.size - 1, min(_SHOWN, array.size)).astype(int)
            found[name] = [float(f"{number:.6g}") for number in array.reshape(-1)[places].astype(float)]
    return found


@pytest.fixture(scope="module")
def transformed(tmp_path_factory: pytest.TempPathFactory) -> Transformed:
    """Makes each file once."""
    place = tmp_path_factory.mktemp("transformed")

    @cache
    def make(folder: Path, recipe: str) -> Path:
        graph, path = pbslim.load(folder / "model.pb"), place / f"{folder.name}-{recipe}.pb"
        pbslim.transform(graph, RECIPES[recipe], *endpoints(folder))
        pbslim.save(graph, path)
        return path

    return make


@pytest.mark.slow
@pytest.mark.parametrize("recipe", RECIPES)
@folders
def test_the_graph_is_that_of_the_reference(folder: Path, recipe: str, transformed: Transformed) -> None:
    inputs, outputs = endpoints(folder)
    recorded = json.loads(RECORD.read_text())[folder.name][recipe]["structure"]
    same = structure(pbslim.load(transformed(folder, recipe)), {*inputs, *outputs}) == recorded
    assert same != (folder.name in DIFFERENT[recipe])


@pytest.mark.slow
@pytest.mark.parametrize("recipe", RECIPES)
@folders
def test_the_constants_hold_what_those_of_the_reference_hold(
    folder: Path, recipe: str, transformed: Transformed
) -> None:
    found = constants(pbslim.load(transformed(folder, recipe)), endpoints(folder)[1])
    recorded = json.loads(RECORD.read_text())[folder.name][recipe]["constants"]
    if folder.name in OTHER_CONSTANTS & DIFFERENT[recipe].keys():
        assert len(found) != len(recorded)
        return
    pairs = zip(found.items(), recorded, strict=True)
    assert not [name for (name, tensor), numbers in pairs if not agrees(tensor, numbers)]


@pytest.fixture(scope="module")
def answers(tmp_path_factory: pytest.TempPathFactory, transformed: Transformed) -> dict[str, dict[str, list[float]]]:
    """Model → what its graph answers, in a TensorFlow that does not round as oneDNN does."""
    pytest.importorskip("tensorflow")
    place = tmp_path_factory.mktemp("codes")
    for folder in models():
        (place / f"{folder.name}.pb").symlink_to(transformed(folder, "documented"))
    command = [sys.executable, "-c", "from tests.models.test_quantize_nodes import run_all; run_all()", str(place)]
    environment = {**os.environ, "TF_ENABLE_ONEDNN_OPTS": "0"}
    run = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
    found: dict[str, dict[str, list[float]]] = json.loads((place / "answers.json").read_text())
    return found


def run_all() -> None:
    place = Path(sys.argv[1])
    found = {folder.name: results(place / f"{folder.name}.pb", folder) for folder in models()}
    (place / "answers.json").write_text(json.dumps(found))


@pytest.mark.tensorflow
@folders
def test_it_answers_what_the_graph_of_the_reference_answers(
    folder: Path, answers: dict[str, dict[str, list[float]]]
) -> None:
    got, wanted = answers[folder.name], json.loads(RECORD.read_text())[folder.name]["results"]
    assert all(np.isfinite(numbers).all() for numbers in got.values())
    if folder.name in OTHER_RESULTS:
        return
    assert got.keys() >= wanted.keys()
    for name, numbers in wanted.items():
        assert snr(np.array(numbers), np.array(got[name])) > FLOOR, name
