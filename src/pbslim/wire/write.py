"""`Graph` → bytes: untouched nodes as their own bytes, constants streamed, unknown fields kept."""

from __future__ import annotations

import io
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any, BinaryIO

from pbslim.errors import PbslimError
from pbslim.ir import Graph
from pbslim.wire.functions import library_parts
from pbslim.wire.nodes import NodeOrigin, node_parts
from pbslim.wire.parts import Part, raw, span, total
from pbslim.wire.read import GraphOrigin
from pbslim.wire.varint import LEN, VARINT, length_delimited, tag, varint

_BUFFER_BYTES = 1 << 20
_SMALL_BYTES = 1 << 16
_AHEAD = 4  # writes that may wait
_HEAD_BYTES = 2  # before a node of up to 127 bytes


def graph_parts(graph: Graph) -> Iterator[Part]:
    """The GraphDef message, part by part."""
    origin = graph.origin
    if isinstance(origin, GraphOrigin) and origin.is_whole and not graph.edited:
        yield span(origin.source, 0, len(origin.source))
        return
    yield from _nodes(graph)
    yield from library_parts(graph)
    if isinstance(origin, GraphOrigin):
        for start, stop in origin.rest:
            yield span(origin.source, start, stop)
    if graph.producer != (origin.producer if isinstance(origin, GraphOrigin) else 0):
        # The last one counts, and what else the versions said before stays: so messages merge.
        yield length_delimited(4, tag(1, VARINT) + varint(graph.producer))


def _nodes(graph: Graph) -> Iterator[Part]:
    """The node fields; untouched ones that follow each other in the file too are written at once."""
    source = graph.origin.source if isinstance(graph.origin, GraphOrigin) else None
    start = stop = 0  # what is to be written of the file
    for node in graph:
        origin = node.origin
        if source is not None and isinstance(origin, NodeOrigin) and origin.source is source and not node.touched:
            size = origin.end - origin.start
            if stop and origin.start - stop == _HEAD_BYTES + (size >= 1 << 7) + (size >= 1 << 14):
                stop = origin.end  # there is room for the tag and the length alone, in their shortest form
                continue
            if stop:
                yield span(source, start, stop)
            yield tag(1, LEN) + varint(size)
            start, stop = origin.start, origin.end
            continue
        if stop and source is not None:
            yield span(source, start, stop)
        start = stop = 0
        parts = node_parts(node)
        yield tag(1, LEN) + varint(total(parts))
        yield from parts
    if stop and source is not None:
        yield span(source, start, stop)


def write_parts(parts: Iterator[Part], out: BinaryIO, progress: Callable[[int], None] | None = None) -> int:
    """Write `parts` to `out`; gives the number of bytes. `progress` is called with each piece's size."""
    written, batch = 0, bytearray()
    with _behind(out) as send:
        for part in parts:
            size = 0
            for data in [part] if isinstance(part, bytes) else map(raw, part.pieces()):
                size += len(data)
                if len(data) < _SMALL_BYTES:
                    batch += data
                if len(data) >= _SMALL_BYTES or len(batch) >= _BUFFER_BYTES:
                    send(batch)
                    batch = bytearray()
                if len(data) >= _SMALL_BYTES:
                    send(data)
                if progress and not isinstance(part, bytes):
                    progress(len(data))
            if not isinstance(part, bytes) and size != part.size:
                raise PbslimError(f"a constant gave {size} bytes where {part.size} were announced")
            written += size
        send(batch)
    return written


def to_bytes(graph: Graph) -> bytes:
    """The binary GraphDef of `graph`."""
    out = io.BytesIO()
    write_parts(graph_parts(graph), out)
    return out.getvalue()


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
