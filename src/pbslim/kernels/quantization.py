"""Integers that stand for real numbers in a range, as TensorFlow's CPU kernels compute them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from pbslim.dtypes import FLOAT
from pbslim.kernels.checks import Array, axis_of, has_nan, require, require_defined, scalar
from pbslim.kernels.joining import joined
from pbslim.kernels.pooling import largest_in_windows
from pbslim.kernels.registry import Attributes, kernel

_F = np.float32
_D = np.float64
BELOW_2_31 = np.nextafter(_F(2**31), _F(0))
"""The highest code of 32 bits that single precision has."""


def round_half_away(x: Any) -> Any:
    """The nearest whole number, halves away from zero (numpy's own rounding goes to even)."""
    whole = np.trunc(x)
    return whole + np.copysign((np.abs(x - whole) >= 0.5).astype(np.asarray(x).dtype), x)


class Levels:
    """The integers of a quantized type; float32 where TensorFlow has it."""

    def __init__(self, dtype: np.dtype[Any]) -> None:
        info = np.iinfo(dtype)
        self.dtype, self.low, self.high = dtype, int(info.min), int(info.max)
        self.half = _F((_F(self.high) - _F(self.low) + _F(1)) / _F(2)) if self.low else _F(0)
        self.steps = 2 ** (8 * dtype.itemsize) - 1


def bound_of(array: Array, what: str) -> np.float32:
    """An end of a range, in single precision; raises KernelError unless it is one number."""
    require(array.size == 1, f"{what} must be one number")
    return _F(array.reshape(())[()])


def _per_slice(bound: Array, x: Array, axis: int) -> Array:
    """Bounds of the slices along `axis` in a shape that broadcasts with `x`."""
    require(bound.size == x.shape[axis], f"{bound.size} ranges for {x.shape[axis]} slices")
    return bound.reshape(-1, *[1] * (x.ndim - 1 - axis))


def _range_of(attrs: Attributes, x: Array, low: Array, high: Array) -> tuple[Any, Any]:
    axis = attrs.integer("axis", -1)
    if axis == -1:
        return bound_of(low, "min_range"), bound_of(high, "max_range")
    require(axis >= 0, f"axis {axis} is out of range")
    axis = axis_of(axis, x.ndim)
    return _per_slice(low, x, axis), _per_slice(high, x, axis)


def _minimum_code(attrs: Attributes, levels: Levels) -> np.float32:
    return _F(levels.low + attrs.flag("narrow_range"))


def min_first_scale(low: np.float32, high: np.float32, levels: Levels) -> tuple[np.float32, np.float32]:
    """The step between codes, and the real number that the lowest code stands for."""
    scale = _F(_D(high - low) / _D(levels.steps))
    return scale, low if low == high else _F(_F(round_half_away(_F(low / scale))) * scale)


@kernel("Dequantize", takes="quantized float float")
def _dequantize(attrs: Attributes, x: Array, min_range: Array, max_range: Array) -> Any:
    levels = Levels(x.dtype)
    mode = attrs.text("mode", "MIN_COMBINED")
    target = attrs.array_dtype("dtype", FLOAT)
    low, high = _range_of(attrs, x, min_range, max_range)
    codes = x.astype(_F)
    require(target == _F or mode == "MIN_COMBINED", f"mode {mode} gives float only")
    if mode == "MIN_COMBINED":
        scale = (high - low) / (_F(levels.high) - _F(levels.low))
        return ((codes + levels.half) * scale + low).astype(target)
    if mode == "MIN_FIRST":
        require(np.ndim(low) == 0, "mode MIN_FIRST has one range only")
        scale, base = min_first_scale(low, high, levels)
        return (base - _F(levels.low) * scale) + codes * scale
    require(mode == "SCALED", f"mode '{mode}' is not known")
    scale = high / _F(levels.high)
    if levels.low:
        scale = np.maximum(low / _minimum_code(attrs, levels), scale)
    return codes * scale


@kernel("QuantizeV2", takes="float float float")
def _quantize_v2(attrs: Attributes, x: Array, min_range: Array, max_range: Array) -> list[Any]:
    """The codes and the range that they stand for, which holds zero and is not too small."""
    dtype = attrs.dtype("T")
    require(dtype.is_quantized, f"it gives no {dtype}")
    levels = Levels(dtype.numpy)
    mode, rounding = attrs.text("mode", "MIN_COMBINED"), attrs.text("round_mode", "HALF_AWAY_FROM_ZERO")
    require(rounding in ("HALF_AWAY_FROM_ZERO", "HALF_TO_EVEN"), f"round_mode '{rounding}' is not known")
    require(rounding != "HALF_TO_EVEN" or mode == "SCALED", "HALF_TO_EVEN goes with mode SCALED only")
    require_defined(lambda: not has_nan(x), "NaN has no code")
    given_low, given_high = _range_of(attrs, x, min_range, max_range)
    require(np.isfinite(given_low).all() and np.isfinite(given_high).all(), "the range is not finite")
    require((given_low <= given_high).all(), "the range is upside down")
    least = attrs.number("ensure_minimum_range", 0.01)
    low = np.minimum(_F(0), given_low)
    gap = np.maximum(_F(1), np.maximum(np.abs(given_low), np.abs(given_high))) * least
    high = np.maximum(_F(0), np.maximum(given_high, low + gap))
    if mode == "SCALED":
        codes, low, high = _scaled(attrs, x, low, high, levels, rounding)
    elif mode == "MIN_COMBINED":
        scale = _F(levels.steps) / (high - low)
        codes = round_half_away((np.maximum(np.minimum(x, high), low) - low) * scale - levels.half)
    else:
        require(mode == "MIN_FIRST", f"mode '{mode}' is not known")
        require(np.ndim(low) == 0, "mode MIN_FIRST has one range only")
        codes = min_first_codes(x, low, high, levels)
    if mode == "MIN_FIRST" and levels.high == 2**31 - 1:
        codes = np.minimum(codes, BELOW_2_31)
    codes = np.where(codes < 2**31, np.clip(codes, levels.low, levels.high), levels.low).astype(levels.dtype)
    shape = () if np.ndim(low) == 0 else (-1,)
    return [codes, np.asarray(low, _F).reshape(shape), np.asarray(high, _F).reshape(shape)]


def _scaled(attrs: Attributes, x: Array, low: Any, high: Any, levels: Levels, rounding: str) -> tuple[Any, Any, Any]:
    least, most = _minimum_code(attrs, levels), _F(levels.high)
    largest = np.finfo(_F).max
    from_low = np.where(least * low > 0, least / low, largest)
    from_high = np.where(most * high > 0, most / high, largest)
    scale = np.minimum(from_low, from_high).astype(_F)
    low, high = least / scale, most / scale
    scaled = np.maximum(np.minimum(x, high), low) * scale
    return (np.rint(scaled) if rounding == "HALF_TO_EVEN" else round_half_away(scaled)), low, high


def min_first_codes(x: Array, low: np.float32, high: np.float32, levels: Levels) -> Any:
    """The codes of real numbers, as whole floats, perhaps beyond those that the type has."""
    scale = _F(0) if low == high else _F(_D(levels.steps) / _D(high - low))
    first = _F(round_half_away(_F(low * scale)))
    return round_half_away(x * scale) - (first - _F(levels.low))


def real_of(code: int, low: np.float32, high: np.float32, levels: Levels) -> np.float32:
    """The real number that one code stands for, in double precision but for the code itself and the rounded bound."""
    if low == high:
        return low
    steps = levels.steps + 1
    step = _D(high - low) * (steps / (steps - 1.0)) / steps
    base = _F(round_half_away(_F(low / _F(step)))) * _F(step)
    return _F(_D(base) + (_D(_F(code)) - levels.low) * step)


def _range_of_values(x: Array, low: np.float32, high: np.float32) -> tuple[np.float32, np.float32]:
    """The range of the values that occur, its lower end zero at most."""
    levels = Levels(x.dtype)
    lowest, highest = int(x.min(initial=levels.high)), int(x.max(initial=levels.low))
    return np.minimum(_F(0), real_of(lowest, low, high, levels)), real_of(highest, low, high, levels)


@kernel("RequantizationRange", takes="qint32 float float")
def _requantization_range(_attrs: Attributes, x: Array, input_min: Array, input_max: Array) -> list[Any]:
    return [*_range_of_values(x, bound_of(input_min, "input_min"), bound_of(input_max, "input_max"))]


@kernel("Requantize", takes="qint32 float float float float")
def _requantize(attrs: Attributes, x: Array, *ranges: Array) -> list[Any]:
    low, high, new_low, new_high = (bound_of(bound, "a bound") for bound in ranges)
    require(new_low <= 0, "the new range must hold zero or end below it")
    require(new_low <= new_high, "the new range is upside down")
    return _to_eight_bits(attrs, x, low, high, new_low, new_high)


def _to_eight_bits(attrs: Attributes, x: Array, *ranges: np.float32) -> list[Any]:
    """From 32 to 8 bits in fixed point with 16 fractional bits."""
    require(attrs.dtype("out_type").name == "quint8", "it gives quint8 only")
    low, high, new_low, new_high = ranges
    require(np.isfinite(ranges).all(), "a range is not finite")
    span, new_span = high - low, new_high - new_low
    if new_span == 0:
        factor = offset = new_offset = 0
    else:
        one = 1 << 16
        inverse = _F(255.0 / _D(new_span))
        factor = int(255.0 * one * _D(span) / _D(new_span))
        offset = int(_F(_F(_F(low + high) / 2.0) * inverse) * _F(one))
        new_offset = round(one * (_D(new_low) * 255.0) / _D(new_span))
        require(max(map(abs, (factor, offset, new_offset))) < 2**62, "the ranges are too far apart")
    codes = x.astype(_F).astype(np.int64)  # TensorFlow's qint32 turns into other numbers by way of float
    require(int(np.abs(codes).max(initial=0)) * abs(factor) < 2**63, "the ranges are too far apart")
    values = (codes * factor >> 32) + (offset - new_offset + (1 << 15))
    return [np.clip(values >> 16, 0, 255).astype(np.uint8), new_low, new_high]


class _Symmetric:
    """How QuantizeAndDequantize maps a range that keeps zero at zero."""

    def __init__(self, attrs: Attributes, bits: int, low: Any, high: Any) -> None:
        signed, narrow = attrs.flag("signed_input", True), attrs.flag("narrow_range")
        require(0 < bits < (62 if signed else 63), f"{bits} bits are out of range")
        kind = low.dtype.type
        least = kind(-(2 ** (bits - 1)) + narrow if signed else 0)
        most = kind(2 ** (bits - 1) - 1 if signed else 2**bits - 1)
        largest = np.finfo(kind).max
        from_low = np.where(least * low > 0, least / low, largest)
        from_high = np.where(most * high > 0, most / high, largest)
        by_low = from_low < from_high
        self.scale = np.where(by_low, from_low, from_high).astype(kind)
        self.inverse = np.where(by_low, low / least, high / most).astype(kind)
        self.low = np.where(by_low, low, least * self.inverse)
        self.high = np.where(by_low, most * self.inverse, high)


def _quantize_and_dequantize(attrs: Attributes, x: Array, low: Array, high: Array, bits: int, given: bool) -> Any:
    rounding = attrs.text("round_mode", "HALF_TO_EVEN")
    require(rounding in ("HALF_TO_EVEN", "HALF_UP"), f"round_mode '{rounding}' is not known")
    require(x.size, "an empty tensor has no range")
    axis = attrs.integer("axis", -1)
    require(axis >= -1, f"axis {axis} is out of range")
    if axis == -1:
        others = tuple(range(x.ndim))
        bounds = low.reshape(()) if given else None, high.reshape(()) if given else None
    else:
        axis = axis_of(axis, x.ndim)
        others = tuple(i for i in range(x.ndim) if i != axis)
        bounds = (_per_slice(low, x, axis), _per_slice(high, x, axis)) if given else (None, None)
    least = x.min(axis=others, keepdims=True) if bounds[0] is None else bounds[0]
    most = x.max(axis=others, keepdims=True) if bounds[1] is None else bounds[1]
    require((least <= most).all(), "the range is upside down or NaN")
    mapping = _Symmetric(attrs, bits, least, most)
    if given:
        x = np.maximum(np.minimum(x, mapping.high), mapping.low)
    scaled = x * mapping.scale
    rounded = np.rint(scaled) if rounding == "HALF_TO_EVEN" else np.floor(scaled + scaled.dtype.type(0.5))
    return rounded * mapping.inverse


@kernel("QuantizeAndDequantizeV2", "QuantizeAndDequantizeV4", takes="T:float|double T:float|double T:float|double")
def _quantize_and_dequantize_v2(attrs: Attributes, x: Array, low: Array, high: Array) -> Any:
    require(low.ndim == high.ndim == 0 or not attrs.flag("range_given"), "the range must be two scalars")
    return _quantize_and_dequantize(attrs, x, low, high, attrs.integer("num_bits", 8), attrs.flag("range_given"))


@kernel("QuantizeAndDequantizeV3", takes="T:float|double T:float|double T:float|double int32")
def _quantize_and_dequantize_v3(attrs: Attributes, x: Array, low: Array, high: Array, num_bits: Array) -> Any:
    bits = int(scalar(num_bits, "num_bits"))
    return _quantize_and_dequantize(attrs, x, low, high, bits, attrs.flag("range_given", True))


@kernel("QuantizeDownAndShrinkRange", takes="qint32 float float")
def _quantize_down(attrs: Attributes, x: Array, input_min: Array, input_max: Array) -> list[Any]:
    """To the range of the values that occur."""
    bounds = bound_of(input_min, "input_min"), bound_of(input_max, "input_max")
    return _to_eight_bits(attrs, x, *bounds, *_range_of_values(x, *bounds))


def code_of(value: float, low: np.float32, high: np.float32, levels: Levels) -> int:
    """The code next to a real number."""
    return int(np.clip(unclamped_code_of(value, low, high, levels), levels.low, levels.high))


def unclamped_code_of(value: float, low: np.float32, high: np.float32, levels: Levels) -> int:
    """What the code next to a real number would be, perhaps one that the type does not have."""
    require(np.isfinite(low) and np.isfinite(high) and low <= high, "the range is not finite or upside down")
    if low == high:
        return levels.low
    steps = levels.steps + 1
    scale = steps / (_D(high - low) * (steps / (steps - 1.0)))
    return int(round_half_away(_D(value) * scale) - round_half_away(_D(low) * scale)) + levels.low


def _quantized_relu(most: float) -> Callable[..., Any]:
    def run(_attrs: Attributes, x: Array, min_features: Array, max_features: Array) -> list[Any]:
        bounds = scalar(min_features, "min_features"), scalar(max_features, "max_features")
        levels = Levels(x.dtype)
        least = code_of(0.0, *bounds, levels)
        return [np.clip(x, least, code_of(most, *bounds, levels) if most else levels.high), *bounds]

    return run


kernel("QuantizedRelu", takes="quint8|qint32 float float")(_quantized_relu(0))
kernel("QuantizedRelu6", takes="quint8|qint32 float float")(_quantized_relu(6))


@kernel("QuantizedMaxPool", takes="quint8 float float")
def _quantized_max_pool(attrs: Attributes, x: Array, min_input: Array, max_input: Array) -> list[Any]:
    return [largest_in_windows(attrs, x), scalar(min_input, "min_input"), scalar(max_input, "max_input")]


@kernel("QuantizedConcat", takes="int32 any*")
def _quantized_concat(_attrs: Attributes, axis: Array, *operands: Array) -> list[Any]:
    """Codes, then as many minima and maxima; all are brought to a range that holds every one, and zero."""
    count = len(operands) // 3
    require(count and len(operands) == 3 * count, "there are not as many ranges as parts")
    parts, bounds = operands[:count], operands[count:]
    require(all(p.dtype == np.uint8 for p in parts), "it joins quint8 only")
    require(all(b.dtype == _F for b in bounds), "ranges must be float")
    lows, highs = ([bound_of(b, "a bound") for b in half] for half in (bounds[:count], bounds[count:]))
    require(np.isfinite([*lows, *highs]).all(), "a range is not finite")
    low, high = min(_F(0), *lows), max(highs)
    levels = Levels(np.dtype(np.uint8))
    moved = [_in_range(*each, low, high, levels) for each in zip(parts, lows, highs, strict=True)]
    return [joined(tuple(moved), axis), low, high]


def _in_range(
    x: Array, low: np.float32, high: np.float32, new_low: np.float32, new_high: np.float32, levels: Levels
) -> Array:
    if (low, high) == (new_low, new_high):
        return x
    scale, base = min_first_scale(low, high, levels)
    codes = min_first_codes(base + x.astype(_F) * scale, new_low, new_high, levels)
    return np.asarray(np.clip(codes, levels.low, levels.high).astype(levels.dtype))
