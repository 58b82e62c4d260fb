"""What is compared in place of what a selection gives."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import pbslim
from pbslim.compression.model import Model
from pbslim.engines import engine
from pbslim.shrinking.proof import Files
from pbslim.shrinking.stand_ins import stand_ins
from tests.graphs import parse

BEST = """
    x = Placeholder(dtype='float', shape=[-1, 4])
    scores = Relu(x)
    most = Const(2, dtype='int32')
    best = TopKV2(scores, most)
    y = Identity(best)
    -> y
"""
SAMPLE = np.array([[1, 2, 3, 4]], np.float32)


@pytest.mark.parametrize(
    ("scores", "sample", "found"),
    [
        ("Relu(x)", SAMPLE, ["scores"]),
        ("Neg(x)", SAMPLE, []),  # something else of that name
        ("Cast(x, SrcT='float', DstT='int32')", SAMPLE, []),
        ("Tile(x, twice)", SAMPLE, []),
        ("OpOfNobody(x)", SAMPLE, []),  # the original cannot run
        ("Relu(x)", SAMPLE * np.float32(np.inf), []),
        ("Relu(x)", SAMPLE * np.float32(np.nan), []),
    ],
)
def test_names_must_mean_the_same_in_both(scores: str, sample: np.ndarray, found: list[str], tmp_path: Path) -> None:
    original, _ = parse(
        f"""
            x = Placeholder(dtype='float', shape=[-1, 4])
            twice = Const([1, 2], dtype='int32')
            scores = {scores}
            -> scores
        """
    )
    pbslim.save(original, tmp_path / "in.pb")
    simplified, outputs = parse(BEST)
    files = Files(tmp_path / "in.pb", tmp_path / "out.pb", ["x"], ["x"], outputs)
    with engine("builtin").load(simplified) as program:
        model = Model.of(simplified, program, ["x"], outputs)
        assert stand_ins(model, files, {"x": sample}) == found
