"""A GraphDef's bytes → `Graph`: one walk over the wire format that reads names and edges and skips the weights."""

from __future__ import annotations

from dataclasses import dataclass

from pbslim.errors import DecodeError, GraphError
from pbslim.ir import Attributes, AttrValue, Encoded, Graph, Node
from pbslim.ir.graph import Library
from pbslim.wire.attributes import EncodedAttr
from pbslim.wire.mapping import Source
from pbslim.wire.varint import LEN, VARINT, fields, read_varint

# Field numbers
_NODE, _LIBRARY, _VERSIONS = 1, 2, 4
_NAME, _OP, _INPUT, _DEVICE, _ATTR = 1, 2, 3, 4, 5
_KEY, _VALUE = 1, 2
_FUNCTION, _SIGNATURE, _BODY_NODE = 1, 1, 3
_PRODUCER = 1


@dataclass(frozen=True)
class NodeOrigin:
    """Where a node came from: its bytes, and what they say, to know later whether they still hold.

    Attributes:
        data_inputs: the strings of the data inputs, in order.
        control_inputs: the strings of the control inputs, without ``^``.
        unknown: spans of fields that pbslim does not know, tags included; they are kept.
    """

    source: Source
    start: int
    end: int
    name: str
    op: str
    device: str
    data_inputs: tuple[str, ...]
    control_inputs: tuple[str, ...]
    attrs: Attributes
    unknown: tuple[tuple[int, int], ...]


@dataclass(frozen=True)
class GraphOrigin:
    """Where a graph came from: its bytes, and the spans of all that is not a node, tags included."""

    source: Source
    rest: tuple[tuple[int, int], ...]


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
            origins.append(_read_node(source, view, start, stop, len(origins)))
        else:
            rest.append((last, stop))
            if number == _LIBRARY and kind == LEN:
                _read_library(view, start, stop, graph.library)
            elif number == _VERSIONS and kind == LEN:
                graph.producer = _first_number(view, start, stop, _PRODUCER)
        last = stop
    source.release()
    _build(graph, origins)
    graph.journal.clear()
    graph.origin = GraphOrigin(source, tuple(rest))
    return graph


def _text(view: memoryview, start: int, stop: int, what: str) -> str:
    try:
        return str(view[start:stop], "utf-8")
    except UnicodeDecodeError:
        raise DecodeError(f"{what} at byte {start} is not UTF-8 text") from None


def _read_node(source: Source, view: memoryview, start: int, end: int, index: int) -> NodeOrigin:
    name = op = device = ""
    data: list[str] = []
    controls: list[str] = []
    attrs: dict[str, AttrValue | Encoded] = {}
    unknown: list[tuple[int, int]] = []
    last = start
    for number, kind, at, stop in fields(view, start, end, "a node"):
        if kind != LEN or not _NAME <= number <= _ATTR:
            unknown.append((last, stop))
        elif number == _INPUT:
            text = _text(view, at, stop, "an input")
            if text.startswith("^"):
                controls.append(text[1:])
            else:
                data.append(text)
        elif number == _ATTR:
            key, value_start, value_stop = _read_attr(view, at, stop)
            attrs[key] = EncodedAttr(source, value_start, value_stop)
        elif number == _NAME:
            name = _text(view, at, stop, "a node's name")
        elif number == _OP:
            op = _text(view, at, stop, "an op")
        else:
            device = _text(view, at, stop, "a device")
        last = stop
    if not name:
        raise DecodeError(f"node number {index} (op '{op}') has no name")
    held = Attributes(attrs)
    return NodeOrigin(source, start, end, name, op, device, tuple(data), tuple(controls), held, tuple(unknown))


def _read_attr(view: memoryview, start: int, end: int) -> tuple[str, int, int]:
    key, value = "", (end, end)
    for number, kind, at, stop in fields(view, start, end, "an attribute"):
        if number == _KEY and kind == LEN:
            key = _text(view, at, stop, "an attribute's name")
        elif number == _VALUE and kind == LEN:
            value = (at, stop)
    return key, *value


def _first_number(view: memoryview, start: int, end: int, wanted: int) -> int:
    for number, kind, at, stop in fields(view, start, end, "a message"):
        if number == wanted and kind == VARINT:
            return read_varint(view, at, stop)[0]
    return 0


def _read_library(view: memoryview, start: int, end: int, library: Library) -> None:
    for number, kind, at, stop in fields(view, start, end, "the function library"):
        if number == _FUNCTION and kind == LEN:
            name, ops = "", []
            for inner, inner_kind, inner_at, inner_stop in fields(view, at, stop, "a function"):
                if inner_kind == LEN and inner == _SIGNATURE:
                    name = _first_text(view, inner_at, inner_stop, _NAME)
                elif inner_kind == LEN and inner == _BODY_NODE:
                    ops.append(_first_text(view, inner_at, inner_stop, _OP))
            library.functions[name] = tuple(ops)


def _first_text(view: memoryview, start: int, end: int, wanted: int) -> str:
    for number, kind, at, stop in fields(view, start, end, "a message"):
        if number == wanted and kind == LEN:
            return _text(view, at, stop, "a name")
    return ""


def split_input(text: str) -> tuple[str, int]:
    """Node name and port of a data input: ``x`` is port 0 of x, ``x:1`` port 1."""
    name, colon, port = text.partition(":")
    if not colon:
        return text, 0
    digits = port.partition(":")[0]
    if not (digits.isascii() and digits.isdigit() and len(digits) < 10):
        raise GraphError(f"input '{text}' does not name an output port by its number")
    return name, int(digits)


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
