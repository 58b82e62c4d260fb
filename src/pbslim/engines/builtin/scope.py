"""What the nodes of one graph, or of one function body, have in common while they run."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias, TypeVar
from weakref import WeakValueDictionary

from pbslim import ops
from pbslim.analysis.evaluation import kernel_attrs
from pbslim.dtypes import DType
from pbslim.engines.protocol import See
from pbslim.ir import AttrValue, FunctionRef, Graph, Node, TypeVariable
from pbslim.ir.tensors import Array
from pbslim.kernels import Attributes

T = TypeVar("T")


class CannotRun(Exception):  # noqa: N818 - an answer, not an error
    """A node that this engine has no way to run; the text says why."""

    def __init__(self, node: Node, reason: str) -> None:
        super().__init__(reason)
        self.node = node


@dataclass
class Run:
    """What lasts as long as one run of a program.

    Attributes:
        depth: how many calls of functions are open.
        draws: for each node that draws random numbers, how many it has drawn.
    """

    depth: int = 0
    draws: dict[Node, int] = field(default_factory=dict)


class Shared:
    """What all graphs and bodies of one program share.

    Attributes:
        graph: the main graph, whose library the functions come from.
        run: the run that goes on in this thread.
        callees: the functions that were asked for, see `pbslim.engines.builtin.functions`.
        watched: what is shown the inputs of some nodes.
        constants: what was read from the file, as long as a plan holds it: there are many plans for other feeds.
        reading: held by the thread that reads one.
    """

    def __init__(self, graph: Graph, watched: Mapping[Node, See] | None = None) -> None:
        self.graph, self.watched, self._threads = graph, watched or {}, threading.local()
        self.callees: dict[str, list[Any]] = {}
        self.constants: WeakValueDictionary[Node, Array] = WeakValueDictionary()
        self.reading = threading.Lock()

    @property
    def run(self) -> Run:
        """Programs may run in several threads at the same time."""
        found: Run = self._threads.run
        return found

    @run.setter
    def run(self, run: Run) -> None:
        self._threads.run = run


@dataclass(frozen=True)
class Scope:
    """Where nodes are: the main graph, or the body of a function.

    Attributes:
        graph: the nodes.
        shared: what the whole program shares.
        variables: what the call says of the open attributes of the function.
        function: its name, empty in the main graph.
    """

    graph: Graph
    shared: Shared
    variables: Mapping[str, AttrValue] = field(default_factory=dict)
    function: str = ""

    def label(self, node: Node) -> str:
        """How messages name a node."""
        return f"node '{self.function}/{node.name}'" if self.function else f"node '{node.name}'"

    def attrs(self, node: Node) -> dict[str, AttrValue]:
        """The attributes of `node` with what the call says in place of the open ones."""
        return {key: self.concrete(node.attrs[key]) for key in node.attrs if not key.startswith("_")}

    def concrete(self, value: AttrValue) -> AttrValue:
        """An attribute with what the call says in place of its open parts."""
        if isinstance(value, TypeVariable):
            return self.variables.get(value)
        if isinstance(value, tuple):
            return tuple(map(self.concrete, value))
        if isinstance(value, FunctionRef) and value.attrs:
            return FunctionRef(value.name, {key: self.concrete(inner) for key, inner in value.attrs.items()})
        return value

    def attributes(self, node: Node) -> Attributes:
        """The attributes of `node` as kernels read them."""
        return Attributes(kernel_attrs(self.attrs(node)))

    def input_dtypes(self, node: Node) -> tuple[DType, ...] | None:
        """The types of the data inputs, None where that is not known."""
        return ops.input_dtypes(node.op, self.attrs(node))

    def function_attr(self, node: Node, key: str) -> FunctionRef:
        """The function that an attribute names.

        Raises:
            CannotRun: there is none.
        """
        value = self.attrs(node).get(key)
        if not isinstance(value, FunctionRef):
            raise CannotRun(node, f"attribute '{key}' does not name a function")
        return value


Action: TypeAlias = Callable[[list[Any]], "list[Any]"]
"""From the values of a node's inputs to those of its outputs: arrays, or objects that stand for resources."""
Maker: TypeAlias = Callable[[Node, Scope], Action]
