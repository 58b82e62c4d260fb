"""The weights of a site in fewer bits, for one coarseness: codes with a step per channel, or float16."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from typing import Protocol

import numpy as np

from pbslim.analysis.weight_sites import Site
from pbslim.compression.moments import Moments
from pbslim.cores import in_parallel
from pbslim.ir import Tensor
from pbslim.ir.tensors import Array
from pbslim.quant import trellis
from pbslim.quant.channels import (
    LARGEST,
    WIDEST,
    best_steps,
    channel_steps,
    cheaper,
    code_bits,
    entropy,
    finest,
    is_too_coarse,
    mean_square,
    nearest,
    power_of_two_steps,
    relative_steps,
    stored_bits,
    used_coarseness,
)
from pbslim.quant.compensation import Choose, Compensation, blocks_of, depthwise_factors, round_depthwise
from pbslim.quant.palettes import Palette, Palettized

_CHEAPER_BELOW = 3.0  # bits per weight: above, plain rounding is as good
_LARGEST_TRELLIS = 2_000_000  # weights: beyond, their codes are decoded in parts
_PLAIN_BELOW, _SAVED, _FEW_ROWS = 1.5, 0.06, 32  # bits per weight, from which on a trellis saves so many, and rows
_STEP_BITS = 4  # most channels of a site have one of about ten steps
_HALF_COARSENESS = 2.0**-12
_FAR_TOO_COARSE = 5.0  # times what is wanted: by then its noise costs others the 16 bits that float32 would
_MOST_ERRORS = 1 << 22  # that are looked at together
_Part = tuple[slice, Callable[[Array, Choose], Array], Array]
# Rows of the matrix, what rounds them, and how much an error of each counts.


@dataclass(frozen=True)
class Rounded:
    """A site in fewer bits.

    Attributes:
        codes: int8 [K, N] in units of `steps`, int16 where a byte is too narrow, or the weights themselves as float16
            or, where they stay as they are, as float32.
        steps: [N]; None where the weights are floats or codes have a table.
        shift: what the bias must make up for, [N]; None where it cannot.
        noise: about the mean square of what rounding adds to each output of the op, [N]; None where that is not known.
        width: bits that each code takes; None where they are entropy-coded.
        palette: what codes stand for where they give back all weights as they were.
        order: of the rows along which a trellis says what codes stand for, [K]; None where there is none.
    """

    codes: Array
    steps: Array | None
    shift: Array | None
    noise: Array | None = None
    width: float | None = None
    palette: Palette | None = None
    order: Array | None = None

    @property
    def stays(self) -> bool:
        """Whether the weights stay as they are."""
        return self.codes.dtype == np.float32

    @property
    def weights(self) -> Array:
        """What a reader gets, float32 [K, N]."""
        return self.columns(slice(None))

    def columns(self, part: slice) -> Array:
        """Those of some outputs, float32 [K, n]."""
        codes, steps = self.codes[..., part], self.steps
        if steps is not None and steps.size > 1:
            steps = steps[..., part]
        if self.palette is not None:
            return self.palette.decode(codes, steps)
        decoded = codes.astype(np.float32) if self.order is None else trellis.values(codes, self.order)
        if steps is not None:
            decoded *= steps.astype(np.float32)
        return decoded

    @property
    def bits(self) -> float:
        """About what it takes in a file."""
        if self.palette is not None:
            exact = Palettized(self.codes, self.steps, self.palette)
            return exact.coded_bits if self.width is None else exact.plain_bits
        if self.steps is None:
            return float(8 * self.codes.nbytes)
        codes = stored_bits(self.codes) if self.width is None else self.width * self.codes.size
        rows = 0 if self.order is None else len(self.order) * math.log2(len(self.order))
        return codes + _STEP_BITS * self.steps.size + rows


class Rounder(Protocol):
    """Rounds the weights of one site."""

    site: Site

    def round(self, coarseness: float, /) -> Rounded:
        """The weights at about that coarseness."""

    def coarseness(self, rounded: Rounded) -> float:
        """How coarse that really is."""


class SiteRounder:
    """Rounds the weights of one site at any coarseness.

    Args:
        weights: in their own shape; they are read anew each time, as those of all sites take much memory.
        moments: of the inputs; without them rounding is plain.
        importance: how much a squared error of each output channel counts, [N]; without it all count by their rms.
    """

    def __init__(self, site: Site, weights: Tensor, moments: Moments | None, importance: Array | None = None) -> None:
        self.site, self._tensor, self._importance = site, weights, importance
        self._mean = None if moments is None else moments.mean
        self._second: Sequence[Array] = () if moments is None else moments.second  # until they are factored
        self._is_compensated = bool(self._second)
        self.has_trellis = False

    def with_trellis(self) -> SiteRounder:
        """The same with trellis-coded quantization, where that is worth its while."""
        _ = self._parts  # shared by both
        found = copy.copy(self)
        found.has_trellis = self._can_have_trellis
        return found

    @property
    def _weights(self) -> Array:
        return self.site.matrix(np.asarray(self._tensor.numpy(), np.float32))

    @property
    def matrix(self) -> Array:
        """The weights as they are, [K, N]."""
        return self._weights

    def round(self, coarseness: float) -> Rounded:
        """The weights with steps of `coarseness` times the rms of each channel.

        Where a byte is too narrow for the codes they take two, and beyond that weights are float16.
        """
        weights, relative = self._weights, self._relative
        largest = WIDEST if is_too_coarse(weights, coarseness, relative=relative) else LARGEST
        if is_too_coarse(weights, coarseness, largest, relative) and (floats := self.as_floats(coarseness)) is not None:
            return floats
        steps = channel_steps(weights, coarseness, largest, relative)
        codes = self._codes(steps, largest)
        if self.has_trellis and largest == LARGEST and entropy(codes) > _PLAIN_BELOW * codes.size:
            compensation, importance = self._compensations[0][1], self._parts[0][2]
            price = trellis.prices(importance, steps, code_bits(codes))
            codes[:] = trellis.round_trellis(compensation, self._weights / steps, price)
            return self._rounded(codes, steps, compensation.order)
        return self._rounded(codes, steps)

    @cached_property
    def _relative(self) -> Array | float:
        return 1.0 if self._importance is None else relative_steps(self._weights, self._importance)

    def round_to(self, largest: int) -> Rounded:
        """The weights as codes up to `largest`, with the steps of the least squared error where those are few."""
        steps = finest(self._weights) if largest == LARGEST else best_steps(self._weights, largest)
        return self._rounded(self._codes(steps.astype(np.float32), largest), steps)

    def round_evenly(self, coarseness: float, *, powers_of_two: bool = False) -> Rounded:
        """The weights as codes at `coarseness`, never as float16; the steps are powers of two if wanted."""
        steps = (power_of_two_steps if powers_of_two else channel_steps)(self._weights, coarseness)
        return self._rounded(self._codes(steps.astype(np.float32)), steps)

    def as_floats(self, coarseness: float) -> Rounded | None:
        """The weights as float16, or as they are where that would be far too coarse; None where they do not fit."""
        if _FAR_TOO_COARSE * coarseness < _HALF_COARSENESS:
            return Rounded(self._weights, None, None)
        return self.halved()

    def halved(self) -> Rounded | None:
        """The weights as float16; None where they do not fit."""
        half = self._half()
        return None if half is None else self._rounded(half, None)

    def coarseness(self, rounded: Rounded) -> float:
        """How coarse that really is: float16 keeps about a 4096th of each weight."""
        if rounded.steps is None:
            return 0.0 if rounded.stays else _HALF_COARSENESS
        return used_coarseness(self._weights, rounded.steps)

    def plain_coarseness(self, largest: int) -> float:
        """The coarseness at which evenly spread codes have the error that the nearest ones up to `largest` have."""
        steps = (finest(self._weights) if largest == LARGEST else best_steps(self._weights, largest)).astype(np.float32)
        error = nearest(self._weights / steps, largest=largest) * steps - self._weights
        power = mean_square(self._weights)
        return math.sqrt(12 * float(np.square(error, dtype=np.float64).mean()) / power) if power else 0.0

    def _half(self) -> Array | None:
        with np.errstate(over="ignore"):
            half = self._weights.astype(np.float16)
        return half if np.isfinite(half).all() else None

    @np.errstate(over="ignore", invalid="ignore")  # no bias makes up for what is infinite
    def _rounded(self, codes: Array, steps: Array | None, order: Array | None = None) -> Rounded:
        plain = Rounded(codes, steps, None, order=order)
        if self._mean is None or self.site.bias is None:
            return plain
        weights, mean = self._weights, self._mean
        if self.site.kind == "depthwise":
            error = weights - plain.weights
            per_input = error.reshape(len(error), len(mean), -1)
            shift = np.einsum("ck,kcm->cm", mean, per_input).reshape(-1)
        else:
            width = max(_MOST_ERRORS // max(len(mean), 1), 1)
            columns = [slice(at, at + width) for at in range(0, weights.shape[1], width)]
            shift = np.concatenate([mean @ (weights[:, part] - plain.columns(part)) for part in columns])
        return Rounded(codes, steps, shift.astype(np.float32), self._noise(steps), order=order)

    def _noise(self, steps: Array | None) -> Array | None:
        """Errors are even over a step, and each counts as much as those after it could not make up for."""
        if steps is None or not self._is_compensated:
            return None
        weighed = sum(np.broadcast_to(each.sum(axis=0), steps.shape) for _, _, each in self._parts)
        return np.asarray(np.square(steps, dtype=np.float64) * weighed / 12)

    def _codes(self, steps: Array, largest: int = LARGEST) -> Array:
        weights = self._weights
        codes = np.empty(weights.shape, np.int8 if largest <= LARGEST else np.int16)
        choose = partial(nearest, largest=largest)
        if not self._is_compensated:
            codes[:] = choose(weights / steps)
            return codes

        def round_part(each: _Part, bits: Array | None = None) -> None:
            part, rounded, importance = each
            chosen = choose if bits is None else cheaper(importance, steps, bits)
            codes[part] = rounded(weights[part] / steps, chosen)

        in_parallel(round_part, self._parts)
        if largest == LARGEST and entropy(codes) < _CHEAPER_BELOW * codes.size:
            in_parallel(partial(round_part, bits=code_bits(codes)), self._parts)
        return codes

    @cached_property
    def _compensations(self) -> list[tuple[slice, Compensation]]:
        second, self._second = self._second, ()
        return list(blocks_of(second))

    @property
    def _can_have_trellis(self) -> bool:
        """Whether rows follow each other in one block, and are long enough to be worth their places in the order."""
        site, rows = self.site, self.site.size // self.site.channels
        if not self._is_compensated or site.kind == "depthwise" or site.axes != (len(site.shape) - 1,):
            return False
        is_worth = _SAVED * site.channels > math.log2(rows) and rows >= _FEW_ROWS and site.size <= _LARGEST_TRELLIS
        return is_worth and len(self._compensations) == 1

    @cached_property
    def _parts(self) -> list[_Part]:
        """The groups of rows that are rounded on their own."""
        if self.site.kind != "depthwise":
            return [
                (part, compensation.round, compensation.diagonal[:, None] ** -2.0)
                for part, compensation in self._compensations
            ]
        second, self._second = self._second, ()
        factors = np.repeat(depthwise_factors(second[0]), self.site.shape[3], axis=0)

        def rounded(codes: Array, choose: Choose) -> Array:
            return round_depthwise(codes, factors, choose)

        return [(slice(0, len(self._weights)), rounded, np.diagonal(factors, axis1=1, axis2=2).T ** -2.0)]
