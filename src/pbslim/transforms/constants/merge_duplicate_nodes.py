"""Merge nodes that compute the same from the same.

Before::  x ─► Relu₁ ─► Add,  x ─► Relu₂ ─► Add
After::   x ─► Relu₁ ═► Add
"""

from __future__ import annotations

from pbslim import ops
from pbslim.analysis.content_keys import ContentKeys
from pbslim.ir import Graph, Node, Tensor
from pbslim.ir.order import execution_order
from pbslim.ops.families import FEEDABLE
from pbslim.passes.registry import Context, transform

_BEGINNING = 1 << 8  # elements
_LARGE = 1 << 14  # bytes


@transform(effect="exact", in_functions=True)
def merge_duplicate_nodes(graph: Graph, context: Context) -> None:
    """Keep one of several nodes with equal op, inputs, control inputs, device and attributes.

    Inputs and outputs of the graph, placeholders and stateful ops are never merged. The first one in the file stays.
    """
    protected = context.protected
    mergeable = {node for node in graph if node.name not in protected and _mergeable(node, context)}
    if len({(node.op, node.inputs) for node in mergeable}) == len(mergeable):
        return  # the inputs of the first pair that is merged are the same from the start
    contents = _Contents()
    while _merge_once(graph, mergeable, contents):
        pass  # only a loop needs a second round, for what flows back into it


class _Contents:
    """Op, device and attributes of nodes, looked at closely only where two nodes may be the same."""

    def __init__(self) -> None:
        self._keys = ContentKeys()
        self._whole: dict[Node, object] = {}

    def outline(self, node: Node) -> object:
        """What differs between nodes of different contents at a glance; of a tensor no element is read."""
        tensor = _value(node)
        return node.op, node.device, (tensor.dtype.number, tensor.shape) if tensor else None

    def beginning(self, node: Node) -> object:
        """The first elements of a large tensor: those of most weights differ."""
        tensor = _value(node)
        if tensor is None or tensor.dtype.scalar is None or tensor.nbytes <= _LARGE or tensor.head() is not None:
            return None
        return tensor.first(_BEGINNING).tobytes()

    def whole(self, node: Node) -> object:
        """What is equal for nodes of one outline if their contents are."""
        if node not in self._whole:
            self._whole[node] = self._keys.of_attributes(node)
        return self._whole[node]


def _value(node: Node) -> Tensor | None:
    tensor = node.attrs.get("value") if node.op == "Const" else None
    return tensor if isinstance(tensor, Tensor) else None


class _Firsts:
    """The first node of each kind."""

    def __init__(self, contents: _Contents) -> None:
        self._contents = contents
        self._known: dict[object, Node] = {}

    def like(self, node: Node, *edges: object) -> Node:
        """The first node that has the same contents and edges; `node` itself if it is the first."""
        key: object = (self._contents.outline(node), *edges)
        for closer in (self._contents.beginning, self._contents.whole):
            alone = self._known.setdefault(key, node)
            if alone is node:
                return node
            self._known.setdefault((key, closer(alone)), alone)
            key = key, closer(node)
        return self._known.setdefault(key, node)


def _merge_once(graph: Graph, mergeable: set[Node], contents: _Contents) -> bool:
    place = {node: i for i, node in enumerate(graph)}
    firsts = _Firsts(contents)
    same: dict[Node, Node] = {}  # each node → the first that turned out to be the same
    groups: dict[Node, list[Node]] = {}
    for node in execution_order(graph):
        if node not in mergeable:
            continue
        inputs = tuple((same.get(value.node, value.node), value.port) for value in node.inputs)
        controls = frozenset(same.get(control, control) for control in node.controls)
        other = firsts.like(node, inputs, controls)
        if other is not node:
            same[node] = other
            groups.setdefault(other, [other]).append(node)
    dropped: list[Node] = []
    for group in groups.values():
        keep, *others = sorted(group, key=place.__getitem__)
        dropped += others
        for drop in others:
            for value in drop.outputs:
                value.replace_all_uses_with(keep.output(value.port))
            drop.replace_control_uses_with([keep])
    graph.erase(dropped)
    return bool(dropped)


def _mergeable(node: Node, context: Context) -> bool:
    if node.op in FEEDABLE:
        return False
    definition = ops.find(node.op)
    if definition is None:
        context.skip(node.name, f"op '{node.op}' is not known, so it may have side effects")
        return False
    return not definition.is_stateful
