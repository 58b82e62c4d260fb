"""Nodes and the values that they hold; what changes them is recorded in the journal of their graph.

A `Value` is one output port of a node and knows who reads it. Control edges are edges of their own kind.

Most nodes have one output, which one node reads, and no control edges. What they may have more of lies in dicts that
are made when there is more: a dict takes as much memory as a node.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple, TypeVar, overload

from pbslim.dtypes import DType, Shape
from pbslim.errors import GraphError
from pbslim.ir.attributes import Attributes, AttrValue, Encoded
from pbslim.ir.tensors import Tensor
from pbslim.ops.attributes import read

if TYPE_CHECKING:
    from pbslim.ir.graph import Graph

T = TypeVar("T")


class Use(NamedTuple):
    """A place where a value is read: the reader and the number of its data input."""

    node: Node
    slot: int


class Value:
    """One output port of a node."""

    __slots__ = ("_uses", "node", "port")

    def __init__(self, node: Node, port: int) -> None:
        self.node, self.port = node, port
        self._uses: dict[Use, None] | Use | None = None

    @property
    def uses(self) -> list[Use]:
        """Where this value is read, in the order in which the edges were made."""
        uses = self._uses
        return list(uses) if isinstance(uses, dict) else [] if uses is None else [uses]

    @property
    def is_used(self) -> bool:
        """Whether anything reads it."""
        return bool(self._uses)

    def _add_use(self, use: Use) -> None:
        if self._uses is None:
            self._uses = use
        elif isinstance(self._uses, dict):
            self._uses[use] = None
        else:
            self._uses = {self._uses: None, use: None}

    def _remove_use(self, use: Use) -> None:
        if isinstance(self._uses, dict):
            self._uses.pop(use, None)
        elif self._uses == use:
            self._uses = None

    @property
    def name(self) -> str:
        """As GraphDef writes it in an input: ``node`` for port 0, else ``node:port``."""
        return f"{self.node.name}:{self.port}" if self.port else self.node.name

    def replace_all_uses_with(self, new: Value) -> None:
        """Let every reader of this value read `new` instead."""
        for use in self.uses:
            use.node.set_input(use.slot, new)

    def __repr__(self) -> str:
        return f"<{self.name}>"


class Node:
    """A node of a graph; make one with `Graph.add`.

    Attributes:
        origin: what the reader of the file left here to write an untouched node back byte for byte.
    """

    __slots__ = (
        "_attrs",
        "_controls",
        "_device",
        "_graph",
        "_inputs",
        "_name",
        "_op",
        "_output",
        "_outputs",
        "_readers",
        "_touched",
        "origin",
    )

    def __init__(self, graph: Graph, name: str, op: str, device: str, attrs: Attributes, origin: object) -> None:
        self._graph, self._name, self._op, self._device, self._attrs = graph, name, op, device, attrs
        self.origin = origin
        self._touched = False
        self._inputs: tuple[Value, ...] = ()
        self._controls: tuple[Node, ...] = ()
        self._output: Value | None = None  # port 0
        self._outputs: dict[int, Value] | None = None  # the other ports
        self._readers: dict[Node, None] | None = None

    @property
    def name(self) -> str:
        """Unique within the graph."""
        return self._name

    @property
    def touched(self) -> bool:
        """Whether anything about it was changed that its origin says: name, op, device, inputs or attributes."""
        return self._touched

    @property
    def op(self) -> str:
        """What it computes."""
        return self._op

    @property
    def device(self) -> str:
        """Where it is asked to run; empty for anywhere."""
        return self._device

    @property
    def attrs(self) -> Attributes:
        """The attributes, read-only."""
        return self._attrs

    @property
    def inputs(self) -> tuple[Value, ...]:
        """The data inputs in order."""
        return self._inputs

    @property
    def controls(self) -> tuple[Node, ...]:
        """The nodes that must have run before, without passing data."""
        return self._controls

    @property
    def control_readers(self) -> list[Node]:
        """The nodes that wait for this one by a control edge."""
        return list(self._readers or ())

    @property
    def outputs(self) -> list[Value]:
        """The ports in use so far, by number."""
        first = [] if self._output is None else [self._output]
        return first + [value for _, value in sorted(self._outputs.items())] if self._outputs else first

    def output(self, port: int = 0) -> Value:
        """The value at `port`."""
        if port == 0:
            if self._output is None:
                self._output = Value(self, 0)
            return self._output
        if self._outputs is None:
            self._outputs = {}
        if port not in self._outputs:
            self._outputs[port] = Value(self, port)
        return self._outputs[port]

    @property
    def readers(self) -> list[Node]:
        """Every node that reads this one by data or control edge, each once."""
        return list(dict.fromkeys([*self.data_readers, *(self._readers or ())]))

    @property
    def data_readers(self) -> list[Node]:
        """Every node that reads an output of this one, each once."""
        return list(dict.fromkeys(use.node for value in self.outputs for use in value.uses))

    @property
    def producers(self) -> list[Node]:
        """Every node that this one reads by data or control edge, each once."""
        return list(dict.fromkeys([*(value.node for value in self._inputs), *self._controls]))

    # Attributes by kind

    @overload
    def attr(self, key: str, kind: type[T]) -> T | None: ...

    @overload
    def attr(self, key: str, kind: type[T], default: T) -> T: ...

    def attr(self, key: str, kind: type[T], default: T | None = None) -> T | None:
        """Attribute `key`, or the default of its op; `default` when there is neither, or something of another kind.

        Raises:
            DecodeError: its bytes are broken.
        """
        value = read(self._op, self._attrs, key, kind)
        return default if value is None else value

    def tensor(self) -> Tensor:
        """The ``value`` of a Const.

        Raises:
            GraphError: there is none.
        """
        value = self._attrs.get("value")
        if not isinstance(value, Tensor):
            raise GraphError(f"node '{self._name}' ({self._op}) has no 'value' tensor")
        return value

    def dtype_attr(self, key: str, default: DType | None = None) -> DType | None:
        """The data type in attribute `key`, as `attr` finds it."""
        return self.attr(key, DType) or default

    def shape_attr(self, key: str) -> Shape:
        """The shape in attribute `key`, as `attr` finds it; of unknown rank when there is none."""
        return self.attr(key, Shape, Shape())

    # Changes

    def set_input(self, index: int, value: Value) -> None:
        """Read `value` as data input `index`."""
        self.set_inputs([*self._inputs[:index], value, *self._inputs[index + 1 :]])

    def set_inputs(self, values: Iterable[Value]) -> None:
        """Read these values as data inputs."""
        self._graph._do_inputs(self, tuple(values))

    def set_controls(self, nodes: Iterable[Node]) -> None:
        """Wait for these nodes (each counts once)."""
        self._graph._do_controls(self, tuple(dict.fromkeys(nodes)))

    def set_attr(self, key: str, value: AttrValue | Encoded) -> None:
        """Give attribute `key` a value."""
        self._graph._do_field(self, "_attrs", self._attrs.with_(key, value))

    def remove_attr(self, key: str) -> None:
        """Drop attribute `key` if it is there."""
        if key in self._attrs:
            self._graph._do_field(self, "_attrs", self._attrs.without(key))

    def set_device(self, device: str) -> None:
        """Ask to run on `device`."""
        if device != self._device:
            self._graph._do_field(self, "_device", device)

    def set_op(self, op: str) -> None:
        """Compute something else."""
        self._graph._do_field(self, "_op", op)

    def become(
        self,
        op: str,
        inputs: Iterable[Value] = (),
        attrs: Mapping[str, AttrValue] | Attributes | None = None,
        *,
        controls: Iterable[Node] = (),
        device: str = "",
    ) -> None:
        """Turn into another node under the same name; readers of this one read the new one."""
        self.set_op(op)
        self.set_inputs(inputs)
        self.set_controls(controls)
        self.set_device(device)
        new = attrs.copy() if isinstance(attrs, Attributes) else Attributes(dict(attrs or {}))
        self._graph._do_field(self, "_attrs", new)

    def replace_control_uses_with(self, new: Sequence[Node]) -> None:
        """Let every node that waits for this one wait for `new` instead."""
        for reader in self.control_readers:
            self._graph._do_control(reader, reader.controls.index(self), tuple(new))

    def _wait(self, reader: Node) -> None:
        if self._readers is None:
            self._readers = {}
        self._readers[reader] = None

    def __repr__(self) -> str:
        return f"<{self._name} = {self._op}>"


def link_inputs(node: Node, new: tuple[Value, ...]) -> None:
    """Let `node` read these values; the journal does not learn of it."""
    for index, value in enumerate(node._inputs):
        value._remove_use(Use(node, index))
    node._inputs = new
    for index, value in enumerate(new):
        value._add_use(Use(node, index))


def exchange_controls(node: Node, at: int, old: tuple[Node, ...], new: tuple[Node, ...]) -> None:
    """Let `node` wait for `new` instead of `old`, which starts at `at`; the journal does not learn of it.

    One node may wait for all others, as each variable of a model is initialized: only what changes is looked at.
    """
    node._controls = (*node._controls[:at], *new, *node._controls[at + len(old) :])
    for control in old:
        if control._readers:
            control._readers.pop(node, None)
    for control in new:
        control._wait(node)


def link_controls(node: Node, new: tuple[Node, ...]) -> None:
    """Let `node` wait for these nodes; the journal does not learn of it."""
    for control in node._controls:
        if control._readers:
            control._readers.pop(node, None)
    node._controls = new
    for control in new:
        control._wait(node)
