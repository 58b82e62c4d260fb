"""Blocks that are compressed."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pbslim.errors import DecodeError
from pbslim.wire.snappy import decompressed
from pbslim.wire.tables import Table
from pbslim.wire.varint import varint
from tests import tables


def literal(data: bytes) -> bytes:
    """An element that stands for itself."""
    size = len(data) - 1
    if size < 60:
        return bytes([size << 2]) + data
    extra = (size.bit_length() + 7) // 8
    return bytes([59 + extra << 2]) + size.to_bytes(extra, "little") + data


def compressed(data: bytes) -> bytes:
    """A sound stream, not a short one: runs of one byte are copies, all else is literal."""
    out, at = bytearray(varint(len(data))), 0
    while at < len(data):
        stop = at + 1
        while stop < len(data) and data[stop] == data[at] and stop - at < 64:
            stop += 1
        out += literal(data[at : at + 1])
        if stop - at > 1:
            out += bytes([stop - at - 2 << 2 | 2, 1, 0])
        at = stop
    return bytes(out)


@given(st.lists(st.tuples(st.integers(0, 255), st.integers(1, 200)), max_size=20))
def test_what_was_compressed_comes_back(runs: list[tuple[int, int]]) -> None:
    data = b"".join(bytes([byte]) * count for byte, count in runs)
    assert decompressed(compressed(data)) == data


@pytest.mark.parametrize(
    ("stream", "data"),
    [
        (varint(0), b""),
        (varint(70000) + literal(bytes(70000)), bytes(70000)),
        (varint(9) + literal(b"abcd") + bytes([1 | 1 << 2, 4]), b"abcdabcda"),  # 5 bytes, 4 back: they overlap
        (varint(8) + literal(b"abcd") + bytes([2 | 3 << 2, 3, 0]), b"abcdbcdb"),
        (varint(6) + literal(b"abcd") + bytes([3 | 1 << 2, 4, 0, 0, 0]), b"abcdab"),
        (varint(304) + literal(bytes(300)) + bytes([1 | 1 << 5, 0]), bytes(304)),  # 256 back
    ],
)
def test_each_kind_of_element(stream: bytes, data: bytes) -> None:
    assert decompressed(stream) == data


@pytest.mark.parametrize(
    ("stream", "message"),
    [
        (varint(1 << 40) + literal(b"a"), "cannot hold 1099511627776"),
        (varint(5) + literal(b"abcd"), "give 4 bytes instead of 5"),
        (varint(3) + literal(b"abcd"), "do not end where they say"),
        (varint(4) + literal(b"abcd")[:-1], "do not end where they say"),
        (varint(8) + literal(b"abcd") + bytes([1, 0]), "begins 0 bytes back"),
        (varint(8) + literal(b"abcd") + bytes([1, 5]), "begins 5 bytes back, 4 are there"),
        (b"\xff" * 11, "does not end"),
    ],
)
def test_what_is_not_sound(stream: bytes, message: str) -> None:
    with pytest.raises(DecodeError, match=message):
        decompressed(stream)


def test_a_compressed_table() -> None:
    entries = [(f"key {i:03d}".encode(), bytes([i]) * i) for i in range(200)]
    data = tables.table([entries[:100], entries[100:]], compressed)
    table = Table(data, Path("index"))
    assert [(key, place.content) for key, place in table] == entries
    place = table.get(b"key 150")
    assert place
    assert place.content == bytes([150]) * 150
    assert table.get(b"key 1500") is None
    assert table.get(b"z") is None
