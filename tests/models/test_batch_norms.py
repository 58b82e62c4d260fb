"""How many batch norms of the shared models stay; that the answers do is held in test_recipes."""

from __future__ import annotations

import pytest

from pbslim import load, transform
from pbslim.shrinking.recipes import transforms_of
from pbslim.transforms.batch_norms.forms import BATCH_NORMS
from tests.shared import SHARED, meta, needs_shared

# Model → ops of batch norms in the file, and after the recipe (single ops, Mul and Rsqrt of those written out).
MODELS = {
    "checknumerics_identity": (2, 0),
    "detection_v1": (2, 0),
    "digits_conv": (3, 0),
    "emotion_xception": (14, 0),
    "fused_bn": (4, 0),
    "musicnn_mtt": (9, 9),  # behind a Relu, or on the input
    "nsfw_mobilenet_v2": (52, 0),
    "old_batchnorm": (4, 0),
    "train_leftovers": (2, 0),
}
SPELLED_OUT = {"ctn_digits_dense": 1, "mobilenet_v1_retrained": 0, "unfused_bn": 0}  # 1 of a dropout


@needs_shared
@pytest.mark.parametrize("name", [*MODELS, *SPELLED_OUT])
def test_what_is_left(name: str) -> None:
    folder = SHARED / "models" / name
    inputs, outputs = ([end["name"] for end in meta(folder)[key]] for key in ("inputs", "outputs"))
    graph = load(folder / "model.pb")
    ops = [node.op for node in graph]
    results = transform(graph, transforms_of("optimize"), inputs, outputs)
    after = [node.op for node in graph]
    if name in SPELLED_OUT:
        assert ops.count("Rsqrt") > 0
        assert (after.count("Rsqrt"), after.count("Mul")) == (0, SPELLED_OUT[name])
        return
    assert tuple(sum(op in BATCH_NORMS for op in each) for each in (ops, after)) == MODELS[name]
    told = {skipped.node for result in results for skipped in result.skipped}
    assert told >= {node.name for node in graph if node.op in BATCH_NORMS}
