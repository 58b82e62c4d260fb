"""Execution order, and the rules that every graph obeys."""

from __future__ import annotations

import heapq
from collections.abc import Callable, Collection, Iterable, Iterator

from pbslim.errors import GraphError
from pbslim.ir.graph import Graph
from pbslim.ir.nodes import Node, Use
from pbslim.ops.families import MERGES, NEXT_ITERATIONS

_SHOWN = 4


def _pending(node: Node) -> int:
    if node.op in MERGES and node.inputs:
        return len(node.controls) + 1
    return len(node.inputs) + len(node.controls)


def _readers(nodes: Iterable[Node]) -> dict[Node, list[Node]]:
    readers: dict[Node, list[Node]] = {}
    for node in nodes:
        for value in node.inputs:
            readers.setdefault(value.node, []).append(node)
        for control in node.controls:
            readers.setdefault(control, []).append(node)
    return readers


def execution_order(graph: Graph) -> list[Node]:
    """The nodes, each after those it reads, in the order of the reference tool: the last one ready comes first.

    Nodes in a cycle and nodes that wait for a missing one are left out.
    """
    readers = _readers(graph)
    pending = {node: _pending(node) for node in graph}
    ready = [node for node, count in pending.items() if count == 0]
    order: list[Node] = []
    while ready:
        node = ready.pop()
        order.append(node)
        for reader in readers.get(node, ()):
            pending[reader] -= 1
            if pending[reader] == 0:
                ready.append(reader)
    return order


def file_order(graph: Graph) -> list[Node]:
    """The nodes, each after those it reads, otherwise as they stand in the file (as TensorFlow's importer goes).

    A Merge that closes a loop comes before what flows back into it.

    Raises:
        GraphError: the graph has a cycle that is not a loop, or a node reads one that is missing.
    """
    check_inputs(graph)
    nodes = list(graph)
    index = {node: i for i, node in enumerate(nodes)}
    readers = _readers(nodes)
    pending = {}
    for node in nodes:
        closes_loop = any(value.node.op in NEXT_ITERATIONS for value in node.inputs)
        loop = node.op in MERGES and closes_loop
        pending[node] = _pending(node) if loop else len(node.inputs) + len(node.controls)
    ready = [i for i, node in enumerate(nodes) if pending[node] == 0]
    heapq.heapify(ready)
    order: list[Node] = []
    while ready:
        node = nodes[heapq.heappop(ready)]
        order.append(node)
        for reader in readers.get(node, ()):
            pending[reader] -= 1
            if pending[reader] == 0:
                heapq.heappush(ready, index[reader])
    if len(order) < len(nodes):
        raise _cycle(set(nodes).difference(order))
    return order


def depth_first(roots: Iterable[Node]) -> dict[Node, Use | None]:
    """`roots` and all that they need, each node after what it reads, and the use by which each was first visited.

    A node visited by a control edge, and a root, has no such use.
    """
    visited: dict[Node, Use | None] = {}
    order: dict[Node, Use | None] = {}
    for root in roots:
        if root in visited:
            continue
        visited[root] = None
        stack = [(root, _edges(root))]
        while stack:  # no recursion: chains may be long
            node, edges = stack[-1]
            for producer, use in edges:
                if producer not in visited:
                    visited[producer] = use
                    stack.append((producer, _edges(producer)))
                    break
            else:
                order[node] = visited[node]
                stack.pop()
    return order


def _edges(node: Node) -> Iterator[tuple[Node, Use | None]]:
    for slot, value in enumerate(node.inputs):
        yield value.node, Use(node, slot)
    for control in node.controls:
        yield control, None


def check(graph: Graph) -> None:
    """Check the graph against the rules: inputs exist, and cycles only go through a Merge.

    Raises:
        GraphError: a rule is broken; the message names the nodes.
    """
    check_inputs(graph)
    order = execution_order(graph)
    if len(order) < len(graph):
        raise _cycle(set(graph).difference(order))


def check_inputs(graph: Graph) -> None:
    """Make sure that whatever is read exists.

    Raises:
        GraphError: a node is missing; the message names its reader.
    """
    for missing in graph.missing():
        reader = missing.readers[0].name
        raise GraphError(f"node '{reader}' reads '{missing.name}', which is not in the graph")


def reachable(nodes: Iterable[Node], neighbours: Callable[[Node], Iterable[Node]]) -> set[Node]:
    """`nodes`, their neighbours, the neighbours of those, and so on."""
    found: set[Node] = set()
    todo = list(nodes)
    while todo:
        node = todo.pop()
        if node not in found:
            found.add(node)
            todo += neighbours(node)
    return found


def ancestors(nodes: Iterable[Node]) -> set[Node]:
    """`nodes` and all that they need, by data and control edges."""
    return reachable(nodes, lambda node: node.producers)


def drop_lost_colocations(graph: Graph, given: Collection[str] | None = None) -> None:
    """Drop each colocation with a node that is gone: TensorFlow refuses a graph with one.

    Args:
        given: the names of the nodes that the graph had before, if a colocation with any other is the user's to mend.
    """
    if given is None or any(name not in graph for name in given):
        graph.map_colocations(lambda name: name if name in graph or (given and name not in given) else None)


def _cycle(stuck: set[Node]) -> GraphError:
    # Walk backwards among the nodes that never became ready until one comes again: that is the cycle.
    node = next(iter(sorted(stuck, key=lambda n: n.name)))
    path: dict[Node, None] = {}
    while node not in path:
        path[node] = None
        node = next(producer for producer in node.producers if producer in stuck)
    names = [n.name for n in path]
    ring = names[names.index(node.name) :][::-1]
    ring = ring[-1:] + ring[:-1]
    shown = " → ".join(f"'{name}'" for name in [*ring[:_SHOWN], *(["…"] if len(ring) > _SHOWN else []), ring[0]])
    return GraphError(f"the graph has a cycle: {shown}")
