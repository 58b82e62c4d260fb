"""Fake quantization: real numbers moved to the nearest of a few levels, one of them zero."""

from __future__ import annotations

from typing import Any

import numpy as np

from pbslim.kernels.checks import Array, require
from pbslim.kernels.registry import Attributes, kernel

_F = np.float32


def _nudged(low: Array, high: Array, first: int, last: int) -> tuple[Any, Any, Any]:
    """The range moved so that a level falls on zero, and the step between levels."""
    scale = (high - low) / _F(last - first)
    zero = np.clip(_F(first) - low / scale, first, last)
    zero = np.floor(zero + _F(0.5))
    return (_F(first) - zero) * scale, (_F(last) - zero) * scale, scale


def _fake_quant(attrs: Attributes, x: Array, low: Array, high: Array, *, divide: bool = False) -> Any:
    """TensorFlow divides by the step or multiplies by its inverse, depending on the op."""
    bits = attrs.integer("num_bits", 8)
    require(2 <= bits <= 16, f"{bits} bits are out of range")
    require(np.isfinite(low).all() and np.isfinite(high).all(), "the range is not finite")
    first, last = int(attrs.flag("narrow_range")), 2**bits - 1
    empty = (low == 0) & (high == 0)
    least, most, scale = _nudged(low, high, first, last)
    inverse = _F(1) / scale
    zero = np.floor(-least * inverse + _F(0.5))
    shifted = np.maximum(np.minimum(x, most), least) - least
    steps = np.floor((shifted / scale if divide else shifted * inverse) - zero + _F(0.5))
    return np.where(empty, _F(0), steps * scale)


@kernel("FakeQuantWithMinMaxArgs", takes="float")
def _args(attrs: Attributes, x: Array) -> Any:
    low, high = attrs.number("min", -6), attrs.number("max", 6)
    require(low < high, "the range is empty")
    return _fake_quant(attrs, x, np.asarray(low), np.asarray(high))


@kernel("FakeQuantWithMinMaxVars", takes="float float float")
def _vars(attrs: Attributes, x: Array, low: Array, high: Array) -> Any:
    require(low.ndim == high.ndim == 0, "the range must be two scalars")
    return _fake_quant(attrs, x, low, high, divide=True)


@kernel("FakeQuantWithMinMaxVarsPerChannel", takes="float float float")
def _vars_per_channel(attrs: Attributes, x: Array, low: Array, high: Array) -> Any:
    require(x.ndim >= 1, "it needs at least 1 dimension")
    require(low.shape == high.shape == x.shape[-1:], "the range must be two vectors, one number for each channel")
    return _fake_quant(attrs, x, low, high)
