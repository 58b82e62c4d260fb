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
from pbslim.ops.families import CALLS
from pbslim.wire.slices import Extents, read_extents

_ASSIGNS = frozenset({"Assign", "AssignVariableOp"})
_PASSING = frozenset({"Cast", "Identity", "Reshape"})
_DEEPEST = 100


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


def restored(graph: Graph, restore_op: str) -> dict[Node, Stored]:
    """The variables that are restored, and from what.

    Args:
        restore_op: the node that restores them all; where it is empty, all that is assigned from a checkpoint counts.
    """
    root = graph.get(restore_op.partition(":")[0]) if restore_op else None
    found: dict[Node, Stored] = {}
    for assign in _assignments(graph, root):
        if assign.source is not None:
            found.setdefault(assign.target, assign.source)
    return found


class _Assignment(NamedTuple):
    target: Node
    source: Stored | None


def _assignments(graph: Graph, root: Node | None) -> Iterator[_Assignment]:
    nodes = list(graph) if root is None else [node for node in graph if node in ancestors([root])]
    yield from _Trace(graph, {}, graph, 0).assignments(nodes)


class _Trace:
    """Follows assignments in a graph, or in a body of which the arguments stand for nodes of the graph."""

    def __init__(self, graph: Graph, given: Mapping[Node, Node], main: Graph, depth: int) -> None:
        self._graph, self._given, self._main, self._depth = graph, given, main, depth

    def assignments(self, nodes: list[Node]) -> Iterator[_Assignment]:
        """What `nodes` assign."""
        for node in nodes:
            if node.op in _ASSIGNS and len(node.inputs) == 2:
                target = self._outside(_origin(node.inputs[0]).node)
                if target is not None:
                    yield _Assignment(target, _stored(_origin(node.inputs[1])))
            elif node.op in CALLS and self._depth < _DEEPEST:
                yield from self._in_call(node)

    def _outside(self, node: Node) -> Node | None:
        """The node of the main graph that a node here is."""
        return node if self._graph is self._main else self._given.get(node)

    def _in_call(self, call: Node) -> Iterator[_Assignment]:
        body = _body(self._main, call)
        if body is None or len(body.arguments) != len(call.inputs):
            return
        given = {}
        for name, value in zip(body.arguments, call.inputs, strict=True):
            outside = self._outside(_origin(value).node)
            if outside is not None:
                given[body.graph[name]] = outside
        if given:
            yield from _Trace(body.graph, given, self._main, self._depth + 1).assignments(list(body.graph))


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
    elif node.op in ("Restore", "RestoreSlice") and len(node.inputs) > 1:
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
