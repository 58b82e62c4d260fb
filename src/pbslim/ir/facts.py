"""Facts about a graph that are found once, for as long as it does not change.

Transforms ask the same questions one after the other, and most find nothing to do. A fact is kept with the last entry
of the journal: while that is the same, the graph is.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from functools import wraps
from typing import Concatenate, ParamSpec, TypeVar

from pbslim.ir.graph import Graph
from pbslim.ir.nodes import Node

P = ParamSpec("P")
T = TypeVar("T")


def fact(find: Callable[Concatenate[Graph, P], T]) -> Callable[Concatenate[Graph, P], T]:
    """Make a function of a graph one that remembers its answer until the graph changes.

    Further arguments must be hashable and are part of the question. All who ask share the answer, so nobody may change
    it. What `find` raises is not remembered.
    """

    @wraps(find)
    def known(graph: Graph, /, *args: P.args, **kwargs: P.kwargs) -> T:
        return graph.known(find, *args, **kwargs)

    return known


@fact
def names(graph: Graph) -> frozenset[str]:
    """The names of all nodes."""
    return frozenset(node.name for node in graph)


@fact
def by_op(graph: Graph) -> Mapping[str, tuple[Node, ...]]:
    """The nodes of each op that occurs, in file order."""
    found: dict[str, list[Node]] = {}
    for node in graph:
        found.setdefault(node.op, []).append(node)
    return {op: tuple(nodes) for op, nodes in found.items()}


def has_ops(graph: Graph, ops: Collection[str]) -> bool:
    """Whether there is a node of one of `ops`."""
    return any(op in ops for op in by_op(graph))


def with_ops(graph: Graph, ops: Collection[str]) -> list[Node]:
    """The nodes of these `ops`, in file order."""
    found = [nodes for op, nodes in by_op(graph).items() if op in ops]
    if len(found) <= 1:
        return [*found[0]] if found else []
    return [node for node in graph if node.op in ops]
