from __future__ import annotations

import zipfile
from pathlib import Path

import numpy as np
import pytest

from pbslim.analysis.zipsize import ZipSize, zipped_size
from pbslim.errors import DecodeError
from tests.shared import ROOT, SHARED, needs_shared


def in_a_zip(path: Path, folder: Path) -> int:
    with zipfile.ZipFile(folder / "all.zip", "w", zipfile.ZIP_DEFLATED, compresslevel=6) as archive:
        archive.write(path)
        return archive.infolist()[0].compress_size


def test_a_small_file_is_exact(tmp_path: Path) -> None:
    path = ROOT / "examples" / "digits.pb"
    assert (zipped_size(path).bytes, zipped_size(path).exact) == (in_a_zip(path, tmp_path), True)


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
    "any floats": np.random.default_rng(0).standard_normal(1_500_000).astype("<f4").tobytes(),
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


LARGE = [path for path in sorted((SHARED / "models").glob("*/model.pb")) if path.stat().st_size > 3 << 19]


@pytest.mark.slow
@needs_shared
@pytest.mark.parametrize("path", LARGE, ids=[path.parent.name for path in LARGE])
def test_trained_models_within_three_percent(path: Path) -> None:
    estimate = zipped_size(path)
    assert not estimate.exact
    assert estimate.bytes == pytest.approx(zipped_size(path, exact=True).bytes, rel=0.03)


def test_a_missing_file(tmp_path: Path) -> None:
    with pytest.raises(DecodeError, match=r"cannot read '.*no\.pb': No such file"):
        zipped_size(tmp_path / "no.pb")
