"""Adds the nodes of gradients to a graph."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from pbslim.analysis.static_shapes import StaticShapes
from pbslim.dtypes import FLOAT, INT32, DType
from pbslim.ir import ArrayTensor, AttrValue, Graph, Node, Value

_PREFIX = "gradients"


class Tape:
    """Writes ops one after the other, under names that nothing else has.

    Numbers are float32, places and shapes int32.

    Attributes:
        graph: to which the nodes are added.
    """

    def __init__(self, graph: Graph) -> None:
        self.graph, self._shapes, self._count = graph, StaticShapes(graph), 0
        self._prefix = _prefix(graph)
        self._known: dict[Value, Value] = {}
        self._shapes.of(next(iter(graph)).output())  # now, before nodes are added

    def op(self, op: str, *inputs: Value, **attrs: AttrValue) -> Value:
        """The first output of a new node, of which T is float32 where nothing else is said."""
        return self._add(op, *inputs, **{"T": FLOAT, **attrs})

    def const(self, value: object, dtype: DType = INT32) -> Value:
        """A constant."""
        array = np.asarray(value, np.int32 if dtype is INT32 else np.float32)
        return self._add("Const", dtype=dtype, value=ArrayTensor(array, dtype))

    def placeholder(self) -> Value:
        """What is fed when the gradients are computed."""
        return self._add("Placeholder", dtype=FLOAT)

    def _add(self, op: str, *inputs: Value, **attrs: AttrValue) -> Value:
        self._count += 1
        return self.graph.add(f"{self._prefix}/{self._count}", op, inputs, attrs).output()

    def shape(self, value: Value) -> Value:
        """The shape of a value."""
        if value not in self._known:
            self._known[value] = self.op("Shape", value)
        return self._known[value]

    def dims(self, value: Value) -> Sequence[int] | None:
        """What is known of the shape of a value of the graph as it was, -1 where it is not; None if no rank is."""
        return self._shapes.of(value).dims

    def cast(self, value: Value, kind: AttrValue, wanted: AttrValue) -> Value:
        """Whole numbers of one type as those of another."""
        return value if kind is wanted else self.op("Cast", value, SrcT=kind, DstT=wanted)

    def reshaped(self, gradient: Value, value: Value) -> Value:
        """`gradient` in the shape of `value`."""
        return self.op("Reshape", gradient, self.shape(value))

    def total(self, parts: Sequence[Value]) -> Value:
        """The sum of values of one shape."""
        return parts[0] if len(parts) == 1 else self.op("AddN", *parts, N=len(parts))

    def unbroadcast(self, gradient: Value, value: Value, other: Value) -> Value:
        """The gradient of a value that was broadcast to go with another one."""
        if _is_full(self.dims(value), self.dims(other)):
            return gradient
        axes = self.op("BroadcastGradientArgs", self.shape(value), self.shape(other), T=INT32)
        return self.reshaped(self.op("Sum", gradient, axes), value)


def attrs_of(node: Node, keys: Sequence[str]) -> dict[str, AttrValue]:
    """Those of `keys` that the node has."""
    return {key: node.attrs[key] for key in keys if key in node.attrs}


def _is_full(dims: Sequence[int] | None, other: Sequence[int] | None) -> bool:
    """Whether what has one shape is certainly not broadcast by what has another one."""
    if dims is None or other is None or len(other) > len(dims):
        return False
    return all(b == 1 or a == b >= 0 for a, b in zip(reversed(dims), reversed(other), strict=False))


def _prefix(graph: Graph) -> str:
    name, number = _PREFIX, 0
    while any(node.name == name or node.name.startswith(f"{name}/") for node in graph):
        number += 1
        name = f"{_PREFIX}_{number}"
    return name
