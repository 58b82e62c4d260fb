"""Models that take images of any size are compressed with some that are large enough for all their weights."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import pbslim
from pbslim.shrinking.options import CompressionOptions
from pbslim.shrinking.shrink import shrink
from pbslim.verification import compare_files, photographs
from tests.compression.networks import fully_convolutional

SIDE = 512


@pytest.mark.slow
def test_larger_images_keep_the_promise_too(tmp_path: Path) -> None:
    """The last filters see nothing but padding around images of 128x128, which would leave them almost no bits."""
    pbslim.save(fully_convolutional(halvings=7), tmp_path / "in.pb")
    options = CompressionOptions()
    shrink(tmp_path / "in.pb", tmp_path / "out.pb", options=options)
    images = np.stack([np.kron(each, np.ones((SIDE // 256, SIDE // 256, 1))) for each in photographs.tests()[:6]])
    found = compare_files(tmp_path / "in.pb", tmp_path / "out.pb", {"x": images.astype(np.float32) / 255})
    assert found.snr >= options.promise.snr
