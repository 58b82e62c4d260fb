"""Every shared model through optimize_for_inference, run in TensorFlow and compared with what it answered before."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from pbslim import load, optimize_for_inference, save
from tests.shared import SHARED, STEEP, meta, models, needs_shared

pytestmark = needs_shared
RTOL = 1e-4  # of the largest value: batch norms are folded


@pytest.mark.tensorflow
@pytest.mark.parametrize("folder", models() if SHARED.exists() else [], ids=lambda folder: folder.name)
def test_answers_as_before(folder: Path, tmp_path: Path) -> None:
    pytest.importorskip("tensorflow")
    from pbslim.engines import tensorflow

    facts = meta(folder)
    inputs, outputs = ([end["name"] for end in facts[key]] for key in ("inputs", "outputs"))
    for everything in (False, True):
        graph = load(folder / "model.pb")
        count = len(graph)
        optimize_for_inference(graph, inputs, outputs, all_batch_norms=everything)
        assert len(graph) <= count
        save(graph, tmp_path / "out.pb")
        with np.load(folder / "feeds.npz") as feeds, np.load(folder / "expected.npz") as expected:
            got = tensorflow.run(tmp_path / "out.pb", {key: feeds[key] for key in feeds.files}, outputs)
            for name, array in zip(outputs, got, strict=True):
                if name in facts.get("order_sensitive", []):
                    continue
                want = expected[name]
                if want.dtype.kind == "S":
                    assert array.astype("S").tolist() == want.tolist()
                    continue
                assert (array.dtype, array.shape) == (want.dtype, want.shape)
                largest = float(np.abs(want).max(initial=0))
                rtol = STEEP.get((folder.name, name), RTOL)
                np.testing.assert_allclose(array, want, rtol=0, atol=1e-6 + rtol * largest)
