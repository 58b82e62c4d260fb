"""Which tensor of a checkpoint each variable of a graph is restored from.

The op that restores says it: ``AssignVariableOp(v, Identity(RestoreV2(prefix, names, slices):i))``, in the graph or in
a function that the graph calls. Names are no keys: a saver renames, partitions are slices of one tensor, and two
variables of TensorFlow 2 may have one name.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import NamedTuple

from pbslim.analysis.constants import constant
from pbslim.errors import DecodeError, PbslimError
from pbslim.ir import Body, FunctionRef, Graph, Node, StringTensor, Value
from pbslim.ir.order import ancestors
from pbslim.ops.families import CALLS, RESTORES_ONE
from pbslim.wire.slices import Extents, read_extents

_ASSIGNS = frozenset({"Assign", "AssignVariableOp", "LookupTableImport", "LookupTableImportV2"})
_PASSING = frozenset({"Cast", "Identity", "Reshape"})
_MOST_CALLS = 10_000


class Stored(NamedTuple):
    """A tensor of a checkpoint, or the part of it that lies within `extents`."""

    key: str
    extents: Extents | None = None


class VariableName(NamedTuple):
    """What nodes that are one variable have in common."""

    container: bytes
    name: bytes


def variable_name(node: Node) -> VariableName:
    """The variable that a node stands for: ``shared_name``, or its own name."""
    shared = node.attr("shared_name", bytes, b"")
    return VariableName(node.attr("container", bytes, b""), shared or node.name.encode())


class Assignment(NamedTuple):
    """What a variable or a lookup table is filled with: a value, or keys and values."""

    target: Node
    sources: tuple[Stored, ...]


def restored(graph: Graph, restore_op: str) -> list[Assignment]:
    """What is restored, and from what.

    Args:
        restore_op: the node that restores it all; where it is empty, all that is assigned from a checkpoint counts.
    """
    root = graph.get(restore_op.partition(":")[0]) if restore_op else None
    behind = ancestors([root]) if root else set(graph)
    return list(_assignments(graph, [node for node in graph if node in behind]))


def _assignments(main: Graph, nodes: list[Node]) -> Iterator[Assignment]:
    """What `nodes` of the main graph assign, and the functions that they call, which see the values that are given."""
    todo: list[tuple[list[Node], Mapping[Node, Value | Stored]]] = [(nodes, {})]
    calls = 0
    while todo:
        nodes, given = todo.pop()
        for node in nodes:
            if node.op in CALLS and calls < _MOST_CALLS:
                calls += 1
                body = _body(main, node)
                if body and len(body.arguments) == len(node.inputs):
                    values = (_found(value, given) for value in node.inputs)
                    arguments = (body.graph[name] for name in body.arguments)
                    todo.append((list(body.graph), dict(zip(arguments, values, strict=True))))
            elif node.op in _ASSIGNS and len(node.inputs) > 1:
                target, *sources = (_found(value, given) for value in node.inputs)
                stored = tuple(each for each in sources if isinstance(each, Stored))
                if (
                    isinstance(target, Value)
                    and main.get(target.node.name) is target.node
                    and len(stored) == len(sources)
                ):
                    yield Assignment(target.node, stored)


def _found(value: Value, given: Mapping[Node, Value | Stored]) -> Value | Stored:
    """What a value is: a part of a checkpoint, or else a value of the main graph."""
    value = _origin(value)
    return given.get(value.node) or _stored(value) or value


def _body(graph: Graph, call: Node) -> Body | None:
    ref = call.attr("f", FunctionRef)
    function = graph.library.functions.get(ref.name) if ref else None
    try:
        return function.body() if function else None
    except PbslimError:
        return None


def _origin(value: Value) -> Value:
    """What a value is before it was handed on."""
    seen: set[Node] = set()
    while value.node.op in _PASSING and value.node.inputs and value.node not in seen:
        seen.add(value.node)
        value = value.node.inputs[0]
    return value


def _stored(value: Value) -> Stored | None:
    """What a value is read from, None if that is no checkpoint."""
    node = value.node
    if node.op == "RestoreV2" and len(node.inputs) == 3:
        keys, slices = _texts(node.inputs[1]), _texts(node.inputs[2])
        if value.port < min(len(keys), len(slices)):
            return Stored(keys[value.port], _extents(slices[value.port]))
    elif node.op in RESTORES_ONE and len(node.inputs) > 1:
        keys = _texts(node.inputs[1])
        slices = _texts(node.inputs[2]) if node.op == "RestoreSlice" and len(node.inputs) > 2 else [""]
        if len(keys) == len(slices) == 1:
            return Stored(keys[0], _extents(slices[0]))
    return None


def _texts(value: Value) -> list[str]:
    tensor = constant(value)
    if not isinstance(tensor, StringTensor):
        return []
    return [text.decode(errors="replace") for text in tensor.values]


def _extents(text: str) -> Extents | None:
    try:
        return read_extents(text)
    except DecodeError:
        return None
