"""Small photographs: some to calibrate on and others to test on, never mixed. ``SOURCES.md`` lists their origins.

They are kept as JPEG keeps a picture, without its entropy code, so that numpy alone reads them: the colors at half the
resolution, each block of 8x8 as the rounded coefficients of its cosine transform (ITU-T T.81, A.3.3). The coefficients
of one frequency lie together, which deflates well. ``scripts/make_photographs.py`` writes the file.
"""

from __future__ import annotations

from functools import cache
from importlib.resources import files

import numpy as np
import numpy.typing as npt

SIZE = 256
"""Height and width of each photograph in pixels."""

CALIBRATION = 48
"""How many photographs are for calibration, the first ones; all others are for tests."""

_PLACE = np.arange(8)
COSINES = np.cos(np.pi / 16 * (2 * _PLACE + 1) * _PLACE[:, None]) * np.where(_PLACE[:, None] == 0, 8**-0.5, 0.5)
"""The cosine transform of 8 values as an orthonormal matrix, one frequency a row."""

LUMA_STEPS = 8.1 + 2.7 * np.add.outer(_PLACE, _PLACE)
CHROMA_STEPS = 11 + 7.2 * np.add.outer(_PLACE, _PLACE)
"""What the coefficients were divided by before rounding: more for higher frequencies."""

_RED, _GREEN, _BLUE = (0, 1.402), (-0.344136, -0.714136), (1.772, 0)  # of Cb and Cr: JFIF 1.02
TO_RGB = np.array([_RED, _GREEN, _BLUE])


def calibration() -> npt.NDArray[np.uint8]:
    """The photographs to measure and search on, RGB in shape [CALIBRATION, SIZE, SIZE, 3]."""
    return _decoded(0, CALIBRATION)


def tests() -> npt.NDArray[np.uint8]:
    """The photographs to judge a result on, RGB in shape [n, SIZE, SIZE, 3]; other pictures than for calibration."""
    return _decoded(CALIBRATION, None)


@cache
def _decoded(first: int, end: int | None) -> npt.NDArray[np.uint8]:
    with (files(__name__) / "photographs.npz").open("rb") as file, np.load(file) as arrays:
        coded = {name: arrays[name][:, :, first:end] for name in arrays.files}
    luma = _planes(coded["luma"], LUMA_STEPS)
    chroma = np.stack([_planes(coded[name], CHROMA_STEPS) for name in ("blue", "red")], axis=-1)
    colors = chroma @ TO_RGB.T.astype(np.float32) + 128
    pictures = np.empty((len(luma), SIZE, SIZE, 3), np.uint8)
    for picture, gray, color in zip(pictures, luma, colors, strict=True):  # one by one, as all at once need much memory
        rgb = color.repeat(2, axis=0).repeat(2, axis=1)
        rgb += gray[..., None]
        picture[:] = np.rint(rgb, out=rgb).clip(0, 255, out=rgb)
    pictures.setflags(write=False)
    return pictures


def _planes(coefficients: npt.NDArray[np.int8], steps: npt.NDArray[np.float64]) -> npt.NDArray[np.float32]:
    """Planes [n, 8 h, 8 w] from coefficients [frequency down, frequency across, n, h, w]."""
    count, down, across = coefficients.shape[2:]
    basis = np.einsum("vy,ux,vu->yxvu", COSINES, COSINES, steps).reshape(64, 64).astype(np.float32)
    blocks = (basis @ coefficients.reshape(64, -1).astype(np.float32)).reshape(8, 8, count, down, across)
    return np.asarray(blocks.transpose(2, 3, 0, 4, 1).reshape(count, 8 * down, 8 * across))
