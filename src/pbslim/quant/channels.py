"""One step per output channel: weights as small whole numbers times a float16.

The step of a channel is a number of its root mean squares, so that one number `d` says how coarse a whole tensor is.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]

LARGEST = 127
"""The largest code; the smallest is its negative."""

_LEAST_STEP = 2.0**-14  # the smallest normal float16: what is below loses bits, or all of them where denormals are zero
_LARGEST_STEP = 65504.0
_TOO_COARSE = 2.0


def channel_rms(weights: Array) -> Array:
    """Root mean square of each column of `weights` [K, N], float64 [N]."""
    rms: Array = np.sqrt(np.einsum("kn,kn->n", weights, weights, dtype=np.float64) / max(len(weights), 1))
    return rms


def channel_steps(weights: Array, coarseness: float) -> Array:
    """The step of each column of `weights` [K, N]: `coarseness` times its rms, wide enough for codes up to 127.

    Returns:
        float16 [N]; all are normal numbers above zero, that of a column of zeros is 1.
    """
    rms = channel_rms(weights)
    peak = np.abs(weights).max(axis=0, initial=0).astype(np.float64)
    steps: Array = np.clip(np.maximum(coarseness * rms, peak / LARGEST), _LEAST_STEP, _LARGEST_STEP).astype(np.float16)
    steps[peak == 0] = 1
    return steps


def power_of_two_steps(weights: Array, coarseness: float) -> Array:
    """The least powers of two that are no finer than `channel_steps`, float16 [N]."""
    fractions, exponents = np.frexp(channel_steps(weights, coarseness).astype(np.float64))
    steps: Array = np.ldexp(1.0, exponents - (fractions == 0.5))
    return np.minimum(steps, 2.0**15).astype(np.float16)


def finest(weights: Array) -> Array:
    """The finest steps that codes up to 127 allow, float16 [N]."""
    return channel_steps(weights, 0.0)


def used_coarseness(weights: Array, steps: Array) -> float:
    """How coarse `steps` really are: root mean square of the steps per that of the weights, 0 for no weights."""
    power = float(np.square(weights, dtype=np.float64).mean()) if weights.size else 0.0
    live = channel_rms(weights) > 0
    if not power or not live.any():
        return 0.0
    return float(np.sqrt(np.square(steps[live], dtype=np.float64).mean() / power))


def is_too_coarse(weights: Array, coarseness: float) -> bool:
    """Whether codes up to 127 would be much coarser than wanted, so that float16 serves better.

    The steps are compared as energies over the whole tensor: an average over channels breaks on dead ones.
    """
    rms = channel_rms(weights)
    wanted = np.square(coarseness * rms).sum()
    used = np.square(channel_steps(weights, coarseness).astype(np.float64)[rms > 0]).sum()
    return bool(wanted > 0 and used > _TOO_COARSE**2 * wanted)


def best_steps(weights: Array, largest: int) -> Array:
    """The steps with which codes up to `largest` come nearest to each column of `weights`, float16 [N].

    They are found among twenty that clip the column to 0.25 to 1 times its peak.
    """
    peak = np.abs(weights).max(axis=0, initial=0)
    best = np.ones(weights.shape[1], np.float16)
    least = np.full(weights.shape[1], np.inf)
    for clip in np.linspace(0.25, 1, 20):
        steps = np.clip(clip * peak / largest, _LEAST_STEP, _LARGEST_STEP).astype(np.float16)
        scale = steps.astype(np.float32)
        error = np.square(nearest(weights / scale, largest=largest) * scale - weights).sum(axis=0)
        best, least = np.where(error < least, steps, best), np.minimum(error, least)
    return best


def nearest(codes: Array, _row: int = 0, *, largest: int = LARGEST) -> Array:
    """The nearest code that is not larger than `largest`."""
    rounded: Array = np.clip(np.rint(codes), -largest, largest)
    return rounded


def code_bits(codes: Array) -> Array:
    """What each code from -127 to 127 costs in bits by how often it occurs in `codes`, float64 [255]."""
    counts = np.bincount(codes.astype(np.int64).reshape(-1) + LARGEST, minlength=2 * LARGEST + 1)
    bits: Array = -np.log2((counts + 0.5) / (counts.sum() + 0.5 * len(counts)))
    return bits


def entropy(codes: Array) -> float:
    """Bits that an order-0 entropy coder needs for all of `codes` together."""
    counts = np.unique(codes, return_counts=True)[1]
    return float(-(counts * np.log2(counts / max(codes.size, 1))).sum())


def cheaper(importance: Array, steps: Array, bits: Array, strength: float = 0.25) -> Callable[[Array, int], Array]:
    """A chooser of codes that weighs the error against the bits.

    It takes the least of ``(t - q)^2 w + lambda bits(q)`` among the two neighbours of the real code t and the one
    that is a step nearer to zero; ``w = importance * steps^2`` and ``lambda = strength * 2 ln 2 * mean(w) / 12``, the
    slope of rate-distortion theory times `strength`.

    Args:
        importance: how much a squared error of the weights counts, [K, 1] or [K, N].
        steps: float32 [N].
        bits: what each code costs, of `code_bits`.
    """
    squares = np.square(steps, dtype=np.float64)
    mean = np.mean(importance * squares if importance.shape[1] > 1 else importance * squares.mean())
    price = strength * 2 * np.log(2) * float(mean) / 12

    def choose(codes: Array, row: int) -> Array:
        inner = np.trunc(np.clip(codes, -LARGEST, LARGEST))
        outer = np.clip(inner + np.where(codes < 0, -1, 1), -LARGEST, LARGEST)
        candidates = np.stack([inner, outer, inner - np.sign(inner)])
        cost = np.square(candidates - codes) * (importance[row] * squares)
        cost += price * bits[candidates.astype(np.intp) + LARGEST]
        picked: Array = np.take_along_axis(candidates, cost.argmin(axis=0)[None], axis=0)[0]
        return picked

    return choose
