"""Tensors whose elements stay in a checkpoint until they are read: whole ones, and those that lie in slices.

Every look at a whole tensor compares its bytes with their checksum, until one has come to the end.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from math import lcm, prod
from typing import NamedTuple

import numpy as np

from pbslim.dtypes import DTYPES, DType
from pbslim.errors import DecodeError
from pbslim.ir import MappedTensor, StringTensor, Tensor
from pbslim.ir.tensors import Array, chunk_length, gathered
from pbslim.wire.crc32c import extend
from pbslim.wire.slices import Extents, Region, common
from pbslim.wire.sources import Source


class Entry(NamedTuple):
    """What a checkpoint says of a tensor.

    Attributes:
        type_number: of its elements, as TensorFlow numbers types.
        slices: the parts in which it is stored; none where it is whole.
    """

    type_number: int
    shape: tuple[int, ...]
    slices: tuple[Extents, ...] = ()

    @property
    def dtype(self) -> DType | None:
        """The type of its elements, None if it is not known here."""
        return DTYPES.get(self.type_number)

    @property
    def kind(self) -> str:
        """Type and shape, for messages."""
        return f"{self.dtype or f'type number {self.type_number}'} {list(self.shape)}"


class StoredTensor(MappedTensor):
    """A tensor whose elements are raw bytes of a file.

    Args:
        source: the file.
        start: where the first byte is.
        crc: the checksum of all bytes.
        name: what it is called in messages.
        swapped: whether the file holds the bytes of each number in the order of a big-endian machine.
    """

    def __init__(
        self, source: Source, start: int, dtype: DType, shape: tuple[int, ...], *, crc: int, name: str, swapped: bool
    ) -> None:
        super().__init__(source, start, dtype, shape)
        self._crc, self._name, self._swapped = crc, name, swapped
        self._checked = False

    def numpy(self) -> Array:
        """All elements.

        Raises:
            DecodeError: they do not match their checksum.
        """
        return gathered(self)

    def chunks(self, multiple_of: int = 1) -> Iterator[Array]:
        """The elements in pieces, each read just before it is given.

        Raises:
            DecodeError: they do not match their checksum; found before the last piece is given.
        """
        step = chunk_length(self.dtype, multiple_of)
        crc = 0
        for at in range(0, self.size, step):
            data = self._bytes(at, min(at + step, self.size))
            if not self._checked:
                crc = extend(crc, data)
                if at + step >= self.size:
                    self._compare(crc)
            yield self._array(data)
        if not self.size:
            self._compare(crc)

    def rows(self, first: int, last: int) -> Array:
        """The elements from index `first` to `last` of the first dimension.

        Raises:
            DecodeError: the tensor does not match its checksum.
        """
        if not self._checked:
            for _ in self.chunks():
                pass
        width = prod(self.shape[1:])
        return self._array(self._bytes(first * width, last * width)).reshape(last - first, *self.shape[1:])

    def _bytes(self, first: int, last: int) -> bytes | memoryview:
        size = self.dtype.itemsize
        return self._buffer[self._start + first * size : self._start + last * size]

    def _array(self, data: bytes | memoryview) -> Array:
        if not self._swapped:
            return np.frombuffer(data, self.dtype.numpy)
        words = self.dtype.itemsize // (2 if self.dtype.name.startswith("complex") else 1)
        return np.frombuffer(data, f"u{words}").byteswap().view(self.dtype.numpy)

    def _compare(self, crc: int) -> None:
        if crc != self._crc:
            raise DecodeError(
                f"the {self.nbytes} bytes of {self._name} from byte {self._start} on do not match their checksum: "
                "the file is damaged; copy it again"
            )
        self._checked = True


class Piece:
    """A slice of a tensor: where it belongs, and its elements."""

    def __init__(self, place: Region, content: Tensor) -> None:
        self.place = place
        self._content = content if isinstance(content, MappedTensor) else content.numpy()

    def elements(self, region: Region) -> Array:
        """Those of a part of it, counted in the tensor that the slices make up."""
        rows, *others = _within(region, self.place)
        if isinstance(self._content, MappedTensor):
            return self._content.rows(rows.start, rows.stop)[(slice(None), *others)]
        return self._content[(rows, *others)]


class RegionTensor(Tensor):
    """A part of a tensor that lies in slices, or all of it.

    Args:
        pieces: slices that cover `region`, of rank 1 at least.
        region: the part, counted in the tensor that the slices make up.
    """

    def __init__(self, pieces: Sequence[Piece], region: Region, dtype: DType) -> None:
        self.dtype, self.shape = dtype, tuple(each.stop - each.start for each in region)
        self._pieces = sorted(pieces, key=lambda p: p.place[0].start)
        self._region = region

    def numpy(self) -> Array:
        """All elements."""
        return gathered(self)

    def chunks(self, multiple_of: int = 1) -> Iterator[Array]:
        """The elements in pieces: as many rows as fit."""
        width = prod(self.shape[1:])
        if not self.size:
            return
        step = chunk_length(self.dtype, lcm(multiple_of, width)) // width
        first, last = self._region[0].start, self._region[0].stop
        waiting, open_pieces = iter(self._pieces), list[Piece]()
        ahead = next(waiting, None)
        for start in range(first, last, step):
            stop = min(start + step, last)
            while ahead is not None and ahead.place[0].start < stop:
                open_pieces.append(ahead)
                ahead = next(waiting, None)
            yield self._band(open_pieces, start, stop).reshape(-1)
            open_pieces = [each for each in open_pieces if each.place[0].stop > stop]

    def _band(self, pieces: Sequence[Piece], start: int, stop: int) -> Array:
        band = np.empty((stop - start, *self.shape[1:]), self.dtype.numpy)
        region = (slice(start, stop), *self._region[1:])
        for piece in pieces:
            shared = common(piece.place, region)
            if shared is not None:
                band[_within(shared, region)] = piece.elements(shared)
        return band


def joined_strings(pieces: Sequence[Piece], region: Region) -> StringTensor:
    """`RegionTensor` for strings."""
    shape = tuple(each.stop - each.start for each in region)
    found = np.empty(shape, object)
    for piece in pieces:
        shared = common(piece.place, region)
        if shared is not None:
            found[_within(shared, region)] = piece.elements(shared)
    return StringTensor(tuple(found.reshape(-1).tolist()), shape)


def _within(inner: Region, outer: Region) -> Region:
    """`inner`, counted from where `outer` starts."""
    return tuple(slice(a.start - b.start, a.stop - b.start) for a, b in zip(inner, outer, strict=True))
