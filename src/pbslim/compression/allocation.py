"""How coarse each site may be, so that all together add a given noise at the least number of bits.

With entropy coding a weight costs about ``h - log2(d)`` bits for a step of d, and its noise grows with the square of d
and adds up over sites. So the bits ``-sum(n_l log d_l)`` are least under ``sum(D_li d_l^2) <= T`` for each output i
where every site adds noise in proportion to its number of weights, the outputs weighed by the multipliers of Lagrange
(reverse water-filling; Cover & Thomas, Elements of Information Theory, 10.3).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from pbslim.ir.tensors import Array

_COARSEST = 3.0  # steps per rms: beyond, nearly all codes are zero and the model of the noise fails
_EVEN = 12.0  # the square of a step by the mean square of the errors that rounding to it makes
_ROUNDS = 300
_RATE = 0.3


@dataclass(frozen=True)
class Sensitivity:
    """What one site does to the outputs when it alone is rounded.

    Attributes:
        size: the number of its weights.
        coarseness: the steps per rms that were really used.
        noise: for each output, the power of its change as a part of that of its signal.
    """

    size: int
    coarseness: float
    noise: Array


def allocate(sensitivities: Mapping[str, Sensitivity], noise: float) -> dict[str, float]:
    """The coarseness of each site, so that no output gets more than about `noise`, as a part of its signal's power.

    A site that moved no output may move one on other inputs, as in a branch that none of these took: its weights get
    no more than that noise themselves.
    """
    sites = [each for each in sensitivities.values() if each.coarseness > 0 and each.noise.any()]
    found = dict.fromkeys(sensitivities, min(math.sqrt(_EVEN * noise), _COARSEST))
    if sites:
        per_square = np.array([each.noise / each.coarseness**2 for each in sites])
        squares = _squares(np.array([each.size for each in sites], np.float64), per_square, noise)
        places = iter(np.sqrt(squares))
        for name, each in sensitivities.items():
            if each.coarseness > 0 and each.noise.any():
                found[name] = min(float(next(places)), _COARSEST)
    return found


def _squares(sizes: Array, per_square: Array, noise: float) -> Array:
    """The squared coarseness of each site, by multiplicative updates of the weights of the outputs."""
    shares = sizes / sizes.sum()
    weights = np.full(per_square.shape[1], 1 / per_square.shape[1])
    for _ in range(_ROUNDS):
        squares: Array = shares / np.maximum(per_square @ weights, 1e-300)
        weights *= np.exp(_RATE * (squares @ per_square - 1))
        weights /= weights.sum()
    squares = shares / np.maximum(per_square @ weights, 1e-300)
    return squares * noise / max(float((squares @ per_square).max()), 1e-300)
