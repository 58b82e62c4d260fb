"""A GraphDef's bytes → `Graph`: one walk over the wire format that reads names and edges and skips the weights."""

from __future__ import annotations

from dataclasses import dataclass, field

from pbslim.errors import DecodeError
from pbslim.ir import Draft, Graph
from pbslim.wire.functions import read_library
from pbslim.wire.nodes import SMALL_BYTES, NodeReader, read_node
from pbslim.wire.sources import Source
from pbslim.wire.varint import LEN, fields, first_number

# Field numbers
_NODE, _LIBRARY, _VERSIONS = 1, 2, 4
_PRODUCER = 1

_NODE_TAG = _NODE << 3 | LEN
_BATCH_BYTES = 1 << 14


@dataclass(frozen=True)
class GraphOrigin:
    """Where a graph came from: its bytes, the spans of all but nodes and functions (tags included), the producer.

    Attributes:
        others: other files in which constants lie.
    """

    source: Source
    rest: tuple[tuple[int, int], ...]
    producer: int
    others: tuple[Source, ...] = field(default=(), kw_only=True)

    @property
    def is_whole(self) -> bool:
        """Whether the bytes say all of the graph while nothing is changed."""
        return True


def sources_of(graph: Graph) -> tuple[Source, ...]:
    """Where the constants of `graph` lie, as far as they were read from a file."""
    return (graph.origin.source, *graph.origin.others) if isinstance(graph.origin, GraphOrigin) else ()


def read_graph(source: Source) -> Graph:
    """The graph in `source`; its constants stay there.

    Raises:
        DecodeError: the bytes are not a GraphDef.
        GraphError: two nodes have the same name, or an input is not written as one.
    """
    graph, reader = Graph(), NodeReader(source)
    drafts: list[Draft] = []
    rest: list[tuple[int, int]] = []
    at, end = 0, len(source)
    while at < end:
        ahead = bytes(source[at : at + _BATCH_BYTES])
        small, used = _small_nodes(ahead)
        if small:
            drafts += reader.batch(ahead[:used], at, small, len(drafts))
            at += used
            continue
        number, kind, start, stop = next(fields(source, at, end, "the graph"))
        if number == _NODE:
            if kind != LEN:
                raise DecodeError("its first field is not a node")
            drafts.append(read_node(source, start, stop, len(drafts)))
        elif number == _LIBRARY and kind == LEN:
            read_library(source, start, stop, graph, reader)
        else:
            rest.append((at, stop))
            if number == _VERSIONS and kind == LEN:
                graph.producer = first_number(source, start, stop, _PRODUCER)
        at = stop
    graph.fill(drafts)
    graph.origin = GraphOrigin(source, tuple(rest), graph.producer)
    return graph


def _small_nodes(data: bytes) -> tuple[list[tuple[int, int]], int]:
    """Where the nodes that `data` begins with start and end, up to the first large or cut one, and where that is."""
    found: list[tuple[int, int]] = []
    at, end = 0, len(data)
    while at + 2 < end and data[at] == _NODE_TAG:
        size, start = data[at + 1], at + 2
        if size >= 0x80:
            size, start = size & 0x7F | data[start] << 7, start + 1
        if size > SMALL_BYTES or start + size > end:
            break
        found.append((start, start + size))
        at = start + size
    return found, at
