"""`Graph` → bytes: untouched nodes as their own bytes, constants streamed, unknown fields kept."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

import numpy as np

from pbslim.errors import PbslimError
from pbslim.ir import Encoded, Graph, Node
from pbslim.wire.attributes import EncodedAttr, encode_attr, total
from pbslim.wire.mapping import Source
from pbslim.wire.read import GraphOrigin, NodeOrigin, split_input
from pbslim.wire.tensors import Piece
from pbslim.wire.varint import LEN, length_delimited, tag, varint

_COPY_BYTES = 1 << 20
Part = bytes | Piece


def span(source: Source, start: int, stop: int) -> Piece:
    """Bytes that are copied from a source as they are, a piece at a time."""

    def pieces() -> Iterator[memoryview]:
        for at in range(start, stop, _COPY_BYTES):
            yield source.read(at, min(at + _COPY_BYTES, stop))

    return Piece(stop - start, pieces)


def graph_parts(graph: Graph) -> Iterator[Part]:
    """The GraphDef message, part by part."""
    origin = graph.origin
    if isinstance(origin, GraphOrigin) and not graph.edited:
        yield span(origin.source, 0, len(origin.source))
        return
    for node in graph:
        parts = node_parts(node)
        yield tag(1, LEN) + varint(total(parts))
        yield from parts
    if isinstance(origin, GraphOrigin):
        for start, stop in origin.rest:
            yield span(origin.source, start, stop)


def node_parts(node: Node) -> list[Part]:
    """The NodeDef message of `node`."""
    origin = node.origin
    if isinstance(origin, NodeOrigin) and _untouched(node, origin):
        return [span(origin.source, origin.start, origin.end)]
    head = [length_delimited(1, node.name.encode()), length_delimited(2, node.op.encode())]
    head += [length_delimited(3, text.encode()) for text in input_strings(node)]
    if node.device:
        head.append(length_delimited(4, node.device.encode()))
    parts: list[Part] = [b"".join(head)]
    for key, value in sorted(node.attrs.stored().items()):
        if isinstance(value, EncodedAttr):
            content: list[Part] = [span(value.source, value.start, value.end)]
        else:
            assert not isinstance(value, Encoded)  # noqa: S101 - files are read by this package alone
            content = encode_attr(value)
        size = total(content)
        entry = length_delimited(1, key.encode()) + tag(2, LEN) + varint(size)
        parts.append(tag(5, LEN) + varint(len(entry) + size) + entry)
        parts += content
    if isinstance(origin, NodeOrigin):
        parts += [span(origin.source, start, stop) for start, stop in origin.unknown]
    return parts


def input_strings(node: Node) -> list[str]:
    """The inputs of `node` as GraphDef writes them, control inputs last."""
    return [value.name for value in node.inputs] + [f"^{control.name}" for control in node.controls]


def _untouched(node: Node, origin: NodeOrigin) -> bool:
    return (
        node.attrs is origin.attrs
        and node.name == origin.name
        and node.op == origin.op
        and node.device == origin.device
        and [(value.node.name, value.port) for value in node.inputs] == [split_input(s) for s in origin.data_inputs]
        and {control.name for control in node.controls} == {s.partition(":")[0] for s in origin.control_inputs}
    )


def write_parts(parts: Iterator[Part], out: BinaryIO, progress: Callable[[int], None] | None = None) -> int:
    """Write `parts` to `out`; gives the number of bytes. `progress` is told of each piece's size."""
    written = 0
    small: list[bytes] = []
    held = 0
    for part in parts:
        if isinstance(part, bytes):
            small.append(part)
            held += len(part)
            continue
        out.write(b"".join(small))
        written += held
        small, held = [], 0
        size = 0
        for piece in part.pieces():
            raw = piece.reshape(-1).view(np.uint8).data if isinstance(piece, np.ndarray) else piece
            size += len(raw)
            out.write(raw)
            if progress:
                progress(len(raw))
        if size != part.size:
            raise PbslimError(f"a constant gave {size} bytes where {part.size} were announced")
        written += size
    out.write(b"".join(small))
    return written + held


@contextmanager
def replacing(path: Path) -> Iterator[BinaryIO]:
    """A file that appears at `path` whole when the block ends, or not at all.

    Raises:
        PbslimError: it cannot be written there.
    """
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        if path.is_dir():
            raise PbslimError(f"cannot write '{path}': it is a directory")
        with part.open("xb", buffering=_COPY_BYTES) as out:
            yield out
            out.flush()
            os.fsync(out.fileno())
        part.replace(path)
    except OSError as error:
        raise PbslimError(f"cannot write '{path}': {error.strerror or error}") from None
    finally:
        part.unlink(missing_ok=True)
