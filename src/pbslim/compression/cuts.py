"""Run only what depends on a site: everything else keeps the value that it had before."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from pbslim import ops
from pbslim.dtypes import RESOURCE, VARIANT, DType
from pbslim.engines.protocol import find_value
from pbslim.ir import Graph, Value
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

        Constants are not among them. Nothing is cut within loops and branches, nor at what stands for a resource, such
        as an array of tensors, or hands on the order in which one is used.
        """
        below = reachable(map(self._graph.__getitem__, consts), lambda each: each.readers)
        found: dict[str, None] = {}
        for reader in below:
            if reader in self._needed:
                for value in reader.inputs:
                    if value.node not in below and self._can_be_fed(value):
                        found[value.name] = None
        return list(found)

    def _can_be_fed(self, value: Value) -> bool:
        node = value.node
        if node.op == "Const" or node in self._inside or any(_type_of(each) is RESOURCE for each in node.inputs):
            return False
        return _type_of(value) not in (RESOURCE, VARIANT) and not node.op.startswith("TensorArray")


def _type_of(value: Value) -> DType | None:
    return ops.output_dtype(value.node.op, value.node.attrs, value.port)
