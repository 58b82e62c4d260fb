from __future__ import annotations

import zipfile
from pathlib import Path

import numpy as np
import pytest

from pbslim.analysis.zipsize import ZipSize, zipped_size
from pbslim.errors import DecodeError
from tests.shared import ROOT, SHARED, models, needs_shared


def in_a_zip(path: Path, folder: Path) -> int:
    with zipfile.ZipFile(folder / "all.zip", "w", zipfile.ZIP_DEFLATED, compresslevel=6) as archive:
        archive.write(path)
        return archive.infolist()[0].compress_size


def test_a_small_file_is_exact(tmp_path: Path) -> None:
    path = ROOT / "examples" / "digits.pb"
    assert (zipped_size(path).bytes, zipped_size(path).exact) == (in_a_zip(path, tmp_path), True)


@pytest.mark.slow
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


@pytest.mark.slow
@needs_shared
def test_the_shared_models_are_estimated_closely(tmp_path: Path) -> None:
    for path in sorted((SHARED / "models").glob("*/model.pb")):
        if path.stat().st_size > 2_500_000:
            wanted = in_a_zip(path, tmp_path)
            assert abs(zipped_size(path).bytes - wanted) <= 0.1 * wanted, path


def weights(elements: int, levels: int, seed: int = 0) -> bytes:
    values = np.random.default_rng(seed).standard_normal(elements).astype("<f4")
    low, high = float(values.min()), float(values.max())
    steps = np.floor((values - low) / (high - low) * levels).clip(0, levels - 1)
    return (low + (steps + 0.5) * (high - low) / levels).astype("<f4").tobytes()


@pytest.mark.parametrize("size", [0, 1, 1000, 1 << 20, (3 << 19)])
def test_small_files_are_counted(tmp_path: Path, size: int) -> None:
    content = (weights(1 << 19, 256) + b"x")[:size]
    (tmp_path / "f").write_bytes(content)
    assert zipped_size(tmp_path / "f") == ZipSize(in_a_zip(tmp_path / "f", tmp_path), exact=True)


CONTENTS = {
    "256 levels": weights(2_000_000, 256),
    "16 levels": weights(2_000_000, 16),
    "all zero": bytes(6_000_000),
    "random": np.random.default_rng(1).bytes(6_000_000),
    "half and half": weights(1_000_000, 64) + b"node { name: 'x' op: 'Identity' }\n" * 100_000,
    # Layers that repeat in step with the strata: every window must not fall on the same part.
    "layers": b"".join(weights(12_000, 2**16, i) + weights(12_000, 16, i) for i in range(96)),
}


@pytest.mark.slow
@pytest.mark.parametrize("content", CONTENTS.values(), ids=CONTENTS)
def test_large_files_are_estimated(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "f").write_bytes(content)
    exact, estimate = zipped_size(tmp_path / "f", exact=True), zipped_size(tmp_path / "f")
    assert exact == ZipSize(in_a_zip(tmp_path / "f", tmp_path), exact=True)
    assert not estimate.exact
    # Of zeros hardly anything is left but what every deflate stream starts and ends with.
    assert estimate.bytes == pytest.approx(exact.bytes, rel=0.03, abs=len(content) / 500)
    assert zipped_size(tmp_path / "f") == estimate


@pytest.mark.slow
@needs_shared
@pytest.mark.parametrize("folder", [f for f in models() if (f / "model.pb").stat().st_size > 3 << 19], ids=str)
def test_trained_models_within_three_percent(folder: Path) -> None:
    estimate = zipped_size(folder / "model.pb")
    assert not estimate.exact
    assert estimate.bytes == pytest.approx(zipped_size(folder / "model.pb", exact=True).bytes, rel=0.03)


def test_a_missing_file(tmp_path: Path) -> None:
    with pytest.raises(DecodeError, match=r"cannot read '.*no\.pb': No such file"):
        zipped_size(tmp_path / "no.pb")
