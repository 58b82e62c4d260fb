"""Run only what depends on a site: everything else keeps the value that it had before."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from pbslim.engines.protocol import find_value
from pbslim.ir import Graph, Node
from pbslim.ir.order import ancestors, reachable
from pbslim.ops.families import PLACES


class Cutter:
    """Knows where a graph can be cut before what depends on a constant."""

    def __init__(self, graph: Graph, fetches: Sequence[str]) -> None:
        self._graph = graph
        self._needed = set(ancestors(find_value(graph, name).node for name in fetches))
        # In a branch or loop a value may be dead, or many.
        self._inside = reachable((node for node in graph if node.op in PLACES), lambda each: each.readers)

    def cut(self, consts: Iterable[str]) -> list[str]:
        """The tensors that, when they are fed beside `consts`, leave nothing to compute but what depends on those.

        Constants are not among them. Nothing is cut within loops and branches.
        """
        below = reachable(map(self._graph.__getitem__, consts), lambda each: each.readers)
        found: dict[str, None] = {}
        for reader in below:
            if reader in self._needed:
                for value in reader.inputs:
                    if value.node not in below and self._can_be_fed(value.node):
                        found[value.name] = None
        return list(found)

    def _can_be_fed(self, node: Node) -> bool:
        return node.op != "Const" and node not in self._inside
