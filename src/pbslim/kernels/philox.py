"""Random numbers as TensorFlow draws them: the counter-based generator Philox 4x32 with 10 rounds.

J. Salmon et al., Parallel random numbers: as easy as 1, 2, 3 (SC 2011). A block of four numbers follows from a
counter and a key alone, so any part of the stream can be had without the part before it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from pbslim.dtypes import FLOAT, INT32
from pbslim.kernels.checks import Array, checked_shape, require, scalar, vector
from pbslim.kernels.registry import Attributes, kernel

_MULTIPLIERS = np.uint64(0xD2511F53), np.uint64(0xCD9E8D57)
_STEPS = 0x9E3779B9, 0xBB67AE85
_LOW, _32 = np.uint64(0xFFFFFFFF), np.uint64(32)
_ROUNDS = 10
_MASK, _MASK_64, _MASK_128 = (1 << 32) - 1, (1 << 64) - 1, (1 << 128) - 1

RESERVED = 64
"""Blocks that TensorFlow sets aside for one number, as some distributions throw numbers away."""


@dataclass(frozen=True)
class Philox:
    """A place in a stream of random numbers.

    Attributes:
        key: 64 bits that keep streams apart.
        counter: 128 bits, the number of the next block.
    """

    key: int
    counter: int

    @classmethod
    def seeded(cls, seed: int, seed2: int) -> Philox:
        """The stream of an op with these seeds."""
        return cls(seed & _MASK_64, (seed2 & _MASK_64) << 64)

    @classmethod
    def stateless(cls, seed: Array) -> Philox:
        """The stream of an op that takes its two seeds as an operand; they are scrambled first."""
        first, second = (int(v) & _MASK_64 for v in vector_of_two(seed))
        mixed = cls(0x02461E293EC8F720, second << 64 | first).blocks(1)[0].tolist()
        return cls(mixed[1] << 32 | mixed[0], (mixed[3] << 32 | mixed[2]) << 64)

    def skipped(self, blocks: int) -> Philox:
        """The stream after so many blocks."""
        return Philox(self.key, (self.counter + blocks) & _MASK_128)

    def blocks(self, count: int, stride: int = 1) -> Array:
        """The next `count` blocks, or every `stride`-th, as uint32 of the shape [count, 4]."""
        checked_shape([count, 4])
        numbers = np.arange(count, dtype=np.uint64) * np.uint64(stride)
        low = numbers + np.uint64(self.counter & _MASK_64)
        carry = (low < numbers).astype(np.uint64)
        high = np.uint64(self.counter >> 64) + carry
        lanes = [low & _LOW, low >> _32, high & _LOW, high >> _32]
        first, second = self.key & _MASK, self.key >> 32
        for _ in range(_ROUNDS):
            one, two = lanes[0] * _MULTIPLIERS[0], lanes[2] * _MULTIPLIERS[1]
            lanes = [
                (two >> _32) ^ lanes[1] ^ np.uint64(first),
                two & _LOW,
                (one >> _32) ^ lanes[3] ^ np.uint64(second),
                one & _LOW,
            ]
            first, second = (first + _STEPS[0]) & _MASK, (second + _STEPS[1]) & _MASK
        return np.stack(lanes, -1).astype(np.uint32)

    def words(self, count: int) -> Array:
        """The next numbers of 32 bits."""
        return self.blocks(-(-count // 4)).reshape(-1)[:count]


def vector_of_two(seed: Array) -> list[int]:
    """The two seeds of a stateless op."""
    values = vector(seed, "seed")
    require(len(values) == 2, "seed must have 2 elements")
    return values


def _fraction(words: Array) -> Array:
    """Numbers of 32 bits as float32 in [0, 1): their lower bits are the mantissa."""
    return (words & np.uint32(0x7FFFFF) | np.uint32(0x3F800000)).view(np.float32) - np.float32(1)


def _long(words: Array) -> Array:
    """Pairs of numbers of 32 bits as ones of 64; the last axis becomes half as long."""
    pairs = words.reshape(*words.shape[:-1], -1, 2).astype(np.uint64)
    return pairs[..., 1] << _32 | pairs[..., 0]


def _long_fraction(words: Array) -> Array:
    """Pairs of numbers of 32 bits, the upper one first here, as float64 in [0, 1)."""
    swapped = words.reshape(*words.shape[:-1], -1, 2)[..., ::-1].reshape(words.shape)
    mantissa = _long(swapped) & np.uint64((1 << 52) - 1) | np.uint64(1023 << 52)
    return mantissa.view(np.float64) - 1


def uniform(stream: Philox, count: int, dtype: np.dtype[Any]) -> Array:
    """Numbers in [0, 1)."""
    if dtype == np.float64:
        return _long_fraction(stream.blocks(-(-count // 2))).reshape(-1)[:count]
    words = stream.words(count)
    if dtype == np.float32:
        return _fraction(words)
    one = np.ones(1, dtype)
    mantissa = words.astype(np.uint16) & np.uint16((1 << (10 if dtype == np.float16 else 7)) - 1)
    return np.asarray((mantissa | one.view(np.uint16)).view(dtype) - one)


def uniform_integers(stream: Philox, count: int, low: int, high: int, dtype: np.dtype[Any]) -> Array:
    """Numbers in [low, high)."""
    require(low < high, f"the range from {low} to {high} is empty")
    if dtype.itemsize == 8:
        words = _long(stream.blocks(-(-count // 2))).reshape(-1)[:count]
    else:
        words = stream.words(count).astype(np.uint64)
    return (words % np.uint64(high - low) + np.array(low).astype(np.uint64)).astype(dtype)


def _normal_pairs(words: Array) -> Array:
    """Two numbers each from two uniform ones, by the method of Box and Muller."""
    kind = words.dtype.type
    radius = np.sqrt(kind(-2) * np.log(np.maximum(words[..., 0], kind(1e-7))))
    angle = kind(2 * np.pi) * words[..., 1]
    return np.stack([np.sin(angle) * radius, np.cos(angle) * radius], -1)


def normal(stream: Philox, count: int, dtype: np.dtype[Any]) -> Array:
    """Numbers of the standard normal distribution."""
    if dtype == np.float64:
        fractions = _long_fraction(stream.blocks(-(-count // 2)))
        return _normal_pairs(fractions.reshape(-1, 2)).reshape(-1)[:count]
    fractions = _fraction(stream.words(-(-count // 4) * 4))
    return _normal_pairs(fractions.reshape(-1, 2)).reshape(-1)[:count].astype(dtype)


def truncated_normal(stream: Philox, count: int, dtype: np.dtype[Any]) -> Array:
    """Numbers of the standard normal distribution, without those that are 2 or more away from zero."""
    together = 2 if dtype == np.float64 else 4
    groups = -(-count // together)
    stride = together * RESERVED
    found = np.zeros((groups, together), np.float64 if dtype == np.float64 else np.float32)
    filled = np.zeros(groups, np.int64)
    for block in range(stride):
        words = stream.skipped(block).blocks(groups, stride)
        fractions = _long_fraction(words) if dtype == np.float64 else _fraction(words)
        for number in _normal_pairs(fractions.reshape(groups, together // 2, 2)).reshape(groups, together).T:
            rows = np.flatnonzero((np.abs(number) < 2) & (filled < together))
            found[rows, filled[rows]] = number[rows]
            filled[rows] += 1
        if (filled == together).all():
            break
    return found.reshape(-1)[:count].astype(dtype)


def _shaped(attrs: Attributes, shape: Array) -> tuple[np.dtype[Any], tuple[int, ...], int]:
    dims = checked_shape(vector(shape, "shape"))
    return attrs.array_dtype("dtype", FLOAT), dims, int(np.prod(dims, dtype=np.int64))


_DRAWS = {"Uniform": uniform, "Normal": normal, "TruncatedNormal": truncated_normal}


def _register(name: str) -> None:
    draw = _DRAWS[name]

    @kernel(f"StatelessRandom{name}".replace("RandomTruncated", "Truncated"), takes="index index")
    def _seeded(attrs: Attributes, shape: Array, seed: Array) -> Array:
        dtype, dims, count = _shaped(attrs, shape)
        return draw(Philox.stateless(seed), count, dtype).reshape(dims)

    @kernel(f"StatelessRandom{name}V2".replace("RandomTruncated", "Truncated"), takes="index uint64 uint64 int32")
    def _keyed(attrs: Attributes, shape: Array, key: Array, counter: Array, algorithm: Array) -> Array:
        dtype, dims, count = _shaped(attrs, shape)
        return draw(_given(key, counter, algorithm), count, dtype).reshape(dims)


for _name in _DRAWS:
    _register(_name)


def _given(key: Array, counter: Array, algorithm: Array) -> Philox:
    require(int(scalar(algorithm, "alg")) in (1, 3), "the only generator is Philox")
    require(key.shape == (1,) and counter.shape == (2,), "key and counter must have 1 and 2 elements")
    return Philox(int(key[0]), int(counter[1]) << 64 | int(counter[0]))


@kernel("StatelessRandomUniformInt", takes="index index T:int32|int64 T:int32|int64")
def _stateless_integers(attrs: Attributes, shape: Array, seed: Array, low: Array, high: Array) -> Array:
    dims = checked_shape(vector(shape, "shape"))
    bounds = int(scalar(low, "minval")), int(scalar(high, "maxval"))
    count = int(np.prod(dims, dtype=np.int64))
    return uniform_integers(Philox.stateless(seed), count, *bounds, attrs.array_dtype("dtype", INT32)).reshape(dims)


@kernel("StatelessRandomUniformIntV2", takes="index uint64 uint64 int32 T:int32|int64 T:int32|int64")
def _keyed_integers(
    attrs: Attributes, shape: Array, key: Array, counter: Array, algorithm: Array, low: Array, high: Array
) -> Array:
    dims = checked_shape(vector(shape, "shape"))
    bounds = int(scalar(low, "minval")), int(scalar(high, "maxval"))
    count = int(np.prod(dims, dtype=np.int64))
    stream = _given(key, counter, algorithm)
    return uniform_integers(stream, count, *bounds, attrs.array_dtype("dtype", INT32)).reshape(dims)


@kernel("StatelessRandomGetKeyCounter", takes="index")
def _key_and_counter(_attrs: Attributes, seed: Array) -> list[Array]:
    stream = Philox.stateless(seed)
    counter = [stream.counter & _MASK_64, stream.counter >> 64]
    return [np.array([stream.key], np.uint64), np.array(counter, np.uint64)]


@kernel("StatelessRandomGetAlg", takes="")
def _algorithm(_attrs: Attributes) -> Any:
    return np.int32(1)
