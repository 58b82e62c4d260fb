"""Tables that no writer makes."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pbslim.errors import DecodeError
from pbslim.wire.sources import InputFile, open_source
from pbslim.wire.tables import MAGIC, Table
from pbslim.wire.varint import varint
from tests import tables


@given(st.dictionaries(st.binary(max_size=40), st.binary(max_size=40), min_size=1, max_size=60), st.integers(1, 20))
def test_what_was_written_is_found(content: dict[bytes, bytes], size: int) -> None:
    entries = sorted(content.items())
    blocks = [entries[at : at + size] for at in range(0, len(entries), size)]
    table = Table(tables.table(blocks), Path("index"))
    assert [(key, place.content) for key, place in table] == entries
    for key, value in entries:
        place = table.get(key)
        assert place
        assert place.content == value
    assert (table.get(b"absent") is None) == (b"absent" not in content)


def test_large_values_stay_in_the_file(tmp_path: Path) -> None:
    path = tmp_path / "table"
    path.write_bytes(tables.table([[(b"a", bytes(3 << 20)), (b"b", b"small")], [(b"c", b"x")]]))
    table = Table(open_source(path), path)
    found = {key: (place.stop - place.start, isinstance(place.source, InputFile)) for key, place in table}
    assert found == {b"a": (3 << 20, True), b"b": (5, True), b"c": (1, False)}


def broken(entries: bytes, restarts: bytes = bytes(4) + (1).to_bytes(4, "little")) -> bytes:
    """A table whose only block holds these bytes."""
    good = tables.table([[(b"k", b"v" * (len(entries) + len(restarts) - 12))]])
    return tables.sealed(entries + restarts + good[len(entries) + len(restarts) :])


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "does not end as the tables"),
        (bytes(40) + MAGIC, "the block at byte 0: its 0 bytes do not match their checksum"),
        (b"\xff" * 40 + MAGIC, "the place of a block is not a pair of numbers"),
        ((varint(1 << 40) + varint(1 << 60)).ljust(40, b"\0") + MAGIC, "the block at byte 1099511627776: it claims"),
        (broken(b"\0\1\x7fkv" + bytes(9)), "the block at byte 0: an entry before its byte 3 does not fit"),
        (broken(b"\1\1\0kv" + bytes(9)), "an entry before its byte 3 does not fit"),
        (broken(b"\0\1\0b\0\1\0a" + bytes(6)), "the keys in the block at byte 0 do not ascend"),
        (broken(b"\0\1\0a\0\1\0a" + bytes(6)), "the keys in the block at byte 0 do not ascend"),
        (broken(bytes(20), b"\xff" * 8), "too few for its 4294967295 restart points"),
    ],
)
def test_what_is_not_sound(data: bytes, message: str) -> None:
    with pytest.raises(DecodeError, match=f"^'index' is damaged or not a checkpoint: .*({message})"):
        list(Table(data, Path("index")))


def test_keys_cannot_be_far_longer_than_their_block() -> None:
    long = bytes(1000)
    entries = [(long + i.to_bytes(2, "big"), b"") for i in range(1000)]
    with pytest.raises(DecodeError, match="does not fit"):
        list(Table(tables.table([entries], interval=10_000), Path("index")))
    assert len(list(Table(tables.table([entries]), Path("index")))) == 1000
