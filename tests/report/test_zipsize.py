from __future__ import annotations

import zipfile
from pathlib import Path

import numpy as np
import pytest

from pbslim.report.zipsize import zipped_size
from tests.shared import ROOT, SHARED, needs_shared


def in_a_zip(path: Path, folder: Path) -> int:
    with zipfile.ZipFile(folder / "all.zip", "w", zipfile.ZIP_DEFLATED, compresslevel=6) as archive:
        archive.write(path)
        return archive.infolist()[0].compress_size


def test_a_small_file_is_exact(tmp_path: Path) -> None:
    path = ROOT / "examples" / "digits.pb"
    assert (zipped_size(path).bytes, zipped_size(path).exact) == (in_a_zip(path, tmp_path), True)


@pytest.mark.parametrize("levels", [4, 256, 0])
def test_a_large_one_is_estimated_closely(tmp_path: Path, levels: int) -> None:
    weights = np.random.default_rng(0).normal(size=1_500_000).astype(np.float32)
    if levels:
        weights = np.round(weights * levels / 8).astype(np.float32)
    path = tmp_path / "weights"
    path.write_bytes(weights.tobytes())
    wanted = in_a_zip(path, tmp_path)
    assert zipped_size(path, exact=True).bytes == wanted
    estimate = zipped_size(path)
    assert not estimate.exact
    assert abs(estimate.bytes - wanted) <= 0.05 * wanted


@needs_shared
def test_the_shared_models_are_estimated_closely(tmp_path: Path) -> None:
    for path in sorted((SHARED / "models").glob("*/model.pb")):
        if path.stat().st_size > 2_500_000:
            wanted = in_a_zip(path, tmp_path)
            assert abs(zipped_size(path).bytes - wanted) <= 0.1 * wanted, path
