"""Keep of a graph what its outputs need."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from pbslim.errors import GraphError
from pbslim.ir.attributes import colocated_with
from pbslim.ir.graph import Graph
from pbslim.ir.nodes import Node
from pbslim.ir.order import drop_lost_colocations


def extract_sub_graph(graph: Graph, outputs: Iterable[str]) -> None:
    """Keep only the nodes that `outputs` (node names) need, in their order; library and versions stay.

    Needed are the producers of data and control inputs, and those that a needed node is colocated with (``_class``).

    Raises:
        GraphError: an output, or something it needs, is not in the graph.
    """
    needed = needed_nodes(graph, outputs)
    graph.erase(node for node in graph if node not in needed)
    drop_lost_colocations(graph)


def needed_nodes(graph: Graph, outputs: Iterable[str], inputs: Collection[str] = ()) -> set[Node]:
    """What `outputs` need, not looking past `inputs`; all are names of nodes.

    Raises:
        GraphError: one of it is not in the graph.
    """
    needed: set[Node] = set()
    todo = [graph[name] for name in outputs]
    while todo:
        node = todo.pop()
        if node in needed:
            continue
        if node.name not in graph:
            raise GraphError(f"node '{node.readers[0].name}' reads '{node.name}', which is not in the graph")
        needed.add(node)
        if node.name not in inputs:
            todo += node.producers
            todo += [other for name in _neighbours(node) if (other := graph.get(name))]
    return needed


def _neighbours(node: Node) -> list[str]:
    return [name for entry in node.attr("_class", tuple, ()) if (name := colocated_with(entry))]
