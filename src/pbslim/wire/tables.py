"""Sorted tables of strings, as the index of a checkpoint is one: LevelDB's format.

::

    data block         entries in the order of their keys, each key without what it shares with the one before;
    ...                then the restart points (offsets of complete keys), and their number
    metaindex block    without entries
    index block        for each data block a key that is not before its last one, and the block's place
    footer             the places of the metaindex and the index; the magic number

After each block stand one byte, how it is compressed, and the checksum of both. It is checked before the block is used.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from pbslim.errors import DecodeError
from pbslim.wire.crc32c import extend, unmasked
from pbslim.wire.snappy import decompressed
from pbslim.wire.sources import Source, part
from pbslim.wire.varint import read_varint

MAGIC = bytes.fromhex("57fb808b247547db")
"""The last bytes of every table."""
_FOOTER = 48
_TRAILER = 5
_PIECE = 1 << 20
_MOST_KEY_BYTES = 32  # per byte of a block; TensorFlow spells every 16th key in full


class Place(NamedTuple):
    """Where the value of an entry is: `source`, which is the file itself for large ones, from `start` to `stop`."""

    source: Source
    start: int
    stop: int

    @property
    def content(self) -> bytes:
        """The bytes of the value."""
        return bytes(self.source[self.start : self.stop])


class Block(NamedTuple):
    """Where a data block is; no key in it comes after `last`."""

    last: bytes
    offset: int
    size: int


class Table:
    """The entries of a table by key; the block with those that are asked for is read when they are.

    Args:
        source: the bytes of the file.
        path: its name, for messages.

    Attributes:
        blocks: the data blocks, in the order of their keys.

    Raises:
        DecodeError: it is not a table, or is damaged. So do all methods.
    """

    def __init__(self, source: Source, path: Path) -> None:
        self._source, self._path = source, path
        if len(source) < _FOOTER or source[len(source) - len(MAGIC) : len(source)] != MAGIC:
            raise self._damaged("it does not end as the tables of a checkpoint do")
        self._at, self._entries = -1, dict[bytes, Place]()
        self.blocks: list[Block] = []
        footer = bytes(source[len(source) - _FOOTER : len(source) - len(MAGIC)])
        about, at = self._handle(footer, 0, len(footer))
        list(self._block(*about))  # nothing is of use there, but a damaged file shall not pass for a sound one
        root, _ = self._handle(footer, at, len(footer))
        for last, place in self._block(*root):
            (offset, size), _ = self._handle(*place)
            if self.blocks and offset < self.blocks[-1].offset + self.blocks[-1].size:
                raise self._damaged(f"the block at byte {offset} does not follow the one before it")
            self.blocks.append(Block(last, offset, size))

    def __iter__(self) -> Iterator[tuple[bytes, Place]]:
        """All entries; their keys ascend."""
        before = None
        for block in self.blocks:
            for key, place in self._block(block.offset, block.size):
                if before is not None and key <= before:
                    raise self._damaged(f"the keys in the block at byte {block.offset} do not ascend")
                before = key
                yield key, place

    def get(self, key: bytes) -> Place | None:
        """The value of `key`, None where there is none."""
        at = bisect_left(self.blocks, key, key=lambda block: block.last)
        if at == len(self.blocks):
            return None
        if at != self._at:
            block = self.blocks[at]
            self._entries, self._at = dict(self._block(block.offset, block.size)), at
        return self._entries.get(key)

    def _damaged(self, what: str) -> DecodeError:
        return DecodeError(f"'{self._path}' is damaged or not a checkpoint: {what}")

    def _handle(self, source: Source, at: int, end: int) -> tuple[tuple[int, int], int]:
        """Offset and size of a block, and where the next thing starts."""
        try:
            offset, at = read_varint(source, at, end)
            size, at = read_varint(source, at, end)
        except DecodeError:
            raise self._damaged("the place of a block is not a pair of numbers") from None
        return (offset, size), at

    def _block(self, offset: int, size: int) -> Iterator[tuple[bytes, Place]]:
        try:
            yield from _entries(*self._content(offset, size))
        except DecodeError as error:
            raise self._damaged(f"the block at byte {offset}: {error}") from None

    def _content(self, offset: int, size: int) -> tuple[Source, int, int]:
        """Where the content of a block is, which stays in the file if it is large."""
        source, stop = self._source, offset + size
        if stop + _TRAILER > len(source):
            raise DecodeError(f"it claims {size} bytes, {max(len(source) - offset, 0)} are left")
        crc = 0
        for at in range(offset, stop + 1, _PIECE):
            crc = extend(crc, bytes(source[at : min(at + _PIECE, stop + 1)]))
        trailer = bytes(source[stop : stop + _TRAILER])
        if crc != unmasked(int.from_bytes(trailer[1:], "little")):
            raise DecodeError(f"its {size} bytes do not match their checksum")
        if trailer[0] > 1:
            raise DecodeError(f"it is compressed in an unknown way ({trailer[0]})")
        if not trailer[0] and size > _PIECE:
            return part(source, offset, stop), 0, size
        content = bytes(source[offset:stop])
        if trailer[0]:
            content = decompressed(content)
        return content, 0, len(content)


def _entries(block: Source, start: int, stop: int) -> Iterator[tuple[bytes, Place]]:
    restarts = int.from_bytes(block[stop - 4 : stop], "little") if stop - start >= 4 else 0
    end = stop - 4 * (1 + restarts)
    if end < start:
        raise DecodeError(f"it has {stop - start} bytes, too few for its {restarts} restart points")
    at, key, left = start, b"", _MOST_KEY_BYTES * (stop - start)
    while at < end:
        shared, at = read_varint(block, at, end)
        rest, at = read_varint(block, at, end)
        length, at = read_varint(block, at, end)
        left -= shared + rest
        if shared > len(key) or at + rest + length > end or left < 0:
            raise DecodeError(f"an entry before its byte {at} does not fit")
        key = key[:shared] + bytes(block[at : at + rest])
        at += rest + length
        yield key, Place(block, at - length, at)
