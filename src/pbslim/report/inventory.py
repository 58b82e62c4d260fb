"""Which ops and types graphs need, for ``pbslim ops``."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from pbslim import ops
from pbslim.dtypes import DType
from pbslim.errors import DecodeError
from pbslim.ir import AttrValue, Graph
from pbslim.wire.listing import ListedNode, listed_functions, listed_nodes


@dataclass(frozen=True)
class OpUse:
    """An op in use.

    Attributes:
        nodes: how many nodes of all graphs and functions have it.
        types: the data types that its attributes name, by TensorFlow's numbers for them.
        since: the release that brought it, ``1.4`` for that one and all before; None for an op that none has.
    """

    op: str
    nodes: int
    types: tuple[str, ...]
    since: str | None


def all_nodes(graph: Graph) -> Iterator[tuple[str, ListedNode]]:
    """The nodes of `graph` and of its functions with the name of the function; calls of functions are no ops.

    Raises:
        DecodeError: a function is broken.
    """
    functions = graph.library.functions
    bodies = [("", listed_nodes(graph)), *((each.name, iter(each.nodes)) for each in listed_functions(graph))]
    for function, nodes in bodies:
        yield from ((function, node) for node in nodes if node.op not in functions)


def op_inventory(graphs: Iterable[Graph]) -> list[OpUse]:
    """The ops that all `graphs` together need, by name.

    Raises:
        DecodeError: a function is broken.
    """
    counts: dict[str, int] = {}
    types: dict[str, set[DType]] = {}
    for graph in graphs:
        for _, node in all_nodes(graph):
            counts[node.op] = counts.get(node.op, 0) + 1
            types.setdefault(node.op, set()).update(_types(node))
    found = []
    for op in sorted(counts):
        definition = ops.find(op)
        names = tuple(str(each) for each in sorted(types[op], key=lambda dtype: dtype.number))
        found.append(OpUse(op, counts[op], names, definition.since if definition else None))
    return found


def _types(node: ListedNode) -> Iterator[DType]:
    for key in node.attrs:
        if key != "value":  # the tensor of a constant, whose type stands beside it
            try:
                yield from _named(node.attrs[key])
            except DecodeError:  # a number that stands for no type
                continue


def _named(value: AttrValue) -> Iterator[DType]:
    for each in value if isinstance(value, tuple) else (value,):
        if isinstance(each, DType):
            yield each
