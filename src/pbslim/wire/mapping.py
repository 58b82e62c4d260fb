"""Bytes of an input file, mapped and never copied whole.

Pages that were read count towards the process's memory until they are given back, so the mapping keeps
account of what it handed out and drops the pages every few megabytes; they come back by themselves when
somebody looks again. The account is in blocks of 2 MiB, because that much can come with a single byte: the
system maps what its file cache holds in one piece.
"""

from __future__ import annotations

import mmap
from pathlib import Path

from pbslim.errors import DecodeError

_BLOCK_BITS = 21
_KEEP_BLOCKS = 4


class MappedFile:
    """A file's bytes, read-only; satisfies `pbslim.ir.tensors.Buffer`.

    Raises:
        DecodeError: the file is missing, is not a regular file, or cannot be read.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            if (path / "saved_model.pb").exists():
                raise DecodeError(f"'{path}' is a SavedModel, not a frozen graph; freeze it first")
            if path.is_dir():
                raise DecodeError(f"'{path}' is a directory, not a GraphDef file")
            with path.open("rb") as file:
                self._map: mmap.mmap | bytes
                try:
                    self._map = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
                except ValueError:  # an empty file cannot be mapped
                    self._map = file.read()
        except OSError as error:
            raise DecodeError(f"cannot read '{path}': {error.strerror or error}") from None
        self.view = memoryview(self._map)
        self._touched: set[int] = set()

    def __len__(self) -> int:
        return len(self.view)

    def read(self, start: int, stop: int) -> memoryview:
        """The bytes from `start` to `stop`."""
        self.touch(start, stop)
        return self.view[start:stop]

    def touch(self, start: int, stop: int) -> None:
        """Account for a look at ``view[start:stop]``."""
        first, last = start >> _BLOCK_BITS, max(start, stop - 1) >> _BLOCK_BITS
        if first == last and first in self._touched:
            return
        self._touched.update(range(first, last + 1))
        if len(self._touched) > _KEEP_BLOCKS:
            self.release()
            self._touched.update((first, last))

    def release(self) -> None:
        """Give the pages back that were read so far."""
        self._touched.clear()
        if isinstance(self._map, mmap.mmap) and hasattr(mmap, "MADV_DONTNEED"):
            self._map.madvise(mmap.MADV_DONTNEED)


class HeldBytes:
    """Bytes that somebody already holds in memory, with the face of a `MappedFile`."""

    def __init__(self, data: bytes | memoryview) -> None:
        self.view = memoryview(data)

    def __len__(self) -> int:
        return len(self.view)

    def read(self, start: int, stop: int) -> memoryview:
        """The bytes from `start` to `stop`."""
        return self.view[start:stop]

    def touch(self, start: int, stop: int) -> None:
        """Nothing to account for."""

    def release(self) -> None:
        """Nothing to give back."""


File = MappedFile | HeldBytes


class Window:
    """A part of another source, counted from its start."""

    def __init__(self, source: File, start: int, stop: int) -> None:
        self.view = source.view[start:stop]
        self._source, self._start = source, start

    def __len__(self) -> int:
        return len(self.view)

    def read(self, start: int, stop: int) -> memoryview:
        """The bytes from `start` to `stop`."""
        self.touch(start, stop)
        return self.view[start:stop]

    def touch(self, start: int, stop: int) -> None:
        """Account for a look at ``view[start:stop]``."""
        self._source.touch(self._start + start, self._start + stop)

    def release(self) -> None:
        """Give the pages back that were read so far."""
        self._source.release()


Source = File | Window
