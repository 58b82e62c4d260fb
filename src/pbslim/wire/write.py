"""`Graph` → bytes: untouched nodes as their own bytes, constants streamed, unknown fields kept."""

from __future__ import annotations

import io
import os
import shutil
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from pbslim.errors import PbslimError, UsageError
from pbslim.ir import Graph
from pbslim.wire.attributes import total
from pbslim.wire.functions import library_parts
from pbslim.wire.nodes import Part, node_parts, span
from pbslim.wire.read import GraphOrigin
from pbslim.wire.varint import LEN, VARINT, length_delimited, tag, varint

_SEND_BYTES = 4 << 20
_BUFFER_BYTES = 1 << 20
_SMALL_BYTES = 1 << 16
_AHEAD = 4  # writes that may wait


def graph_parts(graph: Graph) -> Iterator[Part]:
    """The GraphDef message, part by part."""
    origin = graph.origin
    if isinstance(origin, GraphOrigin) and origin.is_whole and not graph.edited:
        yield span(origin.source, 0, len(origin.source))
        return
    for node in graph:
        parts = node_parts(node)
        yield tag(1, LEN) + varint(total(parts))
        yield from parts
    yield from library_parts(graph)
    if isinstance(origin, GraphOrigin):
        for start, stop in origin.rest:
            yield span(origin.source, start, stop)
    if graph.producer != (origin.producer if isinstance(origin, GraphOrigin) else 0):
        # The last one counts, and what else the versions said before stays: so messages merge.
        yield length_delimited(4, tag(1, VARINT) + varint(graph.producer))


def write_parts(parts: Iterator[Part], out: BinaryIO, progress: Callable[[int], None] | None = None) -> int:
    """Write `parts` to `out`; gives the number of bytes. `progress` is told of each piece's size."""
    written, batch = 0, bytearray()
    with _behind(out) as send:
        for part in parts:
            size = 0
            for raw in [part] if isinstance(part, bytes) else map(_raw, part.pieces()):
                size += len(raw)
                if len(raw) < _SMALL_BYTES:
                    batch += raw
                if len(raw) >= _SMALL_BYTES or len(batch) >= _BUFFER_BYTES:
                    send(batch)
                    batch = bytearray()
                if len(raw) >= _SMALL_BYTES:
                    send(raw)
                if progress and not isinstance(part, bytes):
                    progress(len(raw))
            if not isinstance(part, bytes) and size != part.size:
                raise PbslimError(f"a constant gave {size} bytes where {part.size} were announced")
            written += size
        send(batch)
    return written


def _raw(piece: Any) -> Any:
    return piece.reshape(-1).view(np.uint8).data if isinstance(piece, np.ndarray) else piece


@contextmanager
def _behind(out: BinaryIO) -> Iterator[Callable[[Any], None]]:
    """A function that lets a thread write bytes to `out`, in order, while the next ones are computed."""
    waiting: deque[Future[int]] = deque()
    with ThreadPoolExecutor(1) as pool:

        def send(data: Any) -> None:
            waiting.append(pool.submit(out.write, data))
            if len(waiting) > _AHEAD:
                waiting.popleft().result()

        yield send
        for write in waiting:
            write.result()


class _EagerFile(io.FileIO):
    """A file whose bytes set out for the disk while it is written, so that little is left to wait for at the end."""

    def __init__(self, path: Path) -> None:
        super().__init__(path, "xb")
        self._written = self._sent = 0

    def write(self, data: Any) -> int:
        """Write some of `data`; gives how many bytes."""
        count = super().write(data)
        self._written += count
        if self._written - self._sent >= _SEND_BYTES and hasattr(os, "posix_fadvise"):
            os.posix_fadvise(self.fileno(), self._sent, self._written - self._sent, os.POSIX_FADV_DONTNEED)
            self._sent = self._written
        return count


def require_room(path: Path, needed: int) -> None:
    """Make sure that `needed` bytes fit beside `path`: a small file may ask for any size.

    Raises:
        PbslimError: they do not.
    """
    folder = path.absolute().parent
    free = shutil.disk_usage(folder).free if folder.is_dir() else needed
    if needed > free:
        raise PbslimError(f"cannot write '{path}': the constants need {needed} bytes, {free} are free")


def require_apart(target: Path, *sources: Path) -> None:
    """Make sure that writing `target` replaces none of `sources`.

    Raises:
        UsageError: it would.
    """
    for source in sources:
        with suppress(OSError):  # one of them is not there
            if target.expanduser().samefile(source.expanduser()):
                raise UsageError(f"'{target}' is the input, which stays as it is; name another file")


def make_folder(target: Path) -> None:
    """Make the folder of `target` if it is not there.

    Raises:
        PbslimError: it cannot be made.
    """
    try:
        target.expanduser().parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise PbslimError(f"cannot write '{target}': {error.strerror or error}") from None


@contextmanager
def replacing(path: Path) -> Iterator[BinaryIO]:
    """A file that appears at `path` whole when the block ends, or not at all.

    Raises:
        PbslimError: it cannot be written there.
    """
    if path.is_dir():
        raise PbslimError(f"cannot write '{path}': it is a directory")
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        with io.BufferedWriter(_EagerFile(part), _BUFFER_BYTES) as out:
            yield out
            out.flush()
            os.fsync(out.fileno())
        part.replace(path)
    except OSError as error:
        raise PbslimError(f"cannot write '{path}': {error.strerror or error}") from None
    finally:
        part.unlink(missing_ok=True)
