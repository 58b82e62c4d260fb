"""Made-up signals, such as the waves and spectrograms of sounds, for inputs that are known by their shape alone."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]

_LONG = 16  # along an axis, for values to change smoothly along it
_WAVE = 1024  # the same, for an axis alone
_MOST_PARTS = 24


def is_signal(dims: tuple[int, ...]) -> bool:
    """Whether an input of that shape, without the batch, is likely to be a signal: neighbours go together."""
    axes = [size for size in dims if size > 1]
    return max(axes, default=0) >= _LONG and (len(axes) > 1 or axes[0] >= _WAVE)


def smooth_noise(random: np.random.Generator, dims: tuple[int, ...]) -> Array:
    """Noise of unit variance; along a longest axis of at least 16 its power falls with the frequency, as in nature."""
    noise = random.standard_normal(dims)
    longest = max(dims, default=0)
    if longest < _LONG:
        return noise
    axis = dims.index(longest)
    spectrum = np.fft.rfft(noise, axis=axis)
    falling = 1 / np.sqrt(np.arange(spectrum.shape[axis]) + 1)
    shaped = np.fft.irfft(spectrum * np.expand_dims(falling, tuple(range(axis + 1, len(dims))) or ()), longest, axis)
    return np.asarray(shaped / max(float(shaped.std()), 1e-9))


def events(random: np.random.Generator, dims: tuple[int, ...]) -> Array:
    """Some events upon a ground, of zero mean and about unit variance: notes, beats and hiss, seen from far.

    Each event is the product of a course along each axis: one that rises and falls slowly, one that begins at once and
    fades, one narrow line, or a tone.
    """
    made = random.uniform(0.05, 0.4) * random.standard_normal(dims)
    for _ in range(int(random.integers(3, _MOST_PARTS))):
        part = np.full((1,) * len(dims), random.uniform(0.5, 2.0))
        for axis, size in enumerate(dims):
            part = part * _course(random, size).reshape(tuple(-1 if each == axis else 1 for each in range(len(dims))))
        made += part
    spread = max(float(made.std()), 1e-9)
    return np.asarray((made - made.mean()) / spread * random.uniform(0.7, 1.2) + random.uniform(-0.7, 0.7))


def _course(random: np.random.Generator, size: int) -> Array:
    """How an event goes along an axis, [size]."""
    place = np.arange(size)
    kind = random.integers(4 if size >= _WAVE else 3)
    if size < _LONG or kind == 0:
        knots = int(random.integers(2, 10))
        return np.abs(np.interp(place, np.linspace(0, size - 1, knots), random.standard_normal(knots)))
    start = int(random.integers(size))
    if kind == 1:
        return np.where(place >= start, np.exp(-np.maximum(place - start, 0) / random.uniform(2, size / 4)), 0.0)
    if kind == 2:
        return np.exp(-np.square((place - start) / random.uniform(0.5, size / 20)))
    return np.asarray(np.sin(place * random.uniform(0.002, 0.5) + random.uniform(0, 2 * np.pi)))
