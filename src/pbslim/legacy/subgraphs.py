"""What the legacy Python tools share: take out what only training needed."""

from __future__ import annotations

from collections.abc import Collection

from pbslim.analysis.frames import has_frames
from pbslim.ir import Graph, Node
from pbslim.ir.order import drop_lost_colocations


def remove_training_nodes(graph: Graph, protected: Collection[str] = ()) -> None:
    """Bypass CheckNumerics and Identity nodes; their readers read what they read.

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
