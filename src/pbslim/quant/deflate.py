"""The shortest zlib stream for codes: what DecodeCompressed(compression_type="ZLIB") reads (RFC 1950, RFC 1951).

Codes of a trained network hardly repeat, so Huffman codes alone are often shorter than deflate as a whole.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable

_LEVEL, _MEMORY = 9, 9
_STRATEGIES = (zlib.Z_HUFFMAN_ONLY, zlib.Z_RLE, zlib.Z_FILTERED, zlib.Z_DEFAULT_STRATEGY)
_HEADER = b"\x78\xda"
_END = b"\x03\x00"  # a last block that is empty
_LARGE, _EXCERPT = 1 << 23, 1 << 20  # bytes of which a part shows what is shortest, and of that part


def deflated(data: bytes) -> bytes:
    """`data` as deflate blocks that end at a byte and can be followed by others; the shortest of several ways."""
    if len(data) < _LARGE:
        return min((_blocks(data, strategy) for strategy in _STRATEGIES), key=len)
    middle = data[(len(data) - _EXCERPT) // 2 :][:_EXCERPT]
    return _blocks(data, min(_STRATEGIES, key=lambda strategy: len(_blocks(middle, strategy))))


def zlib_stream(parts: Iterable[tuple[bytes, bytes]]) -> bytes:
    """One zlib stream of several pieces.

    Args:
        parts: the bytes of each piece, and what `deflated` made of them.
    """
    checksum, blocks = zlib.adler32(b""), [_HEADER]
    for data, compressed in parts:
        checksum = zlib.adler32(data, checksum)
        blocks.append(compressed)
    return b"".join([*blocks, _END, checksum.to_bytes(4, "big")])


def single_stream(data: bytes) -> bytes:
    """One zlib stream of one piece."""
    return zlib_stream([(data, deflated(data))])


def _blocks(data: bytes, strategy: int) -> bytes:
    compressor = zlib.compressobj(_LEVEL, zlib.DEFLATED, -zlib.MAX_WBITS, _MEMORY, strategy)
    return compressor.compress(data) + compressor.flush(zlib.Z_SYNC_FLUSH)
