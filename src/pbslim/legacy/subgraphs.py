"""What the legacy Python tools share: keep what the outputs need, and take out what only training needed."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from pbslim.analysis.frames import has_frames
from pbslim.errors import GraphError
from pbslim.ir import Graph, Node
from pbslim.ir.attributes import colocated_with
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


def remove_training_nodes(graph: Graph, protected: Collection[str] = ()) -> None:
    """Take CheckNumerics and Identity nodes out of the way; their readers read what they read.

    Nodes named in `protected` stay. A node that waits for a check no longer waits; only where a graph has loops or
    branches, in which such an edge can hold a node in its place, the check stays. What a check waited for, its
    readers wait for. An Identity that waits for something, or that something waits for, stays.
    """
    framed = has_frames(graph)
    checks = [n for n in graph if n.op == "CheckNumerics" and _can_go(n, protected)]
    checks = [node for node in checks if not (framed and node.control_readers)]
    for node in checks:
        node.replace_control_uses_with(())
        for reader in node.readers:
            reader.set_controls([*reader.controls, *node.controls])
    _bypass(graph, checks)
    copies = [n for n in graph if n.op == "Identity" and _can_go(n, protected)]
    _bypass(graph, [node for node in copies if not node.controls and not node.control_readers])
    drop_lost_colocations(graph)


def _bypass(graph: Graph, nodes: list[Node]) -> None:
    for node in nodes:
        node.output().replace_all_uses_with(node.inputs[0])
    graph.erase(nodes)


def _can_go(node: Node, protected: Collection[str]) -> bool:
    return node.name not in protected and len(node.inputs) == 1 and not any(v.uses for v in node.outputs if v.port)
