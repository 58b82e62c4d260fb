"""Nodes as a file lists them, with their edges as text: those of the graph itself and those of its functions.

For comparing and counting; the bodies of functions name their edges differently and are never changed, so they
are no `Graph`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from pbslim.errors import DecodeError
from pbslim.ir import Attributes, Draft, Graph
from pbslim.ir.inputs import is_control
from pbslim.wire import schema
from pbslim.wire.functions import function_parts
from pbslim.wire.nodes import read_node, spelled_inputs
from pbslim.wire.parts import joined
from pbslim.wire.read import GraphOrigin
from pbslim.wire.varint import LEN, fields, first_number

_BODY_NODE, _VERSIONS, _MIN_CONSUMER = 3, 4, 2


@dataclass(frozen=True)
class ListedNode:
    """A node; `inputs` are spelled as in the file, control inputs last and with their ``^``."""

    name: str
    op: str
    device: str
    inputs: tuple[str, ...]
    attrs: Attributes


@dataclass(frozen=True)
class ListedFunction:
    """A function; `interface` is its message without the nodes, in one form for equal contents."""

    name: str
    nodes: tuple[ListedNode, ...]
    interface: bytes


def listed_nodes(graph: Graph) -> Iterator[ListedNode]:
    """The nodes of `graph` in file order."""
    for node in graph:
        yield ListedNode(node.name, node.op, node.device, tuple(spelled_inputs(node)), node.attrs)


def listed_functions(graph: Graph) -> Iterator[ListedFunction]:
    """The functions of the library, in file order.

    Raises:
        DecodeError: one of them is broken.
    """
    for function in graph.library.functions.values():
        view, last = memoryview(joined(function_parts(function))), 0
        nodes: list[ListedNode] = []
        rest: list[bytes] = []
        for number, kind, at, stop in fields(view, 0, len(view), "a function"):
            if (number, kind) == (_BODY_NODE, LEN):
                nodes.append(_listed(read_node(view, at, stop, len(nodes))))
            else:
                rest.append(bytes(view[last:stop]))
            last = stop
        yield ListedFunction(function.name, tuple(nodes), _normal(b"".join(rest), function.name))


def _listed(node: Draft) -> ListedNode:
    return ListedNode(node.name, node.op, node.device, tuple(sorted(node.inputs, key=is_control)), node.attrs)


def _normal(interface: bytes, name: str) -> bytes:
    message = schema.new("FunctionDef")
    try:
        message.ParseFromString(interface)
    except Exception as error:  # noqa: BLE001 - the implementations of protobuf raise different classes
        raise DecodeError(f"function '{name}' cannot be decoded: {error}") from None
    return bytes(message.SerializeToString(deterministic=True))


def min_consumer(graph: Graph) -> int:
    """The version of graphs that a reader must at least know, 0 when the file does not say."""
    found, origin = 0, graph.origin
    if isinstance(origin, GraphOrigin):
        for start, stop in origin.rest:
            for number, kind, at, end in fields(origin.source, start, stop, "the graph"):
                if (number, kind) == (_VERSIONS, LEN):
                    found = first_number(origin.source, at, end, _MIN_CONSUMER) or found
    return found
