"""Made-up drawings, light on dark or dark on light: what networks that read digits, letters or sketches get to see."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]

_MOST_STROKES = 4
_POINTS = 24  # of a stroke, each joined with the next by a straight line
_LARGEST_GRID = 3  # figures across the shorter side


def drawing(random: np.random.Generator, height: int, width: int) -> npt.NDArray[np.float32]:
    """Figures of a few strokes side by side, as large as fit or smaller, with values of 0 to 255 in shape [h, w]."""
    ground, ink = (random.uniform(0, 60), random.uniform(140, 255))[:: -1 if random.random() < 0.25 else 1]
    side = max(min(height, width) // int(random.integers(1, _LARGEST_GRID + 1)), min(height, width, 8))
    made = np.full((height, width), ground, np.float32)
    thickness = random.uniform(0.06, 0.2)
    for top in range(0, height - side + 1, side):
        for left in range(0, width - side + 1, side):
            cover = _figure(random, side, thickness)
            made[top : top + side, left : left + side] += (ink - ground) * cover
    return made


def _figure(random: np.random.Generator, side: int, thickness: float) -> Array:
    """How much of each pixel of a square is covered by some curved strokes, from 0 to 1."""
    rows, columns = np.mgrid[:side, :side].astype(np.float32) / side + 0.5 / side
    apart = np.full((side, side), np.inf, np.float32)
    for _ in range(int(random.integers(1, _MOST_STROKES + 1))):
        for y, x in _stroke(random):
            np.minimum(apart, np.square(rows - y) + np.square(columns - x), out=apart)
    return np.clip((thickness / 2 - np.sqrt(apart)) * side + 0.5, 0, 1)


def _stroke(random: np.random.Generator) -> Array:
    """Points of a quadratic Bézier curve within the unit square, [n, 2]."""
    ends = random.uniform(0.15, 0.85, (3, 2))
    at = np.linspace(0, 1, _POINTS)[:, None]
    return np.asarray((1 - at) ** 2 * ends[0] + 2 * at * (1 - at) * ends[1] + at**2 * ends[2])
