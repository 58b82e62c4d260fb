"""How far the outputs of two graphs are apart, in pure numbers; arrays have one entry per sample along axis 0."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]

_FEW_SAMPLES = 4
_TELLING = 8  # samples from which on their spread says something
_MANY_CLASSES = 6
_PART = 1 << 20  # elements
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


@dataclass(frozen=True)
class Ratio:
    """Signal to noise in dB.

    Attributes:
        decibels: infinite for equal values.
        interval: the 95 % confidence interval of what very many samples would give; None for too few of them.
    """

    decibels: float
    interval: tuple[float, float] | None = None

    @classmethod
    def of(cls, signal: Array, noise: Array) -> Ratio:
        """That of the sums of both, which hold one power for each sample.

        A ratio of means has, to first order, the variance of the mean of ``s / mean(s) - e / mean(e)``: Cochran,
        Sampling Techniques (1977), 6.3.
        """
        found = 10 * math.log10(signal.sum() / noise.sum())
        if len(signal) < _TELLING:
            return cls(found)
        terms = signal / signal.mean() - noise / noise.mean()
        spread = _quantile(len(terms) - 1) * 10 / math.log(10) * math.sqrt(terms.var(ddof=1) / len(terms))
        return cls(found, (found - spread, found + spread))


def _quantile(freedom: int) -> float:
    """That of Student's t for 95 %, by the first terms of Abramowitz and Stegun (1964), 26.7.5."""
    z = _TWO_SIDED_95
    return z + (z**3 + z) / (4 * freedom) + (5 * z**5 + 16 * z**3 + 3 * z) / (96 * freedom**2)


def snr(first: Array, second: Array, kind: Kind = Kind.VALUES) -> float:
    """Signal to noise in dB; see `signal_to_noise`."""
    return signal_to_noise(first, second, kind).decibels


def signal_to_noise(first: Array, second: Array, kind: Kind = Kind.VALUES) -> Ratio:
    """Signal to noise in dB: how the first varies with the samples, against how far the second is from it.

    ``10 log10(mean((r - mean over samples of r)^2) / mean(e^2))``; with fewer than four samples the mean over all
    elements takes the place of the mean over samples, and where nothing varies the power of `first` is the signal.
    A softmax does not see what all scores have in common, so that is taken away first.
    """
    noise, power, total = [np.zeros(0)], [np.zeros(0)], np.zeros(first.shape[1:])
    for one, other in parts(first, second):
        finite = np.isfinite(one) & np.isfinite(other)
        if not np.array_equal(difference(one, other)[~finite], np.zeros(np.count_nonzero(~finite))):
            return Ratio(-math.inf)
        a, b = _exact(one, finite, kind), _exact(other, finite, kind)
        noise.append(_powers(a - b))
        power.append(_powers(a))
        total += a.sum(0)
    if not any(each.any() for each in noise):
        return Ratio(math.inf)
    mean = total / len(first) if len(first) >= _FEW_SAMPLES else np.full(total.shape, total.sum() / first.size)
    signal = [
        _powers(_exact(one, np.isfinite(one) & np.isfinite(other), kind) - mean) for one, other in parts(first, second)
    ]
    for powers in (signal, power):
        if any(each.any() for each in powers):
            return Ratio.of(np.concatenate(powers), np.concatenate(noise))
    return Ratio(-math.inf)


def _powers(values: Array) -> Array:
    """The sum of squares of each sample."""
    return np.asarray(np.square(values).reshape(len(values) if values.ndim else 1, -1).sum(1))


def _exact(values: Array, finite: Array, kind: Kind) -> Array:
    exact: Array = np.where(finite, values, 0).astype(np.float64)
    return exact - exact.mean(-1, keepdims=True) if kind is Kind.SCORES else exact


def parts(first: Array, second: Array) -> Iterator[tuple[Array, Array]]:
    """Both a few samples at a time, for what is computed in double precision takes a multiple of their memory."""
    if not first.ndim:
        yield first, second
        return
    step = max(_PART * len(first) // max(first.size, 1), 1)
    for at in range(0, len(first), step):
        yield first[at : at + step], second[at : at + step]


def cosine(first: Array, second: Array) -> float | None:
    """The cosine of the angle between all values of both, None where one is zero or not finite."""
    product, squares = 0.0, (0.0, 0.0)
    with np.errstate(all="ignore"):
        for one, other in parts(first, second):
            a, b = one.astype(np.float64).ravel(), other.astype(np.float64).ravel()
            product, squares = product + float(a @ b), (squares[0] + float(a @ a), squares[1] + float(b @ b))
        found = float(product / np.sqrt(np.float64(squares[0] * squares[1])))
    return max(-1.0, min(1.0, found)) if math.isfinite(found) else None
