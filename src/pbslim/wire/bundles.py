"""Checkpoints of the second version: keys in the table ``PREFIX.index``, elements in ``PREFIX.data-SHARD-of-SHARDS``.

The messages are those of TensorFlow's ``tensor_bundle.proto`` and ``tensor_slice.proto``.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cached_property
from math import prod
from pathlib import Path
from typing import Literal

from pbslim import dtypes
from pbslim.errors import DecodeError
from pbslim.ir import StringTensor, Tensor
from pbslim.wire.crc32c import extend, masked, unmasked
from pbslim.wire.slices import Extents, read_slice, slice_key
from pbslim.wire.sources import Source, open_source
from pbslim.wire.stored import Entry, StoredTensor
from pbslim.wire.tables import Table
from pbslim.wire.tensors import decode_dims
from pbslim.wire.varint import FIXED32, LEN, VARINT, fields, read_varint, signed, varints

_VERSION = 1  # that of TensorFlow's writer and reader since there are bundles
_LONG_STRING = (1 << 32) - 1  # what is longer counts with eight bytes in a checksum


class Bundle:
    """The files of a checkpoint of the second version.

    Args:
        prefix: what their names begin with.

    Raises:
        DecodeError: its index is missing or damaged, or of a later version. So do all methods.
    """

    def __init__(self, prefix: Path) -> None:
        self._prefix = prefix
        self._path = Path(f"{prefix}.index")
        self._index = open_source(self._path)
        self._places = {key: place.content for key, place in Table(self._index, self._path)}
        self._data: dict[int, Source] = {}
        header = self._places.pop(b"", None)
        if header is None:
            raise DecodeError(f"'{self._path}' has no header: it is not the index of a checkpoint")
        numbers = self._numbers(header)
        self._shards, self._big_endian = numbers.get(1, 0), numbers.get(2, 0) == 1
        for number, kind, start, stop in self._fields(header):
            if number == 3 and kind == LEN:
                self._require_version(header[start:stop])

    @cached_property
    def keys(self) -> list[str]:
        """The names of the tensors, sorted."""
        return [key.decode(errors="surrogateescape") for key in self._places if not key.startswith(b"\0")]

    @property
    def sources(self) -> Sequence[Source]:
        """The index, and the shards that were needed so far."""
        return [self._index, *self._data.values()]

    def entry(self, key: str) -> Entry | None:
        """What the index says of the tensor called `key`."""
        message = self._places.get(key.encode(errors="surrogateescape"))
        return None if message is None else self._entry(message)

    def stored(self, key: str, entry: Entry, extents: Extents | None) -> Tensor:
        """A tensor that lies in one piece, or a slice of one."""
        name = f"'{key}'" if extents is None else f"a slice of '{key}'"
        message = self._places.get(key.encode(errors="surrogateescape") if extents is None else slice_key(key, extents))
        if message is None:
            raise DecodeError(f"'{self._path}' has no entry for {name} from {[start for start, _ in extents or ()]} on")
        if extents is not None:
            entry = self._entry(message)
        numbers = self._numbers(message)
        start, size = numbers.get(4, 0), numbers.get(5, 0)
        shard, path = self._shard(numbers.get(3, 0), name)
        if start + size > len(shard):
            raise DecodeError(f"'{path}' is truncated: {name} ends at byte {start + size}, the file at {len(shard)}")
        count, dtype, crc = prod(entry.shape), entry.dtype, unmasked(self._checksum(message))
        if dtype is dtypes.STRING:
            if count > size:
                raise DecodeError(f"{name} claims {count} strings in {size} bytes of '{path}'")
            return StringTensor(
                self._strings(bytes(shard[start : start + size]), count, crc, f"{name} in '{path}'"), entry.shape
            )
        if dtype is None or size != count * dtype.itemsize:
            raise DecodeError(f"{name} claims {size} bytes of '{path}' for {entry.kind}")
        return StoredTensor(
            shard, start, dtype, entry.shape, crc=crc, name=f"{name} in '{path}'", swapped=self._big_endian
        )

    def _fields(self, message: bytes) -> Iterator[tuple[int, int, int, int]]:
        return fields(message, 0, len(message), f"an entry of '{self._path}'")

    def _numbers(self, message: bytes) -> dict[int, int]:
        """Field number → value, of the fields that are whole numbers."""
        return {
            number: signed(read_varint(message, at, end)[0])
            for number, kind, at, end in self._fields(message)
            if kind == VARINT
        }

    def _checksum(self, message: bytes) -> int:
        found = [message[at:end] for number, kind, at, end in self._fields(message) if (number, kind) == (6, FIXED32)]
        return int.from_bytes(found[-1], "little") if found else 0

    def _require_version(self, message: bytes) -> None:
        """The rules of TensorFlow's reader."""
        bad = [
            value
            for number, kind, at, end in self._fields(message)
            if number == 3
            for value in ([read_varint(message, at, end)[0]] if kind == VARINT else varints(message, at, end))
        ]
        least = self._numbers(message).get(2, 0)
        if least > _VERSION or _VERSION in bad:
            raise DecodeError(
                f"'{self._path}' is for readers of version {max(least, _VERSION + 1)}, this is {_VERSION}"
            )

    def _entry(self, message: bytes) -> Entry:
        dims: tuple[int, ...] = ()
        slices: list[Extents] = []
        for number, kind, start, stop in self._fields(message):
            if number == 2 and kind == LEN:
                dims = decode_dims(message, start, stop) or ()
            elif number == 7 and kind == LEN:
                slices.append(read_slice(message[start:stop]))
        return Entry(self._numbers(message).get(1, 0), dims, tuple(slices))

    def _shard(self, number: int, name: str) -> tuple[Source, Path]:
        if not 0 <= number < self._shards:
            raise DecodeError(f"'{self._path}' has {name} in shard {number} of {self._shards}")
        path = Path(f"{self._prefix}.data-{number:05d}-of-{self._shards:05d}")
        if number not in self._data:
            if path.exists() and not path.is_file():
                raise DecodeError(f"'{path}' is no regular file")  # a pipe, for instance, that never ends
            self._data[number] = open_source(path)
        return self._data[number], path

    def _strings(self, data: bytes, count: int, crc: int, name: str) -> tuple[bytes, ...]:
        """The strings of a tensor: all lengths, the checksum of these as words, then the bytes of all."""
        lengths, at = [], 0
        for _ in range(count):
            length, at = read_varint(data, at, len(data))
            lengths.append(length)
        start = at + 4
        if start + sum(lengths) != len(data):
            raise DecodeError(f"the lengths of the strings of {name} do not add up to its {len(data)} bytes")
        order: Literal["big", "little"] = "big" if self._big_endian else "little"
        found = extend(0, b"".join(n.to_bytes(4 if n <= _LONG_STRING else 8, order) for n in lengths))
        wrong = int.from_bytes(data[at:start], order) != masked(found)
        if wrong or extend(found, data[at:]) != crc:
            raise DecodeError(f"the strings of {name} do not match their checksum: the file is damaged; copy it again")
        values = []
        for length in lengths:
            values.append(data[start : start + length])
            start += length
        return tuple(values)
