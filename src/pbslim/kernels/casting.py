"""Changes of dtype."""

from __future__ import annotations

from typing import Any

import ml_dtypes
import numpy as np

from pbslim.dtypes import BFLOAT16, HALF
from pbslim.kernels.checks import Array, checked_shape, require, require_defined, widened
from pbslim.kernels.registry import Attributes, kernel

_TRUNCATED_BITS = {  # low bits of the source that go before the values are rounded
    (np.float32, np.float16): 13,
    (np.float32, ml_dtypes.bfloat16): 16,
    (np.float64, np.float16): 42,
    (np.float64, np.float32): 29,
}


@kernel("Cast", takes="number|bool|quantized|string|float8_e5m2|float8_e4m3fn")
def _cast(attrs: Attributes, x: Array) -> Any:
    target = attrs.array_dtype("DstT")
    require(attrs.dtype("DstT").name not in ("int4", "uint4"), "there are no casts to 4 bits")
    require((x.dtype.kind == "O") == (target.kind == "O"), "strings are not numbers")
    if x.dtype == target:
        return x
    checked_shape(x.shape)
    if attrs.flag("Truncate"):
        x = _truncated(x, target)
    if x.dtype.kind == "c" and target.kind != "c":
        x = x.real
    if target.kind == "b":
        return x != 0
    if target.kind in "iu":
        return _to_integers(x, target)
    if attrs.dtype("DstT") in (HALF, BFLOAT16):  # by way of single precision, so doubles are rounded twice
        x = x.astype(np.float32)
    return x.astype(target)


def _truncated(x: Array, target: np.dtype[Any]) -> Array:
    """`x` without the low bits that `target` lacks."""
    require(x.dtype.kind != "c", "complex numbers cannot be truncated")
    bits = _TRUNCATED_BITS.get((x.dtype.type, target.type))
    if bits is None:
        require(not (x.dtype == np.float64 and target.itemsize < 4), f"double cannot be truncated to {target}")
        return x
    pattern = np.dtype(f"u{x.dtype.itemsize}")
    mask = pattern.type(~((1 << bits) - 1) & (1 << 8 * pattern.itemsize) - 1)
    return np.where(np.isfinite(x), (x.view(pattern) & mask).view(x.dtype), x)


def _to_integers(x: Array, target: np.dtype[Any]) -> Array:
    """Towards zero. C leaves open what happens out of range, and TensorFlow's results differ between machines."""
    if x.dtype.kind in "iub":
        return x.astype(target)
    wide = widened(x)
    bits = np.iinfo(target).bits if target.kind in "iu" else 0
    low = -(2.0 ** (bits - 1)) if target.kind == "i" else 0.0
    high = 2.0 ** (bits - 1 if target.kind == "i" else bits)
    whole = np.trunc(wide)
    inside = (whole >= low) & (whole < high)
    if inside.all():
        return wide.astype(target)
    require_defined(lambda: False, f"there are values out of the range of {target}")
    return _as_processors_do(whole, inside, target)


def _as_processors_do(whole: Array, inside: Array, target: np.dtype[Any]) -> Array:
    """As x86 converts what is out of range: to 32 bits (64 for types of 64 bits), then the lower bits are taken."""
    register = np.int64 if target.itemsize == 8 else np.int32
    least = np.iinfo(register).min
    fits = (whole >= least) & (whole < -float(least))
    converted = np.where(fits, whole, least).astype(register).astype(target)
    return np.where(inside, np.where(inside, whole, 0).astype(target), converted)


@kernel("Bitcast", takes="real|complex|quantized")
def _bitcast(attrs: Attributes, x: Array) -> Any:
    """The last dimension takes up, or gives, the difference in element size."""
    target = attrs.array_dtype("type")
    require(target.kind not in "bO", f"no bits of {target}")
    old, new = x.dtype.itemsize, target.itemsize
    if old == new:
        return x.view(target)
    if old > new:
        shape = checked_shape((*x.shape, old // new))
        return np.frombuffer(x.tobytes(), target).reshape(shape)
    require(x.ndim >= 1 and x.shape[-1] == new // old, f"the last dimension must have {new // old} elements")
    return np.frombuffer(x.tobytes(), target).reshape(x.shape[:-1])
