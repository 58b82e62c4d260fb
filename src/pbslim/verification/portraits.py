"""Made-up portraits: what networks that look for faces, or for people, get to see far more of than photographs have."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]

_SKIN, _HAIR, _WHITE = np.array([224.0, 178, 150]), np.array([60.0, 45, 35]), np.array([232.0, 229, 224])
_RED = np.array([0.75, 0.45, 0.45])  # of the skin: lips
_GRAIN = 4.0  # levels
SIDE = 160
"""Height and width in pixels."""


def portrait(random: np.random.Generator) -> npt.NDArray[np.float32]:
    """A head and shoulders before a plain ground, RGB of 0 to 255 in shape [SIDE, SIDE, 3].

    Size, place, tilt and turn of the head, colors and light are drawn at random.
    """
    canvas = _Canvas(random)
    skin = _SKIN * random.uniform(0.35, 1.05) * [1, random.uniform(0.9, 1.05), random.uniform(0.85, 1.1)]
    hair = _HAIR * random.uniform(0.3, 2.5)
    turn = random.uniform(-0.25, 0.25)
    canvas.ellipse((0, -0.25), (0.98, 1.1), hair, 0.05)
    canvas.ellipse((0, 1.2), (0.4, 0.75), skin * 0.8, 0.05)
    canvas.ellipse((0, 1.9), (1.5, 0.7), random.uniform(20, 220, 3), 0.05)
    light = 1 - random.uniform(-0.25, 0.25) * canvas.across - 0.18 * canvas.across**2
    canvas.ellipse((0, 0), (0.75, 1), skin * light[..., None], 0.05)
    canvas.ellipse((0, -0.95), (0.72, 0.35), hair, 0.15)
    for side in (-1, 1):
        _eye(canvas, side * 0.32 + turn, turn, skin, hair)
    _nose_and_mouth(canvas, 1.2 * turn, random.uniform(0, 0.07), skin)
    grain = random.normal(0, _GRAIN, (SIDE, SIDE, 1))
    return np.asarray((canvas.pixels + grain).clip(0, 255), np.float32)


class _Canvas:
    """A picture, and the coordinates of a head in it: its middle is 0, its lower end 1 down.

    Attributes:
        across, down: [SIDE, SIDE], tilted as the head is.
        pixels: RGB [SIDE, SIDE, 3].
    """

    def __init__(self, random: np.random.Generator) -> None:
        rows, columns = np.mgrid[:SIDE, :SIDE] / SIDE
        size, tilt = random.uniform(0.28, 0.45), random.uniform(-0.35, 0.35)
        y, x = (places - random.uniform(0.42, 0.58) for places in (rows, columns))
        self.across = (x * np.cos(tilt) + y * np.sin(tilt)) / size
        self.down = (y * np.cos(tilt) - x * np.sin(tilt)) / size
        self.pixels: Array = random.uniform(20, 230, 3) + random.uniform(-80, 80) * (columns - 0.5)[..., None]

    def ellipse(
        self, middle: tuple[float, float], radii: tuple[float, float], color: Array, soft: float, cover: float = 1
    ) -> None:
        """Paint an ellipse.

        Args:
            middle, radii: across and down.
            color: [3], or one for each pixel.
            soft: how wide its edge is, as a part of the radii.
            cover: from 0 for nothing to 1.
        """
        away = np.hypot((self.across - middle[0]) / radii[0], (self.down - middle[1]) / radii[1]) - 1
        mask = cover / (1 + np.exp((away / soft).clip(-30, 30)))[..., None]
        self.pixels = self.pixels * (1 - mask) + mask * color


def _eye(canvas: _Canvas, across: float, turn: float, skin: Array, hair: Array) -> None:
    canvas.ellipse((across, -0.14), (0.24, 0.17), skin * 0.55, 0.25, 0.45)
    canvas.ellipse((across, -0.12), (0.15, 0.065), _WHITE, 0.12)
    canvas.ellipse((across + 0.1 * turn, -0.12), (0.065, 0.065), hair * 0.5, 0.15)
    canvas.ellipse((across, -0.185), (0.17, 0.02), hair * 0.4, 0.4, 0.9)
    canvas.ellipse((across, -0.32), (0.2, 0.04), hair * 0.8, 0.35, 0.85)


def _nose_and_mouth(canvas: _Canvas, across: float, opened: float, skin: Array) -> None:
    canvas.ellipse((across - 0.06, 0.1), (0.05, 0.25), skin * 0.5, 0.5, 0.35)
    canvas.ellipse((across, 0.12), (0.05, 0.2), skin * 1.25, 0.5, 0.25)
    canvas.ellipse((across, 0.3), (0.15, 0.06), skin * 0.5, 0.4, 0.55)
    for side in (-1, 1):
        canvas.ellipse((across + 0.075 * side, 0.31), (0.035, 0.025), skin * 0.25, 0.4, 0.8)
    canvas.ellipse((across, 0.55), (0.26, 0.075 + opened), skin * _RED, 0.2, 0.85)
    canvas.ellipse((across, 0.55), (0.22, 0.012 + 0.7 * opened), skin * 0.25, 0.25, 0.8)
