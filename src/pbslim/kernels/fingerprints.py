"""FarmHash's fingerprint of 64 bits, which strings are sorted into buckets by.

The algorithm is ``farmhashna::Hash64`` of Google's FarmHash, which TensorFlow calls ``Fingerprint64``.
"""

from __future__ import annotations

import struct
from typing import Any, TypeAlias

import numpy as np

from pbslim.kernels.checks import Array, check_work, require
from pbslim.kernels.registry import Attributes, kernel

_Pair: TypeAlias = tuple[int, int]

_MASK = 2**64 - 1
_K0, _K1, _K2 = 0xC3A5C85C97CB3127, 0xB492B66FBE98F273, 0x9AE16A3B2F90404F
_BLOCK = 64
_SEED = 81
_MAX_BYTES = 2**24  # more would take minutes
_STEPS = 128  # for each byte, compared with what numpy does to an element


@kernel("StringToHashBucketFast", takes="string")
def _to_hash_bucket(attrs: Attributes, x: Array) -> Any:
    buckets = attrs.integer("num_buckets")
    require(0 < buckets < 2**63, f"{buckets} is not a number of buckets")
    texts = x.reshape(-1).tolist()
    size = sum(map(len, texts))
    require(size <= _MAX_BYTES, f"there are more than {_MAX_BYTES} bytes")
    check_work(_STEPS * (size + len(texts)))
    return np.array([fingerprint(text) % buckets for text in texts], np.int64).reshape(x.shape)


def fingerprint(text: bytes) -> int:
    """The fingerprint, at least 0 and less than 2**64."""
    size = len(text)
    if size > _BLOCK:
        return _of_long(text)
    if size > 32:
        return _of_33_to_64(text)
    if size > 16:
        return _of_17_to_32(text)
    factor = _K2 + 2 * size
    if size >= 8:
        a, b = _word(text, 0) + _K2, _word(text, size - 8)
        return _mixed(_turned(b, 37) * factor + a, (_turned(a, 25) + b) * factor, factor)
    if size >= 4:
        first, last = struct.unpack_from("<I", text, 0)[0], struct.unpack_from("<I", text, size - 4)[0]
        return _mixed(size + (first << 3), last, factor)
    if size:
        ends = text[0] + (text[size >> 1] << 8), size + (text[-1] << 2)
        return _folded(ends[0] * _K2 ^ ends[1] * _K0) * _K2 & _MASK
    return _K2


def _word(text: bytes, place: int) -> int:
    word: int = struct.unpack_from("<Q", text, place)[0]
    return word


def _turned(x: int, count: int) -> int:
    """Bits rotated to the right."""
    x &= _MASK
    return (x >> count | x << (64 - count)) & _MASK


def _folded(x: int) -> int:
    x &= _MASK
    return x ^ x >> 47


def _mixed(x: int, y: int, factor: int) -> int:
    inner = _folded(((x ^ y) & _MASK) * factor)
    return _folded(((y & _MASK) ^ inner) * factor) * factor & _MASK


def _halves(text: bytes, factor: int) -> tuple[int, int, int]:
    """What the first and last 16 bytes come to, and their first word multiplied."""
    size = len(text)
    a, b = _word(text, 0) * (_K1 if size <= 32 else _K2), _word(text, 8)
    c, d = _word(text, size - 8) * factor, _word(text, size - 16) * _K2
    return _turned(a + b, 43) + _turned(c, 30) + d, a + _turned(b + _K2, 18) + c, a


def _of_17_to_32(text: bytes) -> int:
    factor = _K2 + 2 * len(text)
    x, y, _ = _halves(text, factor)
    return _mixed(x, y, factor)


def _of_33_to_64(text: bytes) -> int:
    size = len(text)
    factor = _K2 + 2 * size
    x, y, a = _halves(text, factor)
    z = _mixed(x, y, factor)
    e, f = _word(text, 16) * factor, _word(text, 24)
    g, h = (x + _word(text, size - 32)) * factor, (z + _word(text, size - 24)) * factor
    return _mixed(_turned(e + f, 43) + _turned(g, 30) + h, e + _turned(f + a, 18) + g, factor)


def _of_long(text: bytes) -> int:
    """Block by block, then once more with the last 64 bytes."""
    last = len(text) - 1
    y = _SEED * _K1 + 113
    z = _folded(y * _K2 + 113) * _K2
    state = _SEED * _K2 + _word(text, 0), y, z, (0, 0), (0, 0)
    for start in range(0, last // _BLOCK * _BLOCK, _BLOCK):
        state = _after_block(text, start, *state, _K1, 1)
    x, y, z, v, w = state
    factor = _K1 + ((z & 0xFF) << 1)
    w_first = w[0] + (last & 63)
    v_first = v[0] + w_first
    state = x, y, z, (v_first, v[1]), (w_first + v_first, w[1])
    x, y, z, v, w = _after_block(text, last - 63, *state, factor, 9)
    return _mixed(_mixed(v[0], w[0], factor) + _folded(y) * _K0 + z, _mixed(v[1], w[1], factor) + x, factor)


def _after_block(
    text: bytes, start: int, x: int, y: int, z: int, v: _Pair, w: _Pair, factor: int, weight: int
) -> tuple[int, int, int, _Pair, _Pair]:
    x = _turned(x + y + v[0] + _word(text, start + 8), 37) * factor
    y = _turned(y + v[1] + _word(text, start + 48), 42) * factor
    x = (x & _MASK) ^ (w[1] * weight & _MASK)
    y = y + v[0] * weight + _word(text, start + 40)
    z = _turned(z + w[0], 33) * factor
    v = _of_half_block(text, start, v[1] * factor, x + w[0])
    w = _of_half_block(text, start + 32, z + w[1], y + _word(text, start + 16))
    return z & _MASK, y & _MASK, x, v, w


def _of_half_block(text: bytes, start: int, a: int, b: int) -> _Pair:
    first, second, third, fourth = struct.unpack_from("<4Q", text, start)
    a += first
    b = _turned(b + a + fourth, 21)
    whole = a + second + third
    return (whole + fourth) & _MASK, (b + _turned(whole, 44) + a) & _MASK
