"""Photographs, and images made of them."""

from __future__ import annotations

import re
import struct
import zlib
from importlib.resources import files

import numpy as np
import pytest

from pbslim.verification import photographs
from pbslim.verification.images import fit, png, resize, variant


def test_the_photographs_are_natural_and_listed() -> None:
    folder = files(photographs)
    listed = re.findall(r"^\| `(.*?)` .*\| (CC0|public domain) \|$", (folder / "SOURCES.md").read_text(), re.MULTILINE)
    halves = (photographs.calibration(), photographs.tests())
    assert [len(pictures) for pictures in halves] == [photographs.CALIBRATION, len(listed) - photographs.CALIBRATION]
    assert len({name for name, _ in listed}) == len(listed)
    assert len((folder / "photographs.npz").read_bytes()) < 1_000_000
    for pictures in halves:
        assert pictures.shape[1:] == (photographs.SIZE, photographs.SIZE, 3)
        assert pictures.dtype == np.uint8
        assert (pictures.std(axis=(1, 2, 3)) > 20).all()
        steps = np.abs(np.diff(pictures.astype(int), axis=2)).mean(axis=(1, 2, 3))
        assert (steps < pictures.std(axis=(1, 2, 3)) / 2).all()  # neighbours are alike, as noise is not


def test_each_photograph_is_of_a_package_that_states_its_licence() -> None:
    table, packages = (files(photographs) / "SOURCES.md").read_text().split("All come from published packages")
    origins = re.findall(r"^\| `.*?` \|.*?\| (.*?)[,|]", table, re.MULTILINE)
    assert len(origins) == photographs.CALIBRATION + len(photographs.tests())
    assert [origin for origin in origins if origin not in packages] == []


def test_calibration_and_test_pictures_differ() -> None:
    small = [
        np.stack([resize(each, 16, 16) for each in half]) for half in (photographs.calibration(), photographs.tests())
    ]
    first, second = (each.reshape(len(each), -1) - each.mean() for each in small)
    alike = (first @ second.T) / np.linalg.norm(first, axis=1)[:, None] / np.linalg.norm(second, axis=1)
    assert alike.max() < 0.9


def test_larger_is_bilinear_and_smaller_is_averaged() -> None:
    ramp = np.arange(4.0)[None, :, None].repeat(2, axis=0)
    assert resize(ramp, 2, 8)[0, :, 0].tolist() == [0, 0.25, 0.75, 1.25, 1.75, 2.25, 2.75, 3]
    stripes = np.tile([0.0, 100.0], 32)[None, :, None].repeat(64, axis=0)
    assert resize(stripes, 8, 8)[4, 4, 0] == pytest.approx(50, abs=2)


@pytest.mark.parametrize("channels", [1, 3, 4])
def test_fit(channels: int) -> None:
    picture = photographs.tests()[0]
    found = fit(picture, 20, 30, channels)
    assert found.shape == (20, 30, channels)
    colors = picture.mean(axis=(0, 1))
    wanted = {1: [colors @ [0.299, 0.587, 0.114]], 3: colors, 4: [*colors, 255]}[channels]
    assert found.mean(axis=(0, 1)) == pytest.approx(wanted, abs=2)


def test_variants_are_seeded_parts() -> None:
    picture = photographs.tests()[0]
    one, same, other = (variant(picture, np.random.default_rng(seed)) for seed in (1, 1, 2))
    assert np.array_equal(one, same)
    assert one.shape != other.shape
    assert min(one.shape[:2]) >= 0.7 * photographs.SIZE - 1


def test_png_holds_the_pixels() -> None:
    image = np.random.default_rng(0).integers(0, 256, (5, 7, 3), np.uint8)
    content = png(image)
    assert content[:8] == b"\x89PNG\r\n\x1a\n"
    assert struct.unpack(">II", content[16:24]) == (7, 5)
    length = struct.unpack(">I", content[33:37])[0]
    rows = np.frombuffer(zlib.decompress(content[41 : 41 + length]), np.uint8).reshape(5, 22)
    assert np.array_equal(rows[:, 1:].reshape(image.shape), image)
