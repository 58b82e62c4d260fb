"""Which ops and types graphs need, for ``pbslim ops``."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from pbslim import ops
from pbslim.dtypes import DType
from pbslim.errors import DecodeError
from pbslim.ir import AttrValue, Graph
from pbslim.wire.files import GraphLike
from pbslim.wire.given import load_all
from pbslim.wire.listing import ListedNode, listed_functions, listed_nodes
from pbslim.wire.memmapped import immutable_attributes, package_of


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

    Of a memory-mapped package these are the nodes that a runtime finds in it.

    Raises:
        DecodeError: a function is broken.
    """
    functions, package = graph.library.functions, package_of(graph)
    mapped = {constant.node: constant for constant in package.constants} if package else {}
    bodies = [("", listed_nodes(graph)), *((each.name, iter(each.nodes)) for each in listed_functions(graph))]
    for function, nodes in bodies:
        for node in nodes:
            constant = mapped.get(f"{function}/{node.name}" if function else node.name)
            if constant:
                yield function, replace(node, op="ImmutableConst", attrs=immutable_attributes(constant))
            elif node.op not in functions:
                yield function, node


def op_inventory(graphs: GraphLike | Iterable[GraphLike]) -> list[OpUse]:
    """The ops that all `graphs` together need, by name.

    Raises:
        DecodeError: a function is broken.
    """
    counts: dict[str, int] = {}
    types: dict[str, set[DType]] = {}
    for graph in load_all(graphs):
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
