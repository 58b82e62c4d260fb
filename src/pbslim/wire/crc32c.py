"""CRC32C, the checksum of checkpoints: Castagnoli's polynomial, bits reflected.

``google-crc32c`` does the work. Where its compiled part is missing, for not every platform has a wheel, numpy does it:
a message is cut into lanes that all advance at once, and the lanes are joined pairwise. A checksum is linear, so that
of ``a + b`` is that of ``a`` followed by as many zeros as ``b`` has bytes, XOR that of ``b``.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from functools import cache
from importlib import import_module
from typing import Any

import numpy as np
import numpy.typing as npt

_POLYNOMIAL = np.uint32(0x82F63B78)
_ALL = 0xFFFFFFFF
_MASK_DELTA = 0xA282EAD8

Words = npt.NDArray[np.uint32]


def extend(crc: int, data: Any) -> int:
    """The checksum of a message that continues with the bytes `data` when it was `crc` so far, 0 at its start."""
    return _implementation()(crc, data)


def unmasked(stored: int) -> int:
    """The checksum that files of tables hold as `stored`, rotated and shifted."""
    rotated = (stored - _MASK_DELTA) & _ALL
    return (rotated >> 17 | rotated << 15) & _ALL


def masked(crc: int) -> int:
    """The form in which files hold `crc`."""
    return ((crc >> 15 | crc << 17) + _MASK_DELTA) & _ALL


@cache
def _implementation() -> Callable[[int, Any], int]:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # it warns where it is slow
            package = import_module("google_crc32c")
    except ImportError:
        return extend_in_lanes
    fast: Callable[[int, Any], int] = package.extend
    return fast if package.implementation == "c" else extend_in_lanes


def extend_in_lanes(crc: int, data: Any) -> int:
    """`extend` with numpy alone."""
    left, state = np.frombuffer(data, np.uint8), crc ^ _ALL
    while left.size:
        lanes = 1 << left.size.bit_length() // 2
        steps = left.size // lanes
        states = np.zeros(lanes, np.uint32)
        states[0] = state
        for column in np.ascontiguousarray(left[: lanes * steps].reshape(lanes, steps).T):
            states = _step(states ^ column)
        length = steps
        while states.size > 1:
            states = _through(_zeros(length), states[::2]) ^ states[1::2]
            length *= 2
        state, left = int(states[0]), left[lanes * steps :]
    return state ^ _ALL


@cache
def _table() -> Words:
    """The state after each byte, from state 0."""
    states = np.arange(256, dtype=np.uint32)
    for _ in range(8):
        states = np.where(states & 1, states >> np.uint32(1) ^ _POLYNOMIAL, states >> np.uint32(1))
    return states


def _step(states: Words) -> Words:
    """Each state after a byte of zeros."""
    found: Words = _table()[states & 0xFF] ^ states >> np.uint32(8)
    return found


@cache
def _zeros(count: int) -> Words:
    """What `count` zero bytes make of each bit of a state."""
    if count == 0:
        return np.uint32(1) << np.arange(32, dtype=np.uint32)
    if count % 2:
        states = _zeros(count - 1)
        return _step(states)
    return _through(_zeros(count // 2), _zeros(count // 2))


def _through(matrix: Words, states: Words) -> Words:
    bits = states[:, None] >> np.arange(32, dtype=np.uint32) & 1
    joined: Words = np.bitwise_xor.reduce(bits * matrix, axis=1)
    return joined
