"""Checkpoints of the first version: tables of slices, each with its elements. There may be several such files.

Under the empty key stands what tensors there are and how they are sliced. The messages are those of TensorFlow's
``saved_tensor_slice.proto``; elements are lists of numbers without type and shape.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from pbslim.errors import DecodeError
from pbslim.ir import Tensor
from pbslim.wire.slices import Extents, read_slice, region_of, slice_key
from pbslim.wire.sources import Source, open_source
from pbslim.wire.stored import Entry
from pbslim.wire.tables import Table
from pbslim.wire.tensors import decode_dims, decode_elements
from pbslim.wire.varint import LEN, VARINT, fields, read_varint

_META, _DATA = 1, 2
_TENSOR = 1
_ELEMENTS = 3


@dataclass
class _Saved:
    """What files say of a tensor, and in which of them each slice is."""

    type_number: int
    shape: tuple[int, ...]
    slices: dict[Extents, Table] = field(default_factory=dict)


class SliceFiles:
    """The files of a checkpoint of the first version.

    Args:
        paths: of all of them.

    Raises:
        DecodeError: one is missing or damaged, or two contradict each other. So do all methods.
    """

    def __init__(self, paths: Sequence[Path]) -> None:
        self.sources: Sequence[Source] = [open_source(path) for path in paths]
        self._paths: dict[Table, Path] = {}
        self._saved: dict[str, _Saved] = {}
        for source, path in zip(self.sources, paths, strict=True):
            table = Table(source, path)
            self._paths[table] = path
            header = table.get(b"")
            if header is None:
                raise DecodeError(f"'{path}' does not say what tensors it has: it is not a checkpoint")
            content = header.content
            for start, stop in _messages(content, 0, len(content), _META):
                for tensor in _messages(content, start, stop, _TENSOR):
                    self._note(content, *tensor, table)

    @property
    def keys(self) -> list[str]:
        """The names of the tensors, sorted."""
        return sorted(self._saved)

    def entry(self, key: str) -> Entry | None:
        """What the files say of the tensor called `key`."""
        found = self._saved.get(key)
        return Entry(found.type_number, found.shape, tuple(found.slices)) if found else None

    def stored(self, key: str, entry: Entry, extents: Extents | None) -> Tensor:
        """One of the slices of `entry`; there are no other tensors."""
        if extents is None or entry.dtype is None:
            raise DecodeError(f"'{key}' has no slices in '{next(iter(self._paths.values()))}'")
        table = self._saved[key].slices[extents]
        name = f"{'a slice of ' if len(entry.slices) > 1 else ''}'{key}' in '{self._paths[table]}'"
        place = table.get(slice_key(key, extents))
        if place is None:
            raise DecodeError(f"{name} is missing; it begins at {[start for start, _ in extents]}")
        shape = tuple(each.stop - each.start for each in region_of(extents, entry.shape, name))
        for start, stop in _messages(place.source, place.start, place.stop, _DATA):
            for found in _messages(place.source, start, stop, _ELEMENTS):
                return decode_elements(place.source, *found, entry.dtype, shape, name)
        raise DecodeError(f"{name} has no elements")

    def _note(self, content: bytes, start: int, stop: int, table: Table) -> None:
        name, number, slices = "", 0, list[Extents]()
        shape: tuple[int, ...] = ()
        for field_number, kind, at, end in fields(content, start, stop, "a tensor"):
            if (field_number, kind) == (1, LEN):
                name = content[at:end].decode(errors="surrogateescape")
            elif (field_number, kind) == (2, LEN):
                shape = decode_dims(content, at, end) or ()
            elif (field_number, kind) == (3, VARINT):
                number = read_varint(content, at, end)[0]
            elif (field_number, kind) == (4, LEN):
                slices.append(read_slice(content[at:end]))
        saved = self._saved.setdefault(name, _Saved(number, shape))
        if (saved.type_number, saved.shape) != (number, shape):
            raise DecodeError(f"'{self._paths[table]}' contradicts another file of the checkpoint about '{name}'")
        saved.slices.update(dict.fromkeys(slices, table))


def _messages(source: Source, start: int, stop: int, wanted: int) -> list[tuple[int, int]]:
    """Where the messages in field `wanted` start and end."""
    found = fields(source, start, stop, "a checkpoint")
    return [(at, end) for number, kind, at, end in found if (number, kind) == (wanted, LEN)]


def is_slice_header(content: bytes) -> bool:
    """Whether the value of the empty key is that of such a file: it begins with a message, a bundle's with a number."""
    return any(kind == LEN for _, kind, _, _ in list(fields(content, 0, len(content), "a header"))[:1])
