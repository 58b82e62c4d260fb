"""Models with loops, of both kinds, are compressed by what their weights read in each turn."""

from __future__ import annotations

from pathlib import Path

import pytest

from pbslim.engines.builtin.program import BuiltinProgram
from pbslim.shrinking.options import CompressionOptions
from pbslim.shrinking.shrink import shrink
from tests.shared import SHARED, needs_shared

pytestmark = [needs_shared, pytest.mark.slow]


@pytest.mark.parametrize("name", ["lstm_while", "tf2_keras_lstm"])
def test_loops_that_are_looked_into_make_smaller_files(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model, out = SHARED / "models" / name / "model.pb", tmp_path / "small.pb"
    seen = shrink(model, out)
    again = shrink(model, tmp_path / "again.pb", options=CompressionOptions(plan=seen.plan))
    assert again.plan == seen.plan
    assert (tmp_path / "again.pb").read_bytes() == out.read_bytes()
    monkeypatch.setattr(BuiltinProgram, "observed", lambda *_: None)
    unseen = shrink(model, out)
    assert seen.plan is not None
    assert unseen.plan is not None
    assert seen.plan.snr > 20
    assert seen.after.size < 0.97 * unseen.after.size
