"""OpenCV's ``dnn`` reads what the recipes write, and answers as TensorFlow did."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from pbslim import run, shrink
from pbslim.engines import engine
from pbslim.errors import PbslimError
from tests.graphs import parse
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


@pytest.mark.parametrize("recipe", ["optimize", "round", "round-legacy", "eight-bit-legacy"])
def test_the_example_keeps_its_accuracy(recipe: str, tmp_path: Path) -> None:
    shrink(ROOT / "examples" / "digits.pb", tmp_path / "out.pb", recipe, outputs=["probabilities"])
    with np.load(ROOT / "examples" / "digits_eval.npz") as file:
        images, labels = file["input"], file["labels"]
    answers = _forward(tmp_path / "out.pb", images, "probabilities").argmax(axis=1)
    assert np.mean(answers == labels) >= 0.99


SMALL = """
    x = Placeholder(shape=[1, 4, 4, 2])
    w = Const([[[[1, 0], [0, 2]]]])
    b = Const([1, -1])
    c = Conv2D(x, w, strides=[1, 1, 1, 1], padding='SAME')
    y = BiasAdd(c, b)
    z = Relu(y)
    left = Frobnicate(z)
    same = Identity(z)
    words = StringJoin(x)
    branch = Switch(x, x)
"""
X = np.linspace(-1, 1, 32, dtype=np.float32).reshape(1, 4, 4, 2)


def test_the_engine_gives_outputs_by_their_names_in_the_graph() -> None:
    """Merged layers, other outputs' ancestors and leftovers that OpenCV does not know do not prevent it."""
    graph = parse(SMALL)[0]
    fetches = ["same", "y", "z"]
    with engine("builtin").load(graph) as program:
        expected = program.run({"x": X}, fetches)
    with engine("opencv").load(graph) as program:
        for _ in range(2):
            for mine, theirs in zip(program.run({"x": X}, fetches), expected, strict=True):
                np.testing.assert_allclose(mine, theirs, rtol=0, atol=1e-6)


def test_what_opencv_does_not_have_is_said_in_one_line() -> None:
    graph = parse(SMALL)[0]
    opencv = engine("opencv")
    reasons = {each.node: each.reason for each in opencv.unsupported(graph, ["z", "words", "branch"], ["z"])}
    assert reasons == {
        "words": "OpenCV has no strings and resources",
        "branch": "OpenCV has no loops, branches and functions",
        "z": "it is not an input",
    }
    with opencv.load(graph) as program:
        with pytest.raises(PbslimError, match=r"^OpenCV cannot .*Frobnicate"):
            program.run({"x": X}, ["left"])
        with pytest.raises(PbslimError, match="no value is fed for input 'x'"):
            program.run({}, ["z"])


@needs_shared
@pytest.mark.parametrize("name", ["facemesh", "posenet", "digits_conv"])
def test_several_outputs(name: str) -> None:
    folder = SHARED / "models" / name
    with np.load(folder / "feeds.npz") as feeds, np.load(folder / "expected.npz") as expected:
        found = run(folder / "model.pb", dict(feeds), list(expected), engine="opencv")
        for output, theirs in expected.items():
            largest = float(np.abs(theirs).max())
            np.testing.assert_allclose(found[output], theirs, rtol=0, atol=1e-4 * largest)
