"""Constants in the place of other nodes, and where they stand in the file."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np

from pbslim.dtypes import FLOAT
from pbslim.ir import ArrayTensor, Graph, Node, Tensor


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
