"""A GraphDef's bytes → `Graph`: one walk over the wire format that reads names and edges and skips the weights."""

from __future__ import annotations

from dataclasses import dataclass

from pbslim.errors import DecodeError
from pbslim.ir import Graph, Node
from pbslim.wire.functions import read_library
from pbslim.wire.mapping import Source
from pbslim.wire.nodes import NodeOrigin, first_number, read_node, split_input
from pbslim.wire.varint import LEN, fields

# Field numbers
_NODE, _LIBRARY, _VERSIONS = 1, 2, 4
_PRODUCER = 1


@dataclass(frozen=True)
class GraphOrigin:
    """Where a graph came from: its bytes, the spans of all but nodes and functions (tags included), the producer."""

    source: Source
    rest: tuple[tuple[int, int], ...]
    producer: int

    @property
    def is_whole(self) -> bool:
        """Whether the bytes say all of the graph while nothing is changed."""
        return True


def read_graph(source: Source) -> Graph:
    """The graph in `source`; its constants stay there.

    Raises:
        DecodeError: the bytes are not a GraphDef.
        GraphError: two nodes have the same name, or an input is not written as one.
    """
    view, end = source.view, len(source)
    graph = Graph()
    origins: list[NodeOrigin] = []
    rest: list[tuple[int, int]] = []
    last = 0
    for number, kind, start, stop in fields(view, 0, end, "the graph"):
        if number == _NODE:
            if kind != LEN:
                raise DecodeError("its first field is not a node")
            source.touch(start, start + 1)
            origins.append(read_node(source, view, start, stop, len(origins)))
        else:
            if number == _LIBRARY and kind == LEN:
                read_library(source, start, stop, graph)
            else:
                rest.append((last, stop))
            if number == _VERSIONS and kind == LEN:
                graph.producer = first_number(view, start, stop, _PRODUCER)
        last = stop
    source.release()
    _build(graph, origins)
    graph.journal.clear()
    graph.origin = GraphOrigin(source, tuple(rest), graph.producer)
    return graph


def _build(graph: Graph, origins: list[NodeOrigin]) -> None:
    for origin in origins:
        graph.add(origin.name, origin.op, (), origin.attrs, device=origin.device, origin=origin)

    def find(name: str) -> Node:
        return graph.get(name) or graph.stand_in(name)

    for origin in origins:
        node = graph[origin.name]
        values = []
        for text in origin.data_inputs:
            name, port = split_input(text)
            values.append(find(name).output(port))
        node.set_inputs(values)
        if origin.control_inputs:
            node.set_controls(find(text.partition(":")[0]) for text in origin.control_inputs)
