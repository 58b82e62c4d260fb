"""OpenCV's ``dnn`` reads what the recipes write, and answers as TensorFlow did."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from pbslim import shrink
from tests.shared import ROOT, SHARED, meta, needs_shared

cv2 = pytest.importorskip("cv2")

# The first three are files that OpenCV cannot read before: FusedBatchNormV2, training leftovers, Identity chains.
READABLE = [
    "fused_bn",
    "train_leftovers",
    "digits_conv",
    "emotion_xception",
    "mobilenet_v1_retrained",
    "nsfw_mobilenet_v2",
    "selfie_segmentation",
    "unfused_bn",
]


def _forward(path: Path, images: npt.NDArray[np.float32], output: str) -> npt.NDArray[np.float32]:
    net = cv2.dnn.readNetFromTensorflow(str(path))
    net.setInput(np.ascontiguousarray(images.transpose(0, 3, 1, 2)))
    found: npt.NDArray[np.float32] = net.forward(output)
    return found.transpose(0, 2, 3, 1) if found.ndim == 4 else found


@needs_shared
@pytest.mark.parametrize("name", READABLE)
def test_optimized_models_answer_as_before(name: str, tmp_path: Path) -> None:
    folder = SHARED / "models" / name
    facts = meta(folder)
    output = facts["outputs"][-1]["name"]
    names = [o["name"] for o in facts["outputs"]]
    shrink(folder / "model.pb", tmp_path / "out.pb", "optimize", inputs=[facts["inputs"][0]["name"]], outputs=names)
    with np.load(folder / "feeds.npz") as feeds, np.load(folder / "expected.npz") as expected:
        got = _forward(tmp_path / "out.pb", feeds[feeds.files[0]], output)
        want = expected[output]
    np.testing.assert_allclose(got.reshape(want.shape), want, rtol=0, atol=1e-4 * max(1, float(np.abs(want).max())))


@pytest.mark.parametrize("recipe", ["optimize", "round", "eight-bit"])
def test_the_example_keeps_its_accuracy(recipe: str, tmp_path: Path) -> None:
    shrink(ROOT / "examples" / "digits.pb", tmp_path / "out.pb", recipe, outputs=["probabilities"])
    with np.load(ROOT / "examples" / "digits_eval.npz") as file:
        images, labels = file["input"], file["labels"]
    answers = _forward(tmp_path / "out.pb", images, "probabilities").argmax(axis=1)
    assert np.mean(answers == labels) >= 0.99
