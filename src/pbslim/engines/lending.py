"""Constants that are fed with each run: some engines copy those of a graph for each new set of feeds and fetches."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

import numpy as np

from pbslim.analysis.constants import const_value
from pbslim.dtypes import FLOAT, Shape
from pbslim.engines.protocol import Array, Feeds, Program, find_value
from pbslim.ir import Graph, Node
from pbslim.ir.order import reachable

_LARGE = 1024  # elements
_ALIGNMENT = 64  # bytes; TensorFlow copies what it is fed where that is not aligned


class LendingProgram(Program):
    """A program that is fed constants beside what it is run with.

    Args:
        program: the graph without them; see `take_out`.
        constants: by the names of the placeholders that stand for them.
    """

    def __init__(self, program: Program, graph: Graph, constants: Mapping[str, Array]) -> None:
        self._program, self._graph, self._constants = program, graph, constants
        self._lent: dict[tuple[tuple[str, ...], tuple[str, ...]], dict[str, Array]] = {}

    def run(self, feeds: Feeds, fetches: Sequence[str]) -> list[Array]:
        """The values of `fetches`; see `Program.run`."""
        key = tuple(feeds), tuple(fetches)
        if key not in self._lent:
            needed = {node.name for node in needed_nodes(self._graph, fetches, feeds.keys())}
            self._lent[key] = {name: self._constants[name] for name in self._constants.keys() & needed}
        return self._program.run({**self._lent[key], **feeds}, fetches)

    def close(self) -> None:
        """Give back what the program holds."""
        self._program.close()


def take_out(graph: Graph) -> dict[str, Array]:
    """Large constants of floats by name, for which `graph` has placeholders now."""
    found = {}
    for node in graph:
        tensor = const_value(node) if node.op == "Const" and not node.controls else None
        if tensor is not None and tensor.dtype is FLOAT and tensor.size >= _LARGE:
            found[node.name] = _aligned(tensor.numpy())
            node.set_op("Placeholder")
            node.remove_attr("value")
            node.set_attr("shape", Shape(tensor.shape))
    return found


def needed_nodes(graph: Graph, fetches: Sequence[str], fed: Collection[str]) -> set[Node]:
    """The nodes that `fetches` need where the tensors `fed` are known.

    Raises:
        UsageError: a name is not in the graph.
    """
    given = {find_value(graph, name) for name in fed}
    roots = [value.node for value in (find_value(graph, name) for name in fetches) if value not in given]
    return reachable(roots, lambda node: [*(v.node for v in node.inputs if v not in given), *node.controls])


def _aligned(array: Array) -> Array:
    """A copy that begins at an address that TensorFlow takes as it is."""
    room = np.empty(array.nbytes + _ALIGNMENT, np.uint8)
    start = -room.ctypes.data % _ALIGNMENT
    copy = room[start : start + array.nbytes].view(array.dtype).reshape(array.shape)
    copy[...] = array
    return copy
