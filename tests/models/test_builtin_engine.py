"""The builtin engine runs every shared model and golden case, to TensorFlow's values."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pbslim.engines import engine
from tests.shared import SHARED, meta, models, needs_shared

# Sums of a thousand before a sigmoid, logarithms of numbers near zero: computed in double precision, TensorFlow's own
# values turn out to be 4.1e-4 and 2e-5 away from the true ones, the builtin engine's 1.6e-4 and 7e-5.
ROUGH = {"blazepose_lite": 8e-4, "basic_pitch": 2e-4}


def check(path: Path, feeds: dict[str, Any], expected: dict[str, Any], tolerance: float = 1e-4) -> None:
    """Every value of every output is within `tolerance` of the largest one, and what is not a number is the same."""
    with engine("builtin").load(path) as program:
        found = program.run(feeds, list(expected))
    for (name, theirs), mine in zip(expected.items(), found, strict=True):
        assert mine.shape == theirs.shape, name
        if mine.dtype.kind == "O":
            assert mine.astype(theirs.dtype).tolist() == theirs.tolist(), name
        elif mine.dtype.kind in "fc":
            assert mine.dtype == theirs.dtype
            largest = float(np.abs(theirs[np.isfinite(theirs)]).max(initial=0))
            np.testing.assert_allclose(mine, theirs, rtol=0, atol=tolerance * largest)
        else:
            np.testing.assert_array_equal(mine, theirs)


def arrays(path: Path) -> dict[str, Any]:
    with np.load(path) as file:
        return dict(file)


@pytest.mark.slow
@needs_shared
@pytest.mark.parametrize("folder", models(), ids=lambda folder: str(folder.name))
def test_models(folder: Path) -> None:
    tolerance = ROUGH.get(folder.name, 1e-4)
    check(folder / "model.pb", arrays(folder / "feeds.npz"), arrays(folder / "expected.npz"), tolerance)


@needs_shared
def test_golden_cases() -> None:
    """All that can be run at all."""
    found = sorted((SHARED / "golden").rglob("expected.npz"))
    assert len(found) > 200
    for path in found:
        feeds = path.with_name("feeds.npz")
        check(path.with_name("in.pb"), arrays(feeds) if feeds.exists() else {}, arrays(path))


@needs_shared
def test_every_needed_node_is_supported() -> None:
    """What `unsupported` says of the models before they run."""
    import pbslim

    for folder in models():
        facts = meta(folder)
        outputs = [output["name"] for output in facts["outputs"]]
        assert engine("builtin").unsupported(pbslim.load(folder / "model.pb"), outputs) == []
