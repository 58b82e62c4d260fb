"""Snappy's raw format, in which the blocks of a table may be compressed: literals, and copies of what came before.

TensorFlow writes its tables without compression; few files need this.
"""

from __future__ import annotations

from pbslim.errors import DecodeError, counted
from pbslim.wire.varint import read_varint

_MOST_PER_BYTE = 32  # two bytes give 11 at most, three give 64
_LARGEST = 1 << 30


def decompressed(data: bytes) -> bytes:
    """The content of `data`.

    Raises:
        DecodeError: it is not compressed with Snappy, or says that it has more bytes than it can have.
    """
    size, at = read_varint(data, 0, len(data))
    if size > min(_MOST_PER_BYTE * len(data), _LARGEST):
        raise DecodeError(f"{len(data)} compressed bytes cannot hold {size}")
    out = bytearray()
    while at < len(data):
        tag = data[at]
        at += 1
        if tag & 3 == 0:
            length, at = _literal(data, tag, at)
            out += data[at : at + length]
            at += length
        else:
            extra = (1, 2, 4)[(tag & 3) - 1]
            offset = int.from_bytes(data[at : at + extra], "little")
            length = 1 + (tag >> 2)
            if extra == 1:
                offset, length = offset | tag >> 5 << 8, 4 + (tag >> 2 & 7)
            at += extra
            if not 0 < offset <= len(out):
                raise DecodeError(f"a copy before byte {at} begins {offset} bytes back, {len(out)} are there")
            repeated = bytes(out[len(out) - offset :][:length])
            out += (repeated * (length // offset + 1))[:length]
        if at > len(data) or len(out) > size:
            raise DecodeError(f"the compressed data do not end where they say, at byte {min(at, len(data))}")
    if len(out) != size:
        raise DecodeError(f"the compressed data give {counted(len(out), 'byte')} instead of {size}")
    return bytes(out)


def _literal(data: bytes, tag: int, at: int) -> tuple[int, int]:
    """How many bytes follow, and where."""
    length = tag >> 2
    if length < 60:
        return length + 1, at
    extra = length - 59
    return int.from_bytes(data[at : at + extra], "little") + 1, at + extra
