"""Memory-mapped packages in pieces, so that a test can put one together in which something is wrong."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pbslim
from pbslim.ir import Graph
from pbslim.wire import schema
from pbslim.wire.packages import PREFIX, read_directory
from pbslim.wire.varint import VARINT, length_delimited, tag, varint


@dataclass
class Entry:
    """What the directory says about a region."""

    name: bytes
    offset: int
    length: int

    def encoded(self) -> bytes:
        """The directory element, in proto3's way: zeros are left out."""
        content = tag(1, VARINT) + varint(self.offset) if self.offset else b""
        content += length_delimited(2, self.name)
        content += tag(3, VARINT) + varint(self.length) if self.length else b""
        return length_delimited(1, content)


@dataclass
class Pieces:
    """A package: the bytes before its directory, the directory, and what comes after its entries."""

    body: bytes
    entries: list[Entry]
    extra: bytes = b""  # behind the entries, within the directory
    offset: int | None = None  # what the last eight bytes say; where the directory starts, if None

    def to_bytes(self) -> bytes:
        """The file."""
        directory = b"".join(entry.encoded() for entry in self.entries) + self.extra
        offset = len(self.body) if self.offset is None else self.offset
        return self.body + directory + offset.to_bytes(8, "little")

    def __getitem__(self, name: str) -> Entry:
        return next(entry for entry in self.entries if entry.name == (PREFIX + name).encode())

    @property
    def graph(self) -> Any:
        """The GraphDef message in the graph region."""
        entry, message = self["."], schema.new("GraphDef")
        message.ParseFromString(self.body[entry.offset : entry.offset + entry.length])
        return message

    @graph.setter
    def graph(self, message: Any) -> None:
        """Put another graph into the place of this one, which is the last region."""
        content = message if isinstance(message, bytes) else message.SerializeToString()
        self.body = self.body[: self["."].offset] + content
        self["."].length = len(content)


def take_apart(package: bytes) -> Pieces:
    """The pieces of a sound package."""
    found = read_directory(package)
    entries = [Entry(region.name.encode(), region.offset, region.length) for region in found.regions]
    return Pieces(package[: found.directory_offset], entries)


def edit_graph(package: bytes, edit: Callable[[Any], object]) -> bytes:
    """The package with its GraphDef message changed by `edit`."""
    pieces = take_apart(package)
    message = pieces.graph
    edit(message)
    pieces.graph = message
    return pieces.to_bytes()


def convert(graph: Graph | Path, folder: Path, size: int = 1, **options: Any) -> bytes:
    """The package that is made of `graph`."""
    path = folder / "made.pbmm"
    pbslim.convert_graphdef_memmapped_format(graph, path, min_conversion_tensor_size=size, **options)
    return path.read_bytes()
