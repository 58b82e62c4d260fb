"""Execution order, and the rules that every graph obeys."""

from __future__ import annotations

import heapq
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence, Set

from pbslim.errors import GraphError
from pbslim.ir.facts import fact, with_ops
from pbslim.ir.graph import Graph
from pbslim.ir.nodes import Node, Use
from pbslim.ops.families import MERGES, NEXT_ITERATIONS

_SHOWN = 4


@fact
def readers_of(graph: Graph) -> Mapping[Node, Sequence[Node]]:
    """Who reads each node, once for each edge; nodes that nothing reads are left out."""
    readers: dict[Node, list[Node]] = {}
    for node in graph:
        for value in node.inputs:
            readers.setdefault(value.node, []).append(node)
        for control in node.controls:
            readers.setdefault(control, []).append(node)
    return readers


@fact
def execution_order(graph: Graph) -> tuple[Node, ...]:
    """The nodes, each after those it reads, in the order of the reference tool: the last one ready comes first.

    Nodes in a cycle and nodes that wait for a missing one are left out.
    """
    readers = readers_of(graph)
    pending = {node: len(node.inputs) + len(node.controls) for node in graph}
    pending.update((node, len(node.controls) + 1) for node in with_ops(graph, MERGES) if node.inputs)
    ready = [node for node, count in pending.items() if count == 0]
    order: list[Node] = []
    while ready:
        node = ready.pop()
        order.append(node)
        for reader in readers.get(node, ()):
            pending[reader] -= 1
            if pending[reader] == 0:
                ready.append(reader)
    return tuple(order)


@fact
def file_order(graph: Graph) -> tuple[Node, ...]:
    """The nodes, each after those it reads, otherwise as they stand in the file (as TensorFlow's importer goes).

    A Merge that closes a loop comes before what flows back into it.

    Raises:
        GraphError: the graph has a cycle that is not a loop, or a node reads one that is missing.
    """
    check_inputs(graph)
    nodes = tuple(graph)
    if _is_sorted(graph):
        return nodes
    index = {node: i for i, node in enumerate(nodes)}
    readers = readers_of(graph)
    pending = {node: len(node.inputs) + len(node.controls) for node in nodes}
    for node in with_ops(graph, MERGES):
        if any(value.node.op in NEXT_ITERATIONS for value in node.inputs):
            pending[node] = len(node.controls) + 1
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
    return tuple(order)


@fact
def _is_sorted(graph: Graph) -> bool:
    """Whether each node comes after all that it reads, as in most files."""
    return _goes_forward(graph, set())


def _goes_forward(graph: Graph, before: set[Node]) -> bool:
    """Whether each node reads only those `before` it, to which those belong that stand before it in the file."""
    for node in graph:
        for value in node.inputs:
            if value.node not in before:
                return False
        if node.controls and not before.issuperset(node.controls):
            return False
        before.add(node)
    return True


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
    if _goes_forward(graph, {node for node in graph if not (node.inputs or node.controls)}):
        return  # what reads nothing may stand anywhere
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


def ancestors(nodes: Iterable[Node], cut: Set[Node] = frozenset()) -> set[Node]:
    """`nodes` and all that they need, by data and control edges, not looking past the nodes in `cut`."""
    return reachable(nodes, (lambda node: () if node in cut else _needs(node)) if cut else _needs)


def _needs(node: Node) -> list[Node]:
    # Not `Node.producers`, which takes time to leave out repetitions that make no difference here.
    return [*[value.node for value in node.inputs], *node.controls]


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
