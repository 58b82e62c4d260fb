"""More inputs from a few: a sound may be later, louder or mixed with another, a picture mirrored or from nearer."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from pbslim.ir.tensors import Array
from pbslim.verification import images
from pbslim.verification.signals import is_signal

Batch = dict[str, Array]

_NEAREST = 0.75  # of height and width


def can_be_varied(sample: Batch) -> bool:
    """Whether all inputs are pictures or signals; numbers, words, their ids and masks have no variations."""
    arrays = [array for array in sample.values() if array.ndim]
    return bool(arrays) and all(array.size and (_is_picture(array) or _is_signal(array)) for array in arrays)


def variations(samples: Sequence[Batch], count: int, seed: int) -> list[Batch]:
    """So many variations of single samples, each of which is used about equally often.

    Args:
        samples: of one shape each, in batches of one, for which `can_be_varied` holds.
    """
    limits = {name: _limits([each[name] for each in samples]) for name, array in samples[0].items() if array.ndim}
    made = []
    for number in range(count):
        random = np.random.default_rng([seed, number])
        one, other = samples[number % len(samples)], samples[int(random.integers(len(samples)))]
        varied = {name: _varied(one[name], other[name], limits[name], random) for name in limits}
        made.append({**one, **varied})
    return made


def _is_picture(array: Array) -> bool:
    if array.dtype.kind not in "fiu" or array.ndim != 4:
        return False
    return array.shape[3] in images.CHANNELS and min(array.shape[1:3]) >= images.SMALLEST_SIDE


def _is_signal(array: Array) -> bool:
    return array.dtype.kind == "f" and is_signal(array.shape[1:])


def _limits(arrays: Sequence[Array]) -> tuple[float, float]:
    return min(float(each.min()) for each in arrays), max(float(each.max()) for each in arrays)


def _varied(one: Array, other: Array, limits: tuple[float, float], random: np.random.Generator) -> Array:
    if _is_picture(one):
        made = np.stack([_nearer(image, random) for image in one])
    else:
        share = random.uniform(0.5, 1.0)
        axis = int(np.argmax(one.shape[1:])) + 1
        made = np.roll(one, int(random.integers(one.shape[axis])), axis)
        made = share * made + (1 - share) * other if other.shape == one.shape else made
    mean = made.mean()
    made = np.clip((made - mean) * random.uniform(0.8, 1.2) + mean * random.uniform(0.9, 1.1), *limits)
    return np.asarray(made if one.dtype.kind == "f" else np.rint(made), one.dtype)


def _nearer(image: Array, random: np.random.Generator) -> Array:
    """A part of an image [h, w, c] in its size, perhaps mirrored."""
    part = images.cropped(image, _NEAREST, random)
    return images.resize(images.perhaps_mirrored(part, random), *image.shape[:2])
