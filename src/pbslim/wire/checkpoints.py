"""Checkpoints of the second version: keys in the sorted table ``PREFIX.index``, values in ``PREFIX.data-*``.

Lengths are checked, checksums are not. The format is that of TensorFlow's ``tensor_bundle.proto`` and of LevelDB's
tables.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

import numpy as np

from pbslim.dtypes import DTYPES, DType
from pbslim.errors import DecodeError
from pbslim.ir.tensors import Array
from pbslim.wire.sources import Source, open_source
from pbslim.wire.tensors import decode_dims
from pbslim.wire.varint import LEN, VARINT, fields, read_varint

_FOOTER = 48
_MAGIC = bytes.fromhex("57fb808b247547db")
_BLOCK_TRAILER = 5
_MAX_ELEMENTS = 1 << 40

Extents = tuple[tuple[int, int], ...]
"""First index and length along each dimension; a length of -1 is the rest."""


class _Entry(NamedTuple):
    dtype: DType
    shape: tuple[int, ...]
    shard: int
    offset: int
    size: int
    slices: list[Extents]


class Checkpoint:
    """The tensors of a checkpoint by key.

    Args:
        prefix: what the names of its files begin with.

    Raises:
        DecodeError: there is no such checkpoint, or its index is broken.
    """

    def __init__(self, prefix: Path) -> None:
        self._prefix = prefix
        self._path = Path(f"{prefix}.index")
        self._index = bytes(open_source(self._path)[:])
        self._places = dict(_table(self._index, self._path))
        self._data: dict[int, Source] = {}
        header = self._places.pop(b"", None)
        if header is None:
            raise DecodeError(f"'{self._path}' has no header")
        numbers = self._numbers(*header)
        if numbers.get(2):
            raise DecodeError(f"'{self._path}' was written on a machine with the other byte order")
        self._shards = numbers.get(1, 1)

    @cached_property
    def keys(self) -> list[str]:
        """The names of the tensors, sorted."""
        return [key.decode(errors="replace") for key in self._places if not key.startswith(b"\0")]

    def tensor(self, key: str, extents: Extents | None = None) -> Array:
        """The tensor called `key`, or the part of it that lies within `extents`.

        Raises:
            DecodeError: there is none, it is not made of numbers, or the files do not hold what they claim.
        """
        entry = self._entry(key.encode(), key)
        whole = self._assembled(entry, key) if entry.slices else self._stored(entry, key)
        if extents is None:
            return whole
        return whole[_inside(extents, whole.shape, f"'{key}'")]

    def _numbers(self, start: int, stop: int) -> dict[int, int]:
        """Field number → value, of the fields that are whole numbers."""
        return {
            number: read_varint(self._index, at, end)[0]
            for number, kind, at, end in self._fields(start, stop)
            if kind == VARINT
        }

    def _fields(self, start: int, stop: int) -> Iterator[tuple[int, int, int, int]]:
        return fields(self._index, start, stop, f"'{self._path}'")

    def _entry(self, raw: bytes, key: str) -> _Entry:
        if raw not in self._places:
            raise DecodeError(f"the checkpoint '{self._prefix}' has no '{key}'")
        place = self._places[raw]
        numbers = self._numbers(*place)
        dims: tuple[int, ...] = ()
        slices: list[Extents] = []
        for number, kind, start, stop in self._fields(*place):
            if number == 2 and kind == LEN:
                dims = decode_dims(self._index, start, stop) or ()
            elif number == 7 and kind == LEN:
                extents = [self._numbers(at, end) for n, k, at, end in self._fields(start, stop) if (n, k) == (1, LEN)]
                slices.append(tuple((each.get(1, 0), each.get(2, -1)) for each in extents))
        dtype = DTYPES.get(numbers.get(1, 0))
        if dtype is None or not dtype.itemsize or min(dims, default=0) < 0 or math.prod(dims) > _MAX_ELEMENTS:
            shown = dtype or f"type number {numbers.get(1, 0)}"
            raise DecodeError(f"'{key}' in the checkpoint '{self._prefix}' holds no numbers: {shown}, {list(dims)}")
        return _Entry(dtype, dims, numbers.get(3, 0), numbers.get(4, 0), numbers.get(5, 0), slices)

    def _stored(self, entry: _Entry, key: str) -> Array:
        path = Path(f"{self._prefix}.data-{entry.shard:05d}-of-{self._shards:05d}")
        if entry.shard not in self._data:
            self._data[entry.shard] = open_source(path)
        file, stop = self._data[entry.shard], entry.offset + entry.size
        if entry.size != math.prod(entry.shape) * entry.dtype.itemsize or stop > len(file):
            raise DecodeError(
                f"'{key}' claims bytes {entry.offset} to {stop} of '{path}' ({len(file)} bytes) "
                f"for {entry.dtype} {list(entry.shape)}"
            )
        return np.frombuffer(file[entry.offset : stop], entry.dtype.numpy).reshape(entry.shape)

    def _assembled(self, entry: _Entry, key: str) -> Array:
        pieces = []
        for extents in entry.slices:
            where = _inside(extents, entry.shape, f"a slice of '{key}'")
            piece = self._stored(self._entry(_slice_key(key.encode(), extents), key), key)
            if piece.shape != tuple(each.stop - each.start for each in where):
                raise DecodeError(f"a slice of '{key}' has shape {list(piece.shape)}, not that of its place")
            pieces.append((where, piece))
        if sum(piece.size for _, piece in pieces) != math.prod(entry.shape):
            raise DecodeError(f"the slices of '{key}' do not cover it")
        whole = np.empty(entry.shape, entry.dtype.numpy)
        for where, piece in pieces:
            whole[where] = piece
        return whole


def read_extents(text: str) -> Extents | None:
    """What an element of the ``shape_and_slices`` of RestoreV2 asks for, None for everything.

    Raises:
        DecodeError: it is no such text.
    """
    if not text:
        return None
    found = []
    for part in text.split(" ")[-1].split(":"):
        start, comma, length = part.partition(",")
        if part == "-":
            found.append((0, -1))
        elif comma and start.isdecimal() and length.isdecimal():
            found.append((int(start), int(length)))
        else:
            raise DecodeError(f"'{text}' names no part of a tensor")
    return tuple(found)


def _inside(extents: Extents, shape: Sequence[int], what: str) -> tuple[slice, ...]:
    if len(extents) != len(shape):
        raise DecodeError(f"{what} has {len(extents)} dimensions, not {len(shape)}")
    found = []
    for (start, length), size in zip(extents, shape, strict=True):
        stop = size if length < 0 else start + length
        if not start <= stop <= size:
            raise DecodeError(f"{what} goes from {start} to {stop} in a dimension of {size}")
        found.append(slice(start, stop))
    return tuple(found)


def _table(index: bytes, path: Path) -> Iterator[tuple[bytes, tuple[int, int]]]:
    """Each key of a table, and where its value starts and ends."""
    if len(index) < _FOOTER or index[-len(_MAGIC) :] != _MAGIC:
        raise DecodeError(f"'{path}' is not the index of a checkpoint")
    at, end = len(index) - _FOOTER, len(index) - len(_MAGIC)
    _, at = _handle(index, at, end)  # the meta index, which is empty
    root, _ = _handle(index, at, end)
    for _, place in _block(index, *root, path):
        yield from _block(index, *_handle(index, *place)[0], path)


def _handle(index: bytes, at: int, end: int) -> tuple[tuple[int, int], int]:
    """Offset and size of a block, and where the next thing starts."""
    offset, at = read_varint(index, at, end)
    size, at = read_varint(index, at, end)
    return (offset, size), at


def _block(index: bytes, offset: int, size: int, path: Path) -> Iterator[tuple[bytes, tuple[int, int]]]:
    stop = offset + size
    if size < 4 or stop + _BLOCK_TRAILER > len(index):
        raise DecodeError(f"'{path}' has {len(index)} bytes, too few for a block of {size} at byte {offset}")
    if index[stop]:
        raise DecodeError(f"'{path}' is compressed")
    end = stop - 4 * (1 + int.from_bytes(index[stop - 4 : stop], "little"))  # restart points, and their number
    at, key = offset, b""
    while at < end:
        shared, at = read_varint(index, at, end)
        rest, at = read_varint(index, at, end)
        length, at = read_varint(index, at, end)
        if shared > len(key) or at + rest + length > end:
            raise DecodeError(f"'{path}': an entry before byte {at} does not fit into its block")
        key = key[:shared] + bytes(index[at : at + rest])
        at += rest + length
        yield key, (at - length, at)


def _slice_key(name: bytes, extents: Extents) -> bytes:
    """The key of one slice, in an encoding whose bytes sort as what they stand for."""
    escaped = b"".join({0: b"\0\xff", 255: b"\xff\0"}.get(byte, bytes([byte])) for byte in name)
    return b"".join(
        [b"\0", escaped, b"\0\1", _unsigned(len(extents)), *(_signed(number) for pair in extents for number in pair)]
    )


def _unsigned(number: int) -> bytes:
    size = (number.bit_length() + 7) // 8
    return bytes([size]) + number.to_bytes(size, "big")


def _signed(number: int) -> bytes:
    size = 1
    while not -(1 << 7 * size - 1) <= number < 1 << 7 * size - 1:
        size += 1
    mask = (0xFF00 >> size & 0xFF) << 8 * (size - 1)  # as many leading ones as bytes
    return (number % (1 << 8 * size) ^ mask).to_bytes(size, "big")
