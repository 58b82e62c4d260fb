"""Bytes of an input file, mapped and never copied whole.

Pages that were read count towards the process's memory until they are given back, so the mapping keeps
account of what it handed out and drops the pages every few megabytes; they come back by themselves when
somebody looks again.
"""

from __future__ import annotations

import mmap
from pathlib import Path

from pbslim.errors import DecodeError

_KEEP_BYTES = 8 << 20


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
        self._touched = 0

    def __len__(self) -> int:
        return len(self.view)

    def read(self, start: int, stop: int) -> memoryview:
        """The bytes from `start` to `stop`."""
        self._touched += stop - start
        if self._touched > _KEEP_BYTES:
            self.release()
        return self.view[start:stop]

    def release(self) -> None:
        """Give the pages back that were read so far."""
        self._touched = 0
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

    def release(self) -> None:
        """Nothing to give back."""


Source = MappedFile | HeldBytes
