"""Every shared model through every recipe, run in TensorFlow and compared with what it answered before."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from pbslim import shrink
from pbslim.shrinking.options import CompressionOptions
from pbslim.shrinking.recipes import RECIPES
from pbslim.wire import load
from tests.shared import SHARED, STEEP, examples, meta, models, needs_shared

pytestmark = needs_shared

OPTIMIZE_RTOL, OPTIMIZE_ATOL = 1e-4, 1e-6
# Lossy recipes: how far a class may move is the model's matter; here the graph must run and accuracy must be told.
LEAST_AGREEMENT = 0.9


def _outputs(folder: Path) -> list[str]:
    order_sensitive = meta(folder).get("order_sensitive", [])
    return [o["name"] for o in meta(folder)["outputs"] if o["name"] not in order_sensitive]


@pytest.mark.tensorflow
@pytest.mark.parametrize("recipe", RECIPES)
@pytest.mark.parametrize("folder", models() if SHARED.exists() else [], ids=lambda folder: folder.name)
def test_answers_as_before(folder: Path, recipe: str, tmp_path: Path) -> None:
    pytest.importorskip("tensorflow")
    from pbslim.engines import tensorflow

    facts = meta(folder)
    names = [o["name"] for o in facts["outputs"]]
    out = tmp_path / "out.pb"
    inputs = [i["name"] for i in facts["inputs"]]
    quick = CompressionOptions(effort="least")  # how near weights stay with more inputs is for fewer models to show
    result = shrink(folder / "model.pb", out, recipe, inputs=inputs, outputs=names, options=quick)
    assert result.after.size <= result.before.size * 1.001
    with np.load(folder / "feeds.npz") as feeds, np.load(folder / "expected.npz") as expected:
        got = tensorflow.run(out, {k: feeds[k] for k in feeds.files}, names)
        for name, array in zip(names, got, strict=True):
            if name not in _outputs(folder):
                continue
            want = expected[name]
            if want.dtype.kind == "S":
                assert array.astype("S").tolist() == want.tolist()
                continue
            assert array.dtype == want.dtype
            if recipe == "optimize":
                assert array.shape == want.shape
                rtol = STEEP.get((folder.name, name), OPTIMIZE_RTOL)
                scale = float(np.abs(want).max(initial=0))
                np.testing.assert_allclose(array, want, rtol=0, atol=OPTIMIZE_ATOL + rtol * scale)
            else:
                assert np.isfinite(array).all() or not np.isfinite(want).all()


@pytest.mark.tensorflow
@pytest.mark.parametrize("recipe", RECIPES)
@pytest.mark.parametrize("name", ["digits_conv", "ctn_digits_dense"])
def test_accuracy_holds(name: str, recipe: str, tmp_path: Path) -> None:
    pytest.importorskip("tensorflow")
    from pbslim.engines import tensorflow

    folder = SHARED / "models" / name
    feeds, prediction = examples(folder)
    shrink(folder / "model.pb", tmp_path / "out.pb", recipe, outputs=[prediction])
    answers = [tensorflow.run(model, feeds, [prediction])[0] for model in (folder / "model.pb", tmp_path / "out.pb")]
    assert np.mean(answers[0] == answers[1]) >= (1 if recipe == "optimize" else LEAST_AGREEMENT)


@pytest.mark.slow
def test_the_recipes_reach_the_reference_sizes(tmp_path: Path) -> None:
    model = SHARED / "models" / "mobilenet_v1_retrained" / "model.pb"
    rounded = shrink(model, tmp_path / "round.pb", "round-legacy", exact_zip=True).after
    assert rounded.zipped.bytes <= 4.6e6
    eight_bit = shrink(model, tmp_path / "eight.pb", "eight-bit-legacy", exact_zip=True).after
    assert eight_bit.size <= 4.3e6
    assert eight_bit.zipped.bytes <= 3.0e6


def test_an_untouched_model_is_written_byte_for_byte(tmp_path: Path) -> None:
    from pbslim import save

    for folder in sorted((SHARED / "models").glob("*/model.pb")):
        save(load(folder), tmp_path / "same.pb")
        assert (tmp_path / "same.pb").read_bytes() == folder.read_bytes(), folder


def test_a_graph_that_is_not_frozen_is_refused(tmp_path: Path) -> None:
    from pbslim.errors import UsageError

    model = SHARED / "models" / "musicnn_mtt_unfrozen" / "model.pb"
    with pytest.raises(UsageError, match=r"the graph is not frozen: \d+ variables without values here, such as"):
        shrink(model, tmp_path / "out.pb", outputs=["model/Sigmoid"])
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("folder", models() if SHARED.exists() else [], ids=lambda folder: folder.name)
def test_inputs_and_outputs_are_found(folder: Path) -> None:
    from pbslim.analysis.endpoints import find_endpoints

    inputs, outputs = find_endpoints(load(folder / "model.pb"))
    wanted = {o["name"] for o in meta(folder)["outputs"]}
    names = {endpoint.name for endpoint in inputs}
    # The loss of a training graph looks like any other output, and it needs the labels.
    assert names - {"labels"} == {i["name"] for i in meta(folder)["inputs"]}
    # What something else in the graph reads as well (a probability behind which the class is taken) is not seen.
    graph = load(folder / "model.pb")
    assert {name for name in wanted if not graph[name].readers} <= {endpoint.name for endpoint in outputs}
