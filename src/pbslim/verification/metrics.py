"""How far the outputs of two graphs are apart, in pure numbers; arrays have one entry per sample along axis 0."""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import Enum
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]

_FEW_SAMPLES = 4
_MANY_CLASSES = 6
_TWO_SIDED_95 = 1.959964  # quantile of the normal distribution


class Kind(Enum):
    """What the values of an output mean, and so which decisions they make."""

    VALUES = "values"
    """Numbers of any kind; no decisions."""
    SCORES = "scores"
    """What a softmax is taken of over the last axis; the decision is the largest one."""
    CHANCES = "chances"
    """What a sigmoid is taken of; the decision is the sign."""
    CODES = "codes"
    """Integers, flags or strings; each is a decision."""


@dataclass(frozen=True)
class Agreement:
    """How many decisions of two graphs are equal.

    Attributes:
        share: the equal ones, from 0 to 1.
        low, high: the 95 % confidence interval for other samples, after Wilson (1927).
        decisions: how many were compared.
    """

    share: float
    low: float
    high: float
    decisions: int


def agreement(equal: Array, samples: int) -> Agreement:
    """The share of true values in `equal`, from a number of independent samples.

    The decisions of one sample depend on each other, so the interval counts the samples.
    """
    share = float(np.mean(equal)) if equal.size else 1.0
    n = max(samples, 1)
    square = _TWO_SIDED_95**2 / n
    middle = share + square / 2
    spread = _TWO_SIDED_95 * math.sqrt(share * (1 - share) / n + square / (4 * n))
    low, high = ((middle + sign * spread) / (1 + square) for sign in (-1, 1))
    return Agreement(share, max(low, 0.0), min(high, 1.0), int(equal.size))


def decided(values: Array, kind: Kind) -> Array | None:
    """The decisions that an output makes, None where it makes none."""
    if kind is Kind.SCORES:
        return np.asarray(values.argmax(-1))
    if kind is Kind.CHANCES:
        return np.asarray(values > 0)
    return values if kind is Kind.CODES else None


def decisions(first: Array, second: Array, kind: Kind, samples: int) -> Agreement | None:
    """How many decisions are equal in a number of samples, None where the outputs make none."""
    one, other = decided(first, kind), decided(second, kind)
    return None if one is None or other is None else agreement(np.asarray(one == other), samples)


def top_five(first: Array, second: Array, kind: Kind, samples: int) -> Agreement | None:
    """How often the best class of the first graph is among the five best of the second; None for few classes."""
    if kind is not Kind.SCORES or first.shape[-1] < _MANY_CLASSES:
        return None
    best = first.argmax(-1)[..., None]
    five = np.argpartition(-second, 4, axis=-1)[..., :5]
    return agreement((five == best).any(-1), samples)


def difference(first: Array, second: Array) -> Array:
    """``|first - second|`` as float64, 0 where both are NaN or the same infinity; infinite where only one is."""
    kind = np.complex128 if first.dtype.kind == "c" else np.float64
    a, b = first.astype(kind), second.astype(kind)
    with np.errstate(invalid="ignore"):
        same = (a == b) | (np.isnan(a) & np.isnan(b))
        found = np.where(same, 0.0, np.abs(a - b))
    return np.where(np.isnan(found), np.inf, found)


def snr(first: Array, second: Array, kind: Kind = Kind.VALUES) -> float:
    """Signal to noise in dB: how the first varies with the samples, against how far the second is from it.

    ``10 log10(mean((r - mean over samples of r)^2) / mean(e^2))``; with fewer than four samples the mean over all
    elements takes the place of the mean over samples, and where nothing varies the power of `first` is the signal.
    A softmax does not see what all scores have in common, so that is taken away first.
    """
    finite = np.isfinite(first) & np.isfinite(second)
    if not np.array_equal(difference(first, second)[~finite], np.zeros(np.count_nonzero(~finite))):
        return -math.inf
    a, b = (np.where(finite, each, 0).astype(np.float64) for each in (first, second))
    if kind is Kind.SCORES:
        a, b = (each - each.mean(-1, keepdims=True) for each in (a, b))
    noise = float(np.mean(np.square(a - b))) if a.size else 0.0
    if noise == 0:
        return math.inf
    signal = float(np.mean(np.square(a - (a.mean(0) if len(a) >= _FEW_SAMPLES else a.mean()))))
    signal = signal or float(np.mean(np.square(a)))
    return 10 * math.log10(signal / noise) if signal > 0 else -math.inf


def cosine(first: Array, second: Array) -> float | None:
    """The cosine of the angle between all values of both, None where one is zero or not finite."""
    a, b = first.astype(np.float64).ravel(), second.astype(np.float64).ravel()
    with np.errstate(all="ignore"):
        found = float(a @ b / np.sqrt((a @ a) * (b @ b)))
    return max(-1.0, min(1.0, found)) if math.isfinite(found) else None
