"""Files and folders that appear whole or not at all, where their names lead; nothing left behind whatever happens.

Bytes go to a part file beside the target, which takes the target's place at the end. What is not a regular file (a
device, a pipe, standard output) is never replaced: the part file is copied into it. Part files have unpredictable
names; they are removed when a run fails, is interrupted or terminated, and a later run removes what a killed one left.
"""

from __future__ import annotations

import io
import os
import re
import shutil
import signal
import stat
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from types import FrameType
from typing import Any, BinaryIO

from pbslim.errors import PbslimError, UsageError
from pbslim.wire.models import parts_of
from pbslim.wire.paths import descriptor, expanded, followed
from pbslim.wire.sources import InputFile, Source

_SEND_BYTES = 4 << 20
_BUFFER_BYTES = 1 << 20
_PART = re.compile(r"\.pbslim-[0-9a-f]{16}\.part")
_OLD_SECONDS = 12 * 3600  # a part file not written to for so long belongs to no run
_DEADLY = [getattr(signal, name) for name in ("SIGTERM", "SIGHUP") if hasattr(signal, name)]


@contextmanager
def replacing(path: str | Path, *sources: Source) -> Iterator[BinaryIO]:
    """A file whose content appears at `path` when the block ends, or not at all; its ``name`` is that of its part file.

    A symbolic link stays one, and so do mode and owner of a file that is there. ``-`` is standard output.

    Args:
        sources: the inputs that the content comes from; they must be unchanged when the block has ended.

    Raises:
        PbslimError: it cannot be written there, or an input was changed.
    """
    path = expanded(path)
    with _as_one_line(path):
        target = _Target(path)
        with _part_file(target) as out:
            yield out
            out.flush()
            files = [source for source in sources if isinstance(source, InputFile)]
            for source in files:
                source.require_unchanged()
            target.take(out, files)


@contextmanager
def new_folder(path: str | Path, *sources: Source) -> Iterator[Path]:
    """A folder to fill, which is at `path` when the block ends, or not at all; one that is there goes then.

    Args:
        sources: the inputs that the content comes from; they must be unchanged when the block has ended.

    Raises:
        PbslimError: it cannot be made there, or an input was changed.
    """
    with _as_one_line(expanded(path)):
        target = followed(expanded(path).absolute())
        if target.exists() and not target.is_dir():
            raise PbslimError(f"cannot write '{path}': it is not a folder")
        _sweep(target.parent)
        part = _part_name(target.parent)
        with _removed_when_killed(part):
            try:
                part.mkdir()
                yield part
                for source in sources:
                    if isinstance(source, InputFile):
                        source.require_unchanged()
                _exchange(part, target)
            finally:
                _discard(part)


def _exchange(part: Path, target: Path) -> None:
    """Put a folder in the place of `target`, which goes when that is done."""
    if not target.exists():
        part.rename(target)
        return
    old = part.with_suffix(".old")
    target.rename(old)
    try:
        part.rename(target)
    except BaseException:
        old.rename(target)
        raise
    _discard(old)


def is_standard_output(path: Path) -> bool:
    """Whether `path` leads to the standard output of this process."""
    with suppress(OSError):
        return descriptor(followed(path), 1) == 1
    return False


@contextmanager
def _as_one_line(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if isinstance(error, BrokenPipeError) and descriptor(path, 1) is not None:
            raise  # the reader has read enough
        raise PbslimError(f"cannot write '{path}': {error.strerror or error}") from None


class _Target:
    """Where a name leads, and what is there.

    Raises:
        PbslimError, OSError: nothing can be written there.
    """

    def __init__(self, path: Path) -> None:
        self.descriptor = descriptor(followed(path), 1)
        self._path = followed(path)
        self._there: os.stat_result | None = None
        if self.descriptor is not None:
            return
        with suppress(FileNotFoundError):
            self._there = self._path.stat()
        if self._there is None:
            self._path.parent.stat()  # raises when there is no folder
        elif stat.S_ISDIR(self._there.st_mode):
            raise PbslimError(f"cannot write '{path}': it is a directory")
        elif not os.access(self._path, os.W_OK):
            raise PbslimError(f"cannot write '{path}': it is write-protected")

    @property
    def is_stream(self) -> bool:
        """Whether what is there is written into, not replaced."""
        return self.descriptor is not None or (self._there is not None and not stat.S_ISREG(self._there.st_mode))

    @property
    def folder(self) -> Path:
        """Where the part file belongs."""
        if not self.is_stream:
            return self._path.parent
        from tempfile import gettempdir  # slow to load, and seldom needed

        return Path(gettempdir())

    @property
    def first_mode(self) -> int:
        """The mode with which the part file is made: private until it has that of the file that it replaces."""
        return 0o600 if self._there else 0o666

    def take(self, part: BinaryIO, sources: Sequence[InputFile]) -> None:
        """Put the content of `part` here."""
        if self.is_stream:
            self._pour(Path(part.name))
            return
        number = part.fileno()
        if self._there:
            _dress(number, self._there)
        os.fsync(number)
        replaced = [source for source in sources if source.is_at(self._path)]
        part.close()
        Path(part.name).replace(self._path)
        for source in replaced:
            source.mark_replaced()

    def _pour(self, part: Path) -> None:
        if self.descriptor is None:
            number = os.open(self._path, os.O_WRONLY | getattr(os, "O_BINARY", 0))
        else:
            number = os.dup(self.descriptor)
        with part.open("rb") as content, os.fdopen(number, "wb") as out:
            shutil.copyfileobj(content, out, _BUFFER_BYTES)


def _dress(number: int, like: os.stat_result) -> None:
    """Give an open file the owner and mode of another, as far as the system lets us."""
    mode = stat.S_IMODE(like.st_mode)
    if hasattr(os, "fchown"):
        for owner, group in ((like.st_uid, like.st_gid), (-1, like.st_gid)):
            with suppress(PermissionError):
                os.fchown(number, owner, group)
                break
        now = os.fstat(number)
        if now.st_uid != like.st_uid:
            mode &= ~(stat.S_ISUID | stat.S_ISGID)
        if now.st_gid != like.st_gid:  # the rights of one group are none of another's
            mode &= ~(stat.S_ISGID | stat.S_IRWXG) | (mode & stat.S_IRWXO) << 3
    if hasattr(os, "fchmod"):
        os.fchmod(number, mode)


class _EagerFile(io.FileIO):
    """A file whose bytes set out for the disk while it is written, so that little is left to wait for at the end."""

    def __init__(self, path: Path, mode: int) -> None:
        super().__init__(path, "xb", opener=lambda name, flags: os.open(name, flags, mode))
        self._written = self._sent = 0

    def write(self, data: Any) -> int:
        """Write some of `data`; gives how many bytes."""
        count = super().write(data)
        self._written += count
        if self._written - self._sent >= _SEND_BYTES and hasattr(os, "posix_fadvise"):
            os.posix_fadvise(self.fileno(), self._sent, self._written - self._sent, os.POSIX_FADV_DONTNEED)
            self._sent = self._written
        return count


@contextmanager
def _part_file(target: _Target) -> Iterator[BinaryIO]:
    """A new part file for `target`, gone when the block ends if it still has its name."""
    _sweep(target.folder)
    part = _part_name(target.folder)
    with _removed_when_killed(part):
        try:
            with io.BufferedWriter(_EagerFile(part, target.first_mode), _BUFFER_BYTES) as out:
                yield out
        finally:
            _discard(part)


def _part_name(folder: Path) -> Path:
    return folder / f".pbslim-{os.urandom(8).hex()}.part"


def _discard(part: Path) -> None:
    """Remove a part file or folder; there may be no right to do so any more, but that is not what went wrong."""
    with suppress(OSError):
        if part.is_dir() and not part.is_symlink():
            shutil.rmtree(part)
        else:
            part.unlink()


def _sweep(folder: Path) -> None:
    """Remove the part files and folders that killed runs left in `folder`."""
    with suppress(OSError), os.scandir(folder) as entries:
        for entry in entries:
            if _PART.fullmatch(entry.name) and not entry.is_symlink():
                with suppress(OSError):
                    if time.time() - entry.stat(follow_symlinks=False).st_mtime > _OLD_SECONDS:
                        _discard(Path(entry.path))


_parts: set[Path] = set()


@contextmanager
def _removed_when_killed(part: Path) -> Iterator[None]:
    """While the block runs, a signal that ends the process removes `part` first."""
    _parts.add(part)
    ours = []
    if threading.current_thread() is threading.main_thread():
        ours = [number for number in _DEADLY if signal.getsignal(number) is signal.SIG_DFL]
    for number in ours:
        signal.signal(number, _die)
    try:
        yield
    finally:
        for number in ours:
            signal.signal(number, signal.SIG_DFL)
        _parts.discard(part)


def _die(number: int, _frame: FrameType | None) -> None:
    for part in list(_parts):
        _discard(part)
    signal.signal(number, signal.SIG_DFL)
    os.kill(os.getpid(), number)


def require_room(path: Path, needed: int) -> None:
    """Make sure that `needed` bytes fit beside `path`: a small file may ask for any size.

    Raises:
        PbslimError: they do not.
    """
    folder = path.absolute().parent
    free = shutil.disk_usage(folder).free if folder.is_dir() else needed
    if needed > free:
        raise PbslimError(f"cannot write '{path}': the constants need {needed} bytes, {free} are free")


def require_writable(path: str | Path) -> None:
    """Make sure, before any work, that a file can be written to `path`.

    Raises:
        PbslimError: it is a folder or write-protected, or its folder is not there or takes no files.
    """
    with _as_one_line(expanded(path)):
        target = _Target(expanded(path))
        if not target.is_stream:
            with _part_file(target):  # rights alone do not tell: root has all, even where nothing can be written
                pass


def require_distinct(*targets: str | Path) -> None:
    """Make sure that none of several files to write replaces another.

    Raises:
        UsageError: one would.
    """
    places = set()
    for target in targets:
        place = expanded(target)
        if place.exists() and not place.is_file():
            continue  # a device takes all of them
        place = Path(os.path.realpath(place))
        if place in places:
            raise UsageError(f"'{target}' is to be written twice; name another file")
        places.add(place)


def require_apart(target: str | Path, *sources: str | Path) -> None:
    """Make sure that writing `target` changes none of `sources`: replaces no file and adds none to a SavedModel.

    Raises:
        UsageError: it would.
    """
    place = expanded(target)
    for source in sources:
        for given in parts_of(expanded(source)):
            if given.is_dir() and descriptor(place, 1) is None and _is_in(place, given):
                raise UsageError(f"'{target}' is in the input '{given}', which stays as it is; name another place")
            with suppress(OSError):  # one of them is not there
                there = _stat(place, 1)
                if stat.S_ISREG(there.st_mode) and os.path.samestat(there, _stat(given, 0)):
                    raise UsageError(f"'{target}' is the input, which stays as it is; name another file")


def _is_in(path: Path, folder: Path) -> bool:
    return Path(os.path.realpath(path)).is_relative_to(os.path.realpath(folder))


def _stat(path: Path, standard: int) -> os.stat_result:
    opened = descriptor(followed(path), standard)
    return path.stat() if opened is None else os.fstat(opened)


def make_folder(target: Path) -> None:
    """Make the folder of `target` if it is not there.

    Raises:
        PbslimError: it cannot be made.
    """
    with _as_one_line(target):
        expanded(target).parent.mkdir(parents=True, exist_ok=True)
