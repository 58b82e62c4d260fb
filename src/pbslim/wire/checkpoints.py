"""Checkpoints: the values of variables by key, which stay in their files until somebody reads them.

What a checkpoint says of a tensor is its type, its shape, and the slices in which it is stored, if it is partitioned.
Where the bytes are is the business of the two formats, `bundles` and `slice_files`.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

import numpy as np

from pbslim import dtypes
from pbslim.errors import DecodeError
from pbslim.ir import StringTensor, Tensor
from pbslim.wire.bundles import Bundle
from pbslim.wire.checkpoint_files import find_checkpoint
from pbslim.wire.slice_files import SliceFiles
from pbslim.wire.slices import Extents, Region, region_of, require_tiling
from pbslim.wire.sources import Source
from pbslim.wire.stored import Entry, Piece, RegionTensor
from pbslim.wire.tensors import is_possible


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
        entry = self.entry(key)
        dtype, shape, name = entry.dtype, entry.shape, f"'{key}' in '{self.path}'"
        if dtype is None or dtype.is_ref or dtype.name in ("resource", "variant") or not is_possible(shape):
            shown = dtype or f"type number {entry.type_number}"
            raise DecodeError(f"{name} cannot be read: {shown} {list(shape)}")
        places = [region_of(each, shape, f"a slice of {name}") for each in entry.slices]
        wanted = None if extents is None else region_of(extents, shape, f"the part of {name} that is asked for")
        whole = tuple(slice(0, size) for size in shape)
        if wanted is None or (not places and wanted == whole):
            wanted = whole
            if not places:
                return self._store.stored(key, entry, None)
        if places:
            require_tiling(places, shape, name)
        if wanted in places:
            return self._slice(key, entry, places, places.index(wanted))
        if not places:
            contents, places = [self._store.stored(key, entry, None)], [whole]
        else:
            contents = [self._slice(key, entry, places, at) for at in range(len(places))]
        if dtype is dtypes.STRING:
            return _joined_strings(contents, places, shape, wanted)
        pieces = [Piece(place, content) for place, content in zip(places, contents, strict=True)]
        return RegionTensor(pieces, wanted, dtype)

    def _slice(self, key: str, entry: Entry, places: Sequence[Region], at: int) -> Tensor:
        found = self._store.stored(key, entry, entry.slices[at])
        shape = tuple(each.stop - each.start for each in places[at])
        if found.shape != shape or found.dtype is not entry.dtype:
            raise DecodeError(
                f"a slice of '{key}' in '{self.path}' is {found.dtype} {list(found.shape)}, "
                f"not {entry.dtype} {list(shape)} as its place"
            )
        return found


def _joined_strings(
    contents: Sequence[Tensor], places: Sequence[Region], shape: tuple[int, ...], wanted: Region
) -> Tensor:
    whole = np.empty(shape, object)
    for content, place in zip(contents, places, strict=True):
        whole[place] = content.numpy()
    found = whole[wanted]
    return StringTensor(tuple(found.reshape(-1).tolist()), found.shape)
