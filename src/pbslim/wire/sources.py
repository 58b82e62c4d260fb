"""Where the bytes of an input come from: memory, or an open file of which only what is asked for is read.

Files are not mapped. Reading a mapped file that was truncated kills the process that looks at it; a read
that gives too little is an error like any other, and costs no more.
"""

from __future__ import annotations

import os
import stat
import threading
from pathlib import Path
from typing import overload

from pbslim.errors import DecodeError
from pbslim.wire.paths import descriptor, expanded

_WINDOW = 1 << 12
_PIECE = 1 << 20
_SEEKING = threading.Lock()


class _OpenFile:
    """A regular file, open as long as it is needed, and what it was like at first.

    Attributes:
        watched: whether `path` must go on leading to it.
    """

    def __init__(self, path: Path, number: int, *, watched: bool) -> None:
        self.path, self._number, self._first = path, number, os.fstat(number)
        self.size, self.watched = self._first.st_size, watched

    def __del__(self) -> None:
        os.close(self._number)

    def read(self, start: int, stop: int) -> bytes:
        """The bytes from `start` to `stop`."""
        try:
            data = _read_at(self._number, stop - start, start)
        except OSError as error:
            raise DecodeError(f"cannot read '{self.path}': {error.strerror or error}") from None
        if len(data) != stop - start:
            raise self._changed()
        return data

    def is_at(self, path: Path) -> bool:
        """Whether `path` leads to this very file."""
        try:
            return os.path.samestat(path.stat(), self._first)
        except OSError:
            return False

    def require_unchanged(self) -> None:
        """Make sure that it still is what it was at first.

        Raises:
            DecodeError: it was written to, replaced or removed.
        """
        now = os.fstat(self._number)
        same = (now.st_size, now.st_mtime_ns) == (self._first.st_size, self._first.st_mtime_ns)
        if not same or (self.watched and not self.is_at(self.path)):
            raise self._changed()

    def _changed(self) -> DecodeError:
        return DecodeError(f"'{self.path}' was changed while it was read; try again when nothing writes to it")


def _read_at(number: int, size: int, start: int) -> bytes:
    """Up to `size` bytes from `start` on; fewer only at the end of the file."""
    data = _read_once(number, size, start)
    if len(data) == size or not data:
        return data
    pieces, done = [data], len(data)  # one call of Linux gives 2 GiB at most
    while done < size and (data := _read_once(number, size - done, start + done)):
        pieces.append(data)
        done += len(data)
    return b"".join(pieces)


def _read_once(number: int, size: int, start: int) -> bytes:
    if hasattr(os, "pread"):
        return os.pread(number, size, start)
    with _SEEKING:  # Windows has a place in the file only, which threads share
        os.lseek(number, start, os.SEEK_SET)
        return os.read(number, size)


class InputFile:
    """A regular file, or a part of one: indexed and sliced like bytes, of which it reads those that are asked for."""

    def __init__(self, file: _OpenFile, start: int, stop: int) -> None:
        self._file, self._start, self._length = file, start, stop - start
        self._window = (0, b"")

    @property
    def path(self) -> Path:
        """Its name."""
        return self._file.path

    @property
    def has_name(self) -> bool:
        """Whether that is a name in the file system, not one for a stream of this process."""
        return self._file.watched

    def __len__(self) -> int:
        return self._length

    @overload
    def __getitem__(self, key: int) -> int: ...

    @overload
    def __getitem__(self, key: slice) -> bytes: ...

    def __getitem__(self, key: int | slice) -> int | bytes:
        if isinstance(key, slice):
            start, stop, _ = key.indices(self._length)
            stop = max(start, stop)
            if stop - start > _WINDOW:
                return self._file.read(self._start + start, self._start + stop)
        else:
            start, stop = key, key + 1
            if not 0 <= key < self._length:
                raise IndexError(key)
        at, data = self._window
        if not at <= start <= stop <= at + len(data):
            at, data = start, self._file.read(self._start + start, self._start + min(start + _WINDOW, self._length))
            self._window = at, data
        return data[start - at : stop - at] if isinstance(key, slice) else data[key - at]

    def part(self, start: int, stop: int) -> InputFile:
        """The bytes from `start` to `stop`, counted from 0."""
        return InputFile(self._file, self._start + start, self._start + stop)

    def is_at(self, path: Path) -> bool:
        """Whether `path` leads to this very file."""
        return self._file.is_at(path)

    def require_unchanged(self) -> None:
        """Make sure that the file still is what it was when it was opened.

        Raises:
            DecodeError: it was written to, replaced or removed.
        """
        self._file.require_unchanged()

    def mark_replaced(self) -> None:
        """Note that this process has put another file in its place, so that only what is open counts."""
        self._file.watched = False


Source = bytes | memoryview | InputFile
"""Bytes that can be indexed and sliced."""


def part(source: Source, start: int, stop: int) -> Source:
    """A part of `source`, not copied if that can be helped."""
    return source.part(start, stop) if isinstance(source, InputFile) else source[start:stop]


def open_source(path: str | os.PathLike[str]) -> Source:
    """The bytes of the file at `path`, of which nothing is read yet; all bytes of a pipe, and of a stream for ``-``.

    Raises:
        DecodeError: the file is missing, is neither a regular file nor a pipe, or cannot be read.
    """
    path = expanded(path)
    try:
        if path.is_dir():
            raise DecodeError(f"'{path}' is a directory, not a GraphDef file")
        opened = descriptor(path, 0)
        if opened is not None:
            return _opened(path, os.dup(opened), watched=False)
        return _opened(path, os.open(path, os.O_RDONLY | getattr(os, "O_BINARY", 0)), watched=True)
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else None
        raise DecodeError(f"cannot read '{path}': {reason or error}") from None


def _opened(path: Path, number: int, *, watched: bool) -> Source:
    mode = os.fstat(number).st_mode
    if stat.S_ISREG(mode) and os.lseek(number, 0, os.SEEK_CUR) == 0:
        file = _OpenFile(path, number, watched=watched)
        return InputFile(file, 0, file.size)
    with os.fdopen(number, "rb", buffering=0) as stream:
        if stat.S_ISCHR(mode) or stat.S_ISBLK(mode):
            raise DecodeError(f"'{path}' is a {'terminal' if stream.isatty() else 'device'}, not a GraphDef file")
        data = bytearray()
        while piece := stream.read(_PIECE):
            data += piece
    return memoryview(data)
