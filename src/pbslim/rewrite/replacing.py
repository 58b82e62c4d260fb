"""What takes the place of other nodes, where it stands in the file, and what is no longer needed after that."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping

import numpy as np

from pbslim import ops
from pbslim.dtypes import FLOAT
from pbslim.ir import ArrayTensor, Graph, Node, Tensor
from pbslim.ops.families import FEEDABLE, RANDOM


def scalar(value: float | np.float32) -> ArrayTensor:
    """A float scalar."""
    return ArrayTensor(np.array(value, np.float32), FLOAT)


def put_before(graph: Graph, places: Mapping[Node, Iterable[Node]]) -> None:
    """Move the nodes of each entry right before the entry's key."""
    moved = {part for parts in places.values() for part in parts}
    order: list[Node] = []
    for node in graph:
        if node not in moved:
            order += [*places.get(node, ()), node]
    graph.reorder(order)


def set_const(node: Node, tensor: Tensor, controls: tuple[Node, ...] = ()) -> None:
    """Turn `node` into a plain Const that holds `tensor`; device and other attributes go, as in the reference."""
    node.become("Const", attrs={"dtype": tensor.dtype, "value": tensor}, controls=controls)


def erase_unread(graph: Graph, nodes: Iterable[Node], protected: Collection[str]) -> None:
    """Erase those of `nodes` that nothing reads, then what was read by them alone, and so on.

    Placeholders, nodes with effects and `protected` names stay.
    """
    unread: dict[Node, None] = {}
    left: dict[Node, int] = {}  # how many readers each has beside those in `unread`; to count many takes long
    todo = list(dict.fromkeys(nodes))
    while todo:
        node = todo.pop()
        if node not in left:
            left[node] = len(node.readers)
        if left[node] or node in unread or node.name in protected or not _is_pure(node):
            continue
        unread[node] = None
        for producer in node.producers:
            left[producer] = (left[producer] if producer in left else len(producer.readers)) - 1
            todo.append(producer)
    graph.erase(unread)


def _is_pure(node: Node) -> bool:
    definition = ops.find(node.op)
    if definition is None or node.op in FEEDABLE:
        return False
    return not definition.is_stateful or node.op in RANDOM
