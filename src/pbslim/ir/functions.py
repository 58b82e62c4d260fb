"""The function library: bodies of functions are graphs whose first placeholders are the arguments."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from pbslim.dtypes import DType
from pbslim.errors import DecodeError, GraphError
from pbslim.ir.attributes import Attributes, AttrValue, FunctionRef, TypeVariable

if TYPE_CHECKING:
    from pbslim.ir.graph import Graph
    from pbslim.ir.nodes import Node, Value


class UnknownError(GraphError):
    """A function may be whole, but what is in it is not known here: an op, a type, or a list of arguments."""


class EncodedFunction(ABC):
    """A function still in the form in which a file holds it."""

    @abstractmethod
    def decode(self) -> Body:
        """What it computes; raises UnknownError where that cannot be told, another error if it is damaged."""

    @abstractmethod
    def attributes(self) -> Iterator[Attributes]:
        """The attributes of each node of the body, whether or not it can be decoded."""


@dataclass
class Body:
    """What a function computes.

    Attributes:
        graph: its nodes, and before them a Placeholder for each argument, under the argument's name.
        arguments: the names of the arguments.
        returns: name of each output → tensor name in `graph`, ``node`` or ``node:port``; perhaps an argument's.
        dtypes: the type of each output; a `TypeVariable` where the call says it.
        control_returns: name of each control output → node that runs whenever the function is called.
        ports: where each named output of a node starts and how many ports it has; None when that is not known.
    """

    graph: Graph
    arguments: tuple[str, ...]
    returns: Mapping[str, str]
    dtypes: tuple[DType | TypeVariable, ...]
    control_returns: Mapping[str, str]
    ports: Callable[[Node], Mapping[str, tuple[int, int]] | None]

    def value(self, tensor: str) -> Value:
        """The value that a tensor name of `returns` stands for."""
        name, _, port = tensor.partition(":")
        return self.graph[name].output(int(port or 0))

    @property
    def argument_dtypes(self) -> tuple[DType | TypeVariable | None, ...]:
        """The type of each argument; None where it is not known."""
        found = (self.graph[name].attrs.get("dtype") for name in self.arguments)
        return tuple(dtype if isinstance(dtype, DType | TypeVariable) else None for dtype in found)

    def set_dtypes(self, dtypes: Iterable[DType | TypeVariable]) -> None:
        """Say of which types the outputs are; for an argument its Placeholder says it."""
        old, self.dtypes = self.dtypes, tuple(dtypes)
        if self.dtypes != old:
            self.graph.record("", "outputs", lambda: setattr(self, "dtypes", old))

    def spelled(self, value: Value) -> str:
        """As bodies write it in an input: ``argument``, else ``node:output:index``.

        Raises:
            GraphError: the op is not known, or has no such output.
        """
        node = value.node
        if node.name in self.arguments:
            return node.name
        for name, (first, count) in (self.ports(node) or {}).items():
            if first <= value.port < first + count:
                return f"{node.name}:{name}:{value.port - first}"
        raise GraphError(f"output {value.port} of '{node.name}' ({node.op}) has no known name")

    def check(self) -> None:
        """Check the body against the rules that are not those of every graph.

        Raises:
            GraphError: an argument or return is no longer there, or a value has no name that can be written.
        """
        for name in self.arguments:
            node = self.graph.get(name)
            if node is None or node.op != "Placeholder" or node.controls:
                raise GraphError(f"the argument '{name}' is no longer there")
        for tensor in self.returns.values():
            self.spelled(self.value(tensor))
        for name in self.control_returns.values():
            self.graph[name]  # raises when it is gone
        for node in self.graph:
            for value in node.inputs:
                self.spelled(value)


class Function:
    """A function of a graph's library; its body is decoded on first need.

    Attributes:
        name: unique within the library.
        ops: the ops in its body.
        variables: names of the attributes that a call must give, for which `TypeVariable` stands in the body.
        encoded: what the reader of the file left here.
        damage: why it cannot be decoded, if it should be possible and was tried.
    """

    def __init__(
        self, graph: Graph, name: str, ops: tuple[str, ...], variables: tuple[str, ...], encoded: EncodedFunction
    ) -> None:
        self.name, self.ops, self.variables, self.encoded = name, ops, variables, encoded
        self._graph = graph
        self._body: Body | None = None
        self._problem = self.damage = ""

    @property
    def decoded(self) -> Body | None:
        """The body, if it was decoded."""
        return self._body

    def body(self) -> Body:
        """What it computes. Changes go to the journal of the graph to which the library belongs.

        Raises:
            GraphError: it cannot be decoded; the message says why.
        """
        if self._body is None and not self._problem:
            try:
                self._adopt(self.encoded.decode())
            except (GraphError, DecodeError) as error:
                self._problem = f"function '{self.name}': {error}"
                self.damage = "" if isinstance(error, UnknownError) else self._problem
        if self._body is None:
            raise GraphError(self._problem)
        return self._body

    def _adopt(self, body: Body) -> None:
        self._body = body
        body.graph.scope, body.graph.library = f"{self.name}/", self._graph.library
        body.graph.journal = self._graph.journal

    def mentions(self) -> set[str]:
        """Names of the functions that its nodes call or refer to."""
        attributes = (node.attrs for node in self._body.graph) if self._body else self.encoded.attributes()
        found = {name for attrs in attributes for name in mentioned(attrs)}
        ops = (node.op for node in self._body.graph) if self._body else self.ops
        return found.union(ops).intersection(self._graph.library.functions)

    def copy(self, graph: Graph) -> Function:
        """The same function in the library of `graph`."""
        twin = Function(graph, self.name, self.ops, self.variables, self.encoded)
        if self._body is not None:
            twin._adopt(replace(self._body, graph=self._body.graph.copy_nodes()))
        return twin


def mentioned(attrs: Attributes) -> Iterator[str]:
    """Names of the functions that attributes refer to, the attributes of calls included."""
    todo: list[AttrValue] = []
    for key in attrs:
        try:
            todo.append(attrs[key])
        except DecodeError:  # it refers to nothing that could be understood
            continue
    while todo:
        value = todo.pop()
        if isinstance(value, tuple):
            todo += value
        elif isinstance(value, FunctionRef):
            yield value.name
            todo += value.attrs.values()


@dataclass
class Library:
    """The functions of a graph.

    Attributes:
        functions: by name.
        pinned: names of functions that belong to a pair of function and gradient.
        origin: what the reader of the file left here to write the rest back.
    """

    functions: dict[str, Function] = field(default_factory=dict)
    pinned: frozenset[str] = frozenset()
    origin: object = None


def used_functions(graph: Graph) -> set[str]:
    """Names of the functions that can run when `graph` does, and of those bound to them as gradients."""
    functions = graph.library.functions
    roots = {name for node in graph for name in mentioned(node.attrs)} | {node.op for node in graph}
    todo = [name for name in roots | graph.library.pinned if name in functions]
    found: set[str] = set()
    while todo:
        name = todo.pop()
        if name not in found:
            found.add(name)
            todo += functions[name].mentions()
    return found
