"""The builtin engine runs every shared model, to TensorFlow's values."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from pbslim.engines import engine
from tests.shared import meta, models, needs_shared

# TensorFlow itself differs by as much as 4e-4 from run to run of these: values of a thousand before a sigmoid,
# logarithms of numbers near zero
ROUGH = {"blazepose_lite": 8e-4, "basic_pitch": 3e-4}


@needs_shared
@pytest.mark.parametrize("folder", models(), ids=lambda folder: str(folder.name))
def test_same_as_tensorflow(folder: Path) -> None:
    """Every value of every output within 1e-4 of the largest one."""
    with np.load(folder / "feeds.npz") as feeds, np.load(folder / "expected.npz") as expected:
        with engine("builtin").load(folder / "model.pb") as program:
            found = program.run(dict(feeds), list(expected))
        for name, mine in zip(expected, found, strict=True):
            theirs = expected[name]
            assert mine.shape == theirs.shape, name
            if mine.dtype.kind == "O":
                assert mine.astype(theirs.dtype).tolist() == theirs.tolist(), name
            elif mine.dtype.kind == "f":
                assert mine.dtype == theirs.dtype
                largest = float(np.abs(theirs).max(initial=0))
                np.testing.assert_allclose(mine, theirs, rtol=0, atol=ROUGH.get(folder.name, 1e-4) * largest)
            else:
                np.testing.assert_array_equal(mine, theirs)


@needs_shared
def test_every_needed_node_is_supported() -> None:
    """What `unsupported` says of the models before they run."""
    from pbslim import api

    for folder in models():
        facts = meta(folder)
        outputs = [output["name"] for output in facts["outputs"]]
        assert engine("builtin").unsupported(api.load(folder / "model.pb"), outputs) == []
