"""Tables and bundles as tests need them: sound ones, and such as no writer makes but whose checksums are right."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Literal, NamedTuple

from pbslim.dtypes import DType
from pbslim.errors import DecodeError
from pbslim.ir.tensors import Array
from pbslim.wire.crc32c import extend, masked
from pbslim.wire.slices import Extents, slice_key
from pbslim.wire.tables import MAGIC, Table
from pbslim.wire.tensors import encode_shape
from pbslim.wire.varint import FIXED32, VARINT, length_delimited, read_varint, tag, varint

_INTERVAL = 16


def block(entries: Sequence[tuple[bytes, bytes]], interval: int = _INTERVAL) -> bytes:
    """The content of a block."""
    out, restarts, before = bytearray(), [0], b""
    for at, (key, value) in enumerate(entries):
        shared = 0
        if at % interval:
            shared = next(
                (i for i, (a, b) in enumerate(zip(key, before, strict=False)) if a != b), min(len(key), len(before))
            )
        elif at:
            restarts.append(len(out))
        out += varint(shared) + varint(len(key) - shared) + varint(len(value)) + key[shared:] + value
        before = key
    return bytes(out) + b"".join(n.to_bytes(4, "little") for n in [*restarts, len(restarts)])


def table(
    blocks: Sequence[Sequence[tuple[bytes, bytes]]],
    compress: Callable[[bytes], bytes] | None = None,
    interval: int = _INTERVAL,
) -> bytes:
    """A table of blocks of entries, their checksums right."""
    out = bytearray()

    def add(content: bytes) -> bytes:
        place = varint(len(out))
        stored = compress(content) if compress else content
        sealed = stored + (b"\1" if compress else b"\0")
        out.extend(sealed + masked(extend(0, sealed)).to_bytes(4, "little"))
        return place + varint(len(stored))

    index = [(entries[-1][0], add(block(entries, interval))) for entries in blocks]
    handles = add(block([])) + add(block(index, 1))
    return bytes(out) + handles.ljust(40, b"\0") + MAGIC


def number(field: int, value: int) -> bytes:
    """A field with a whole number; nothing for 0."""
    return tag(field, VARINT) + varint(value) if value else b""


def header(shards: int = 1, *, big_endian: bool = False, versions: bytes = number(1, 1)) -> bytes:
    """The message under the empty key of an index."""
    return number(1, shards) + number(2, int(big_endian)) + length_delimited(3, versions)


def entry(
    dtype: DType, shape: tuple[int, ...], offset: int, data: bytes, *, shard: int = 0, checked: bytes | None = None
) -> bytes:
    """The message of a tensor whose bytes are `data`, which stand at `offset`; its checksum is that of `checked`."""
    crc = masked(extend(0, data if checked is None else checked))
    place = number(3, shard) + number(4, offset) + number(5, len(data))
    return _head(dtype, shape) + place + tag(6, FIXED32) + crc.to_bytes(4, "little")


def _head(dtype: DType, shape: tuple[int, ...]) -> bytes:
    return number(1, dtype.number) + length_delimited(2, encode_shape(shape))


class Strings(NamedTuple):
    """A tensor of strings: its bytes in a file, and those that its checksum is made of."""

    data: bytes
    checked: bytes


def strings(values: Sequence[bytes], order: Literal["little", "big"] = "little") -> Strings:
    """A tensor of strings, written by a machine with this byte order."""
    lengths = b"".join(len(value).to_bytes(4, order) for value in values)
    rest = masked(extend(0, lengths)).to_bytes(4, order) + b"".join(values)
    return Strings(b"".join(varint(len(value)) for value in values) + rest, lengths + rest)


def slices(extents: Sequence[Extents]) -> bytes:
    """The field that lists slices."""
    return b"".join(
        length_delimited(7, b"".join(length_delimited(1, number(1, a) + number(2, n)) for a, n in each))
        for each in extents
    )


def write_files(prefix: Path, entries: Sequence[tuple[bytes, bytes]], data: bytes) -> Path:
    """A checkpoint of the second version, of entries in the order of their keys and one shard."""
    Path(f"{prefix}.index").write_bytes(table([entries]))
    Path(f"{prefix}.data-00000-of-00001").write_bytes(data)
    return prefix


def write_bundle(prefix: Path, arrays: Mapping[str, Array], places: Mapping[str, Sequence[Extents]]) -> Path:
    """A checkpoint of the second version; arrays that have `places` are stored in these slices."""
    out, entries = bytearray(), {b"": header()}
    for name, array in arrays.items():
        dtype, wanted = DType.from_numpy(array.dtype), places.get(name)
        parts: Sequence[Extents | None] = wanted or [None]
        for extents in parts:
            part = array if extents is None else array[tuple(slice(a, a + n) for a, n in extents)]
            key = name.encode() if extents is None else slice_key(name, extents)
            entries[key] = entry(dtype, part.shape, len(out), part.tobytes())
            out += part.tobytes()
        if wanted:
            entries[name.encode()] = _head(dtype, array.shape) + slices(wanted)
    return write_files(prefix, sorted(entries.items()), bytes(out))


def sealed(data: bytes) -> bytes:
    """A table with the checksums that fit its blocks, as far as these can be found."""
    out = bytearray(data)

    def mend(offset: int, size: int) -> None:
        stop = offset + size
        if stop + 5 <= len(out):
            out[stop + 1 : stop + 5] = masked(extend(0, bytes(out[offset : stop + 1]))).to_bytes(4, "little")

    def seal(at: int) -> int:
        offset, at = read_varint(bytes(out), at, len(out))
        size, at = read_varint(bytes(out), at, len(out))
        mend(offset, size)
        return at

    with suppress(DecodeError, IndexError):
        seal(seal(len(out) - 48))
        for block in Table(bytes(out), Path("index")).blocks:
            mend(block.offset, block.size)
    return bytes(out)


@contextmanager
def folder() -> Iterator[Path]:
    """A folder for one example of a property."""
    with TemporaryDirectory() as name:
        yield Path(name)
