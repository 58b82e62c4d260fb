"""Checkpoints: the values of variables by key, which stay in their files until they are read.

What a checkpoint says of a tensor is its type, its shape, and the slices in which it is stored, if it is partitioned.
Where the bytes are is the business of the two formats, `bundles` and `slice_files`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

from pbslim import dtypes
from pbslim.errors import DecodeError
from pbslim.ir import Tensor
from pbslim.wire.bundles import Bundle
from pbslim.wire.checkpoint_files import find_checkpoint
from pbslim.wire.slice_files import SliceFiles
from pbslim.wire.slices import Extents, Region, common, region_of, require_tiling
from pbslim.wire.sources import Source
from pbslim.wire.stored import Entry, Piece, RegionTensor, joined_strings
from pbslim.wire.tensors import is_possible
from pbslim.wire.varint import MessageError


class Store(Protocol):
    """The files of a checkpoint in one of the formats."""

    @property
    def keys(self) -> list[str]:
        """The names of the tensors, sorted."""
        ...

    @property
    def sources(self) -> Sequence[Source]:
        """The files that were opened so far."""
        ...

    def entry(self, key: str) -> Entry | None:
        """What is said of the tensor called `key`, None if there is none."""
        ...

    def stored(self, key: str, entry: Entry, extents: Extents | None) -> Tensor:
        """A tensor as it is stored, or one of the slices of `entry`."""
        ...


class Checkpoint:
    """The tensors of a checkpoint by key.

    Args:
        path: what the names of its files begin with, one of these files, or a folder: see `find_checkpoint`.

    Attributes:
        path: what the names of its files begin with.
        remark: what is unusual about the way to it, empty for nothing.

    Raises:
        DecodeError: there is no such checkpoint, or its index is damaged. So do all methods.
    """

    def __init__(self, path: Path) -> None:
        found = find_checkpoint(path)
        self.path, self.remark = found.prefix, found.remark
        with _damage(self.path):
            self._store: Store = SliceFiles(found.slice_files) if found.slice_files else Bundle(found.prefix)

    @property
    def keys(self) -> list[str]:
        """The names of the tensors, sorted."""
        return self._store.keys

    @property
    def sources(self) -> Sequence[Source]:
        """The files that were opened so far: they must not change while tensors are read."""
        return self._store.sources

    def __contains__(self, key: str) -> bool:
        return self._store.entry(key) is not None

    def entry(self, key: str) -> Entry:
        """Type, shape and slices of the tensor called `key`.

        Raises:
            DecodeError: there is none.
        """
        with _damage(self.path):
            found = self._store.entry(key)
        if found is None:
            raise DecodeError(f"the checkpoint '{self.path}' has no '{key}'")
        return found

    def tensor(self, key: str, extents: Extents | None = None) -> Tensor:
        """The tensor called `key`, or the part of it that lies within `extents`; numbers are not read yet.

        That all bytes are there is certain when this is done; whether they match their checksum, when they are read.

        Raises:
            DecodeError: there is none, nothing can be made of its type, or the files do not hold what they claim.
        """
        with _damage(self.path):
            return self._tensor(key, self.entry(key), extents)

    def _tensor(self, key: str, entry: Entry, extents: Extents | None) -> Tensor:
        dtype, shape, name = entry.dtype, entry.shape, f"'{key}' in '{self.path}'"
        if dtype is None or dtype.is_ref or dtype.name in ("resource", "variant") or not is_possible(shape):
            raise DecodeError(f"{name} cannot be read: {entry.kind}")
        wanted = whole = tuple(slice(0, size) for size in shape)
        if extents is not None:
            wanted = region_of(extents, shape, f"the part of {name} that is asked for")
        parts: Sequence[Extents | None] = entry.slices or [None]
        places = [whole if each is None else region_of(each, shape, f"a slice of {name}") for each in parts]
        require_tiling(places, shape, name)
        if wanted in places:
            return self._part(key, entry, parts[places.index(wanted)], wanted)
        needed = [(each, place) for each, place in zip(parts, places, strict=True) if common(place, wanted)]
        pieces = [Piece(place, self._part(key, entry, each, place)) for each, place in needed]
        return joined_strings(pieces, wanted) if dtype is dtypes.STRING else RegionTensor(pieces, wanted, dtype)

    def _part(self, key: str, entry: Entry, extents: Extents | None, place: Region) -> Tensor:
        found = self._store.stored(key, entry, extents)
        shape = tuple(each.stop - each.start for each in place)
        if found.shape != shape or found.dtype is not entry.dtype:
            raise DecodeError(
                f"a slice of '{key}' in '{self.path}' is {found.dtype} {list(found.shape)}, "
                f"not {entry.dtype} {list(shape)} as its place"
            )
        return found


@contextmanager
def _damage(path: Path) -> Iterator[None]:
    """Say of which checkpoint a message is broken."""
    try:
        yield
    except MessageError as error:
        raise DecodeError(f"the checkpoint '{path}' is damaged: {error}") from None
