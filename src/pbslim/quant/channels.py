"""One step per output channel: weights as small whole numbers times 1, 1.25, 1.5 or 1.75 times a power of two.

The step of a channel is a number of its root mean squares, so that one number `d` says how coarse a whole tensor is.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]

LARGEST = 127
"""The largest code of a byte; the smallest is its negative."""

WIDEST = 8191
"""The largest code that takes two bytes; beyond, float16 is as good."""

RADIX = 256
"""What the second of two bytes counts."""

STEP_SHIFT, STEP_ORIGIN = 21, 127 << 23
"""``bits = (exponent << STEP_SHIFT) + STEP_ORIGIN`` are the bits of a step as float32: four steps to an octave.

They need not be finer, as the best step is flat.
"""

_PART = 1 << 21  # elements
_MOST = 127  # of the exponents, which fit in a byte
_LEAST_HALF, _LARGEST_HALF = 2.0**-14, 65504.0  # normal float16
_TOO_COARSE = 1.25
_PRIOR, _MOST_APART = 0.2, 3.0  # of the mean importance, and how far from the others a channel may go
_COARSEST = 1.0  # steps per rms that a channel gets beside finer ones
_HEADROOM = 16
"""A part of the codes is left for what the errors of other rows add to the largest weight."""


def mean_square(values: Array) -> float:
    """The mean of the squares, 0 of nothing."""
    total = sum(float(np.square(part, dtype=np.float64).sum()) for part in _parts(values.reshape(-1)))
    return total / max(values.size, 1)


def _parts(values: Array) -> Iterator[Array]:
    """Flat values a part at a time, for what takes a multiple of their memory."""
    return (values[at : at + _PART] for at in range(0, max(values.size, 1), _PART))


def _peaks(weights: Array) -> Array:
    """The largest absolute value of each column; as large as they are, no other array of their size is made."""
    peaks: Array = np.maximum(weights.max(axis=0, initial=0), np.abs(weights.min(axis=0, initial=0)))
    return peaks


def channel_rms(weights: Array) -> Array:
    """Root mean square of each column of `weights` [K, N], float64 [N]."""
    rms: Array = np.sqrt(np.einsum("kn,kn->n", weights, weights, dtype=np.float64) / max(len(weights), 1))
    return rms


def relative_steps(weights: Array, importance: Array) -> Array:
    """How wide the step of each column of `weights` [K, N] is in rms of it, where together they are 1.

    Noise costs the least bits where all channels add as much of it to what is compared (as in the allocation over
    whole tensors), so that a step goes with one over the square root of the importance. Importance that was measured
    on some inputs is drawn towards what equal steps per rms mean, as other inputs have other channels.

    Args:
        importance: how much a squared error of the outputs of each column counts, [N].

    Returns:
        float64 [N]; steps of ``coarseness * relative * rms`` have together the power of those of ``coarseness * rms``.
    """
    rms = channel_rms(weights)
    cost = importance * np.square(rms)
    if not cost.any():
        return np.ones(len(rms))
    relative = (cost / cost.mean() + _PRIOR) ** -0.5
    relative = np.clip(relative / np.exp(np.log(relative).mean()), 1 / _MOST_APART, _MOST_APART)
    found: Array = relative * np.sqrt(np.square(rms).sum() / np.square(relative * rms).sum())
    return found


def channel_steps(weights: Array, coarseness: float, largest: int = LARGEST, relative: Array | float = 1.0) -> Array:
    """The step of each column of `weights` [K, N]: about `coarseness` times its rms, wide enough for `largest`.

    Args:
        relative: what that is multiplied by for each column, [N].

    Returns:
        float32 [N], each a value of `steps_of`; that of a column of zeros is 1.
    """
    peak = _peaks(weights)
    wanted = (_bits(_each(coarseness, relative) * channel_rms(weights)) + (1 << (STEP_SHIFT - 1))) >> STEP_SHIFT
    needed = (_bits(_least_step(peak, largest)) + (1 << STEP_SHIFT) - 1) >> STEP_SHIFT
    exponents = np.clip(np.maximum(wanted, needed), -_MOST, _MOST)
    return steps_of(np.where(peak == 0, 0, exponents))


def _each(coarseness: float, relative: Array | float) -> Array | float:
    """The coarseness of each channel.

    Those that seem to matter little must not be lost altogether: what they do for other inputs no gradient shows.
    """
    return np.minimum(coarseness * relative, max(coarseness, _COARSEST))


def _least_step(peak: Array, largest: int) -> Array:
    return peak / np.float64(largest - largest // _HEADROOM)


def _bits(values: Array) -> Array:
    """The bits of float32 above those of 1, int64."""
    return values.astype(np.float32).view(np.int32).astype(np.int64) - STEP_ORIGIN


def steps_of(exponents: Array) -> Array:
    """The steps of whole exponents, float32."""
    steps: Array = ((exponents.astype(np.int32) << STEP_SHIFT) + STEP_ORIGIN).view(np.float32)
    return steps


def exponents_of(steps: Array) -> Array:
    """The exponents of steps of `channel_steps`, int8."""
    return (_bits(steps) >> STEP_SHIFT).astype(np.int8)


def power_of_two_steps(weights: Array, coarseness: float) -> Array:
    """The least powers of two from `coarseness` times the rms on, wide enough for codes of a byte, float32 [N]."""
    peak = _peaks(weights)
    fractions, exponents = np.frexp(np.maximum(coarseness * channel_rms(weights), _least_step(peak, LARGEST)))
    steps = np.ldexp(1.0, np.clip(exponents - (fractions == 0.5), -_MOST // 4, _MOST // 4))
    return np.where(peak == 0, 1, steps).astype(np.float32)


def finest(weights: Array) -> Array:
    """The finest steps that codes up to 127 allow, [N]; that of a column of zeros is 1.

    They are normal float16, or, where most are too small for that, those of `channel_steps`.
    """
    peak = _peaks(weights)
    if peak.any() and peak[peak > 0].mean() < LARGEST * _LEAST_HALF:
        return channel_steps(weights, 0.0)
    steps: Array = np.clip(peak / LARGEST, _LEAST_HALF, _LARGEST_HALF).astype(np.float16)
    steps[peak == 0] = 1
    return steps


def used_coarseness(weights: Array, steps: Array) -> float:
    """How coarse `steps` really are: root mean square of the steps per that of the weights, 0 for no weights."""
    power = mean_square(weights)
    live = channel_rms(weights) > 0
    if not power or not live.any():
        return 0.0
    return float(np.sqrt(np.square(steps[live], dtype=np.float64).mean() / power))


def is_too_coarse(weights: Array, coarseness: float, largest: int = LARGEST, relative: Array | float = 1.0) -> bool:
    """Whether codes up to `largest` would be clearly coarser than wanted.

    The steps are compared as energies over the whole tensor: an average over channels breaks on dead ones.
    """
    rms = channel_rms(weights)
    wanted = np.square(_each(coarseness, relative) * rms).sum()
    used = np.square(channel_steps(weights, coarseness, largest, relative).astype(np.float64)[rms > 0]).sum()
    return bool(wanted > 0 and used > _TOO_COARSE**2 * wanted)


def best_steps(weights: Array, largest: int) -> Array:
    """The steps with which codes up to `largest` come nearest to each column of `weights`, float16 [N].

    They are found among twenty that clip the column to 0.25 to 1 times its peak.
    """
    peak = _peaks(weights)
    best = np.ones(weights.shape[1], np.float16)
    least = np.full(weights.shape[1], np.inf)
    for clip in np.linspace(0.25, 1, 20):
        steps = np.clip(clip * peak / largest, _LEAST_HALF, _LARGEST_HALF).astype(np.float16)
        scale = steps.astype(np.float32)
        error = np.square(nearest(weights / scale, largest=largest) * scale - weights).sum(axis=0)
        best, least = np.where(error < least, steps, best), np.minimum(error, least)
    return best


def nearest(codes: Array, _row: int = 0, *, largest: int = LARGEST) -> Array:
    """The nearest code that is not larger than `largest`."""
    return _clipped(np.rint(codes), largest)


def in_two_bytes(codes: Array) -> tuple[Array, Array]:
    """Codes as two int8 arrays, ``codes = first + 256 * second``.

    The first byte has its whole range, so that few codes need the second: the two are coded apart from each other.
    """
    low = (codes.astype(np.int16) + RADIX // 2) % RADIX - RADIX // 2
    return low.astype(np.int8), ((codes - low) // RADIX).astype(np.int8)


def code_bits(codes: Array) -> Array:
    """What each code from -127 to 127 costs in bits by how often it occurs in `codes`, float64 [255]."""
    parts = _parts(codes.reshape(-1))
    counts = np.sum([np.bincount(part.astype(np.int64) + LARGEST, minlength=2 * LARGEST + 1) for part in parts], axis=0)
    bits: Array = -np.log2((counts + 0.5) / (counts.sum() + 0.5 * len(counts)))
    return bits


def entropy(codes: Array) -> float:
    """Bits that an order-0 entropy coder needs for all of `codes`, whole numbers of a small range, together."""
    flat = codes.reshape(-1)
    if not flat.size:
        return 0.0
    least = int(flat.min())
    values = int(flat.max()) - least + 1
    counts = np.sum([np.bincount(part.astype(np.int64) - least, minlength=values) for part in _parts(flat)], axis=0)
    counts = counts[counts > 0]
    return float(-(counts * np.log2(counts / flat.size)).sum())


def stored_bits(codes: Array) -> float:
    """The same for codes as they are stored: those of two bytes are two streams."""
    return sum(map(entropy, in_two_bytes(codes) if codes.dtype == np.int16 else (codes,)))


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
    prices, columns = strength * 2 * np.log(2) * float(mean) / 12 * bits, np.arange(len(steps))

    def choose(codes: Array, row: int) -> Array:
        # Rows are short and many, so that each call of numpy counts.
        candidates = np.empty((3, len(codes)))
        inner, outer, lower = candidates
        np.trunc(_clipped(codes), out=inner)
        outer[:] = _clipped(inner + np.where(codes < 0, -1, 1))
        np.subtract(inner, np.sign(inner), out=lower)
        cost = np.square(candidates - codes)
        cost *= importance[row] * squares
        cost += prices[candidates.astype(np.intp) + LARGEST]
        picked: Array = candidates[cost.argmin(axis=0), columns]
        return picked

    return choose


def _clipped(codes: Array, largest: int = LARGEST) -> Array:
    """As `np.clip`, which takes several times as long for a row."""
    found: Array = np.maximum(codes, -largest)
    return np.minimum(found, largest, out=found)
