"""SipHash-2-4, which strings are sorted into buckets by where a secret key is wanted.

The algorithm is that of Aumasson and Bernstein, "SipHash: a fast short-input PRF" (2012).
"""

from __future__ import annotations

from typing import Any

import numpy as np

from pbslim.kernels.checks import Array, check_work, require
from pbslim.kernels.registry import Attributes, kernel

_MASK = 2**64 - 1
_START = (0x736F6D6570736575, 0x646F72616E646F6D, 0x6C7967656E657261, 0x7465646279746573)
_STEPS = 128  # for each byte, compared with what numpy does to an element
_MAX_BYTES = 2**24  # more would take minutes


@kernel("StringToHashBucketStrong", takes="string")
def _to_strong_hash_bucket(attrs: Attributes, x: Array) -> Any:
    buckets, key = attrs.integer("num_buckets"), attrs.integers("key")
    require(0 < buckets < 2**63, f"{buckets} is not a number of buckets")
    require(len(key) == 2, "the key must be 2 numbers")
    texts = x.reshape(-1).tolist()
    size = sum(map(len, texts))
    require(size <= _MAX_BYTES, f"there are more than {_MAX_BYTES} bytes")
    check_work(_STEPS * (size + len(texts)))
    return np.array([sip_hash(text, (key[0], key[1])) % buckets for text in texts], np.int64).reshape(x.shape)


def sip_hash(text: bytes, key: tuple[int, int]) -> int:
    """The keyed hash, at least 0 and less than 2**64."""
    state = [start ^ (key[i % 2] & _MASK) for i, start in enumerate(_START)]
    padded = text + bytes(7 - len(text) % 8) + bytes([len(text) & 0xFF])
    for position in range(0, len(padded), 8):
        word = int.from_bytes(padded[position : position + 8], "little")
        state[3] ^= word
        _mix(state, 2)
        state[0] ^= word
    state[2] ^= 0xFF
    _mix(state, 4)
    return state[0] ^ state[1] ^ state[2] ^ state[3]


def _rotated(x: int, bits: int) -> int:
    return (x << bits | x >> (64 - bits)) & _MASK


def _mix(state: list[int], rounds: int) -> None:
    a, b, c, d = state
    for _ in range(rounds):
        a, c = (a + b) & _MASK, (c + d) & _MASK
        b, d = _rotated(b, 13) ^ a, _rotated(d, 16) ^ c
        a = _rotated(a, 32)
        c, a = (c + b) & _MASK, (a + d) & _MASK
        b, d = _rotated(b, 17) ^ c, _rotated(d, 21) ^ a
        c = _rotated(c, 32)
    state[:] = a, b, c, d
