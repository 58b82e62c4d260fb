"""The graph: nodes hold values, not strings, and every change can be taken back.

A `Value` is one output port of a node and knows who reads it. Control edges are edges of their own kind.
All changes go through a few primitive steps that record their inverse in the journal; `Graph.rollback`
replays it backwards. Names are unique; what is still read cannot be erased.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, TypeVar, overload

from pbslim.dtypes import DType, Shape
from pbslim.errors import GraphError
from pbslim.ir.attributes import COLOCATION, Attributes, AttrValue, Encoded, colocated_with
from pbslim.ir.functions import Library
from pbslim.ir.inputs import check_name, controlling, is_control, split_input
from pbslim.ir.tensors import Tensor
from pbslim.ops.attributes import read

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
        self._uses: dict[Use, None] = {}

    @property
    def uses(self) -> list[Use]:
        """Where this value is read, in the order in which the edges were made."""
        return list(self._uses)

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
        self._outputs: dict[int, Value] = {}
        self._readers: dict[Node, None] = {}

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
        return list(self._readers)

    @property
    def outputs(self) -> list[Value]:
        """The ports that somebody has asked for, by number."""
        return [self._outputs[port] for port in sorted(self._outputs)]

    def output(self, port: int = 0) -> Value:
        """The value at `port`."""
        if port not in self._outputs:
            self._outputs[port] = Value(self, port)
        return self._outputs[port]

    @property
    def readers(self) -> list[Node]:
        """Every node that reads this one by data or control edge, each once."""
        return list(dict.fromkeys([*self.data_readers, *self._readers]))

    @property
    def data_readers(self) -> list[Node]:
        """Every node that reads an output of this one, each once."""
        return list(dict.fromkeys(use.node for value in self._outputs.values() for use in value._uses))

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
        """Turn into another node under the same name; whoever reads this one reads the new one."""
        self.set_op(op)
        self.set_inputs(inputs)
        self.set_controls(controls)
        self.set_device(device)
        new = attrs.copy() if isinstance(attrs, Attributes) else Attributes(dict(attrs or {}))
        self._graph._do_field(self, "_attrs", new)

    def replace_control_uses_with(self, new: Sequence[Node]) -> None:
        """Let every node that waits for this one wait for `new` instead."""
        for reader in self.control_readers:
            kept: list[Node] = []
            for control in reader.controls:
                kept.extend(new if control is self else [control])
            reader.set_controls(kept)

    def __repr__(self) -> str:
        return f"<{self._name} = {self._op}>"


@dataclass(frozen=True)
class Change:
    """One entry of the journal: which nodes, what happened to them, and how to take it back."""

    nodes: tuple[str, ...]
    what: str
    undo: Callable[[], None]


class Draft(NamedTuple):
    """A node as a file lists it; `inputs` are written as there, control inputs with their ``^``."""

    name: str
    op: str
    device: str
    inputs: tuple[str, ...]
    attrs: Attributes
    origin: object


class Graph:
    """A GraphDef in memory: nodes in file order, the function library, and what else the file held.

    Attributes:
        library: the functions.
        scope: what comes before the names of nodes in the journal: the function whose body this is, and ``/``.
        producer: the version number of the writer, 0 when the file does not say.
        origin: what the reader of the file left here to write the rest back.
    """

    def __init__(self) -> None:
        self._nodes: dict[str, Node] = {}
        self._missing: dict[str, Node] = {}
        self.library = Library()
        self.producer = 0
        self.origin: object = None
        self.scope = ""
        self.journal: list[Change] = []
        self._edited = False

    # Looking

    def __iter__(self) -> Iterator[Node]:
        return iter(list(self._nodes.values()))

    def __len__(self) -> int:
        return len(self._nodes)

    def __contains__(self, name: str) -> bool:
        return name in self._nodes

    def __getitem__(self, name: str) -> Node:
        try:
            return self._nodes[name]
        except KeyError:
            raise GraphError(f"the graph has no node '{name}'") from None

    def __repr__(self) -> str:
        return f"<Graph of {len(self)} nodes>"

    def __str__(self) -> str:
        from pbslim.ir.text import graph_text  # for people, whom the rest of this does not need

        return graph_text(self)

    def get(self, name: str) -> Node | None:
        """The node called `name`, if there is one."""
        return self._nodes.get(name)

    @property
    def edited(self) -> bool:
        """Whether the graph is no longer what its `origin` says."""
        return self._edited or bool(self.journal)

    def missing(self) -> list[Node]:
        """Stand-ins for nodes that are read but do not exist."""
        return [node for node in self._missing.values() if node.readers]

    def unique_name(self, wanted: str) -> str:
        """`wanted`, or with the first number behind it that makes it new."""
        if wanted not in self._nodes:
            return wanted
        number = 1
        while f"{wanted}_{number}" in self._nodes:
            number += 1
        return f"{wanted}_{number}"

    # Changing

    def add(
        self,
        name: str,
        op: str,
        inputs: Iterable[Value] = (),
        attrs: Mapping[str, AttrValue] | Attributes | None = None,
        *,
        controls: Iterable[Node] = (),
        device: str = "",
        origin: object = None,
    ) -> Node:
        """Append a node.

        Raises:
            GraphError: the name is taken, or means something else where inputs are written.
        """
        if name in self._nodes:
            raise GraphError(f"the graph has two nodes named '{name}'")
        check_name(name)
        held = attrs if isinstance(attrs, Attributes) else Attributes(dict(attrs or {}))
        node = Node(self, name, op, device, held, origin)
        self._do_insert(node)
        node.set_inputs(inputs)
        node.set_controls(controls)
        return node

    def fill(self, drafts: Sequence[Draft]) -> None:
        """Append all nodes of a file at once, without a journal; what their inputs name may be missing.

        Raises:
            GraphError: a name is taken or cannot be one, or an input is not written as one.
        """
        nodes = self._nodes
        for name, op, device, _, attrs, origin in drafts:
            if name in nodes:
                raise GraphError(f"the graph has two nodes named '{name}'")
            check_name(name)
            nodes[name] = Node(self, name, op, device, attrs, origin)
        for draft in drafts:
            node = nodes[draft.name]
            controls: dict[Node, None] = {}
            values = []
            for text in draft.inputs:
                producer, port = nodes.get(text), 0
                if producer is None:
                    if is_control(text):
                        controls[self._named(controlling(text))] = None
                        continue
                    name, port = split_input(text)
                    producer = self._named(name)
                values.append(producer.output(port))
            if values:
                _link_inputs(node, tuple(values))
            if controls:
                _link_controls(node, tuple(controls))

    def _named(self, name: str) -> Node:
        return self._nodes.get(name) or self.stand_in(name)

    def stand_in(self, name: str) -> Node:
        """What an input refers to when no node has that name; the graph is broken while one is read."""
        if name not in self._missing:
            self._missing[name] = Node(self, name, "", "", Attributes(), None)
        return self._missing[name]

    def erase(self, nodes: Iterable[Node]) -> None:
        """Remove nodes that nothing outside of `nodes` reads.

        Raises:
            GraphError: something still does.
        """
        doomed = dict.fromkeys(nodes)
        for node in doomed:
            for reader in node.readers:
                if reader not in doomed:
                    raise GraphError(f"'{node.name}' cannot go: '{reader.name}' reads it")
        if not doomed:
            return
        for node in doomed:
            node.set_inputs(())
            node.set_controls(())
        kept = {name: node for name, node in self._nodes.items() if node not in doomed}
        self._do_nodes(kept, [node.name for node in doomed], "removed")

    def reorder(self, nodes: Sequence[Node]) -> None:
        """Put the nodes in this order, in which each must occur once."""
        new = {node.name: node for node in nodes}
        if len(nodes) != len(new) or new.keys() != self._nodes.keys():
            raise GraphError("a new order must name every node once")
        if list(new) != list(self._nodes):
            self._do_nodes(new, [], "moved")

    def copy(self) -> Graph:
        """A graph that can change on its own, with an empty journal; tensors and encoded attributes are shared."""
        twin = self.copy_nodes()
        twin.library = Library(origin=self.library.origin, pinned=self.library.pinned)
        twin.library.functions = {name: function.copy(twin) for name, function in self.library.functions.items()}
        return twin

    def copy_nodes(self) -> Graph:
        """A copy without the function library."""
        twin = Graph()
        twin.producer, twin.origin = self.producer, self.origin
        for name, node in self._nodes.items():
            copied = twin._nodes[name] = Node(twin, name, node.op, node.device, node.attrs, node.origin)
            copied._touched = node._touched
        for name, node in self._nodes.items():
            copied = twin._nodes[name]
            _link_inputs(copied, tuple(twin._named(value.node.name).output(value.port) for value in node.inputs))
            _link_controls(copied, tuple(twin._named(control.name) for control in node.controls))
        twin._edited = self.edited
        return twin

    def drop_functions(self, names: Iterable[str]) -> None:
        """Remove functions from the library."""
        doomed = frozenset(names)
        old = self.library.functions
        if doomed & old.keys():
            self.library.functions = {name: f for name, f in old.items() if name not in doomed}
            undo = lambda: setattr(self.library, "functions", old)  # noqa: E731 - the inverse, as everywhere here
            self.journal.append(Change(tuple(doomed & old.keys()), "removed", undo))

    def rename(self, names: Mapping[Node, str]) -> None:
        """Give nodes other names, all at once, so that two can swap theirs; places in the file stay.

        Readers follow by themselves, and so do the wishes in ``_class`` to stand beside a renamed node.

        Raises:
            GraphError: a new name is taken.
        """
        new = {node: name for node, name in names.items() if name != node.name}
        if not new:
            return
        renamed: dict[str, Node] = {}
        for node in self:
            name = new.get(node, node.name)
            if name in renamed:
                raise GraphError(f"'{name}' cannot be the name of both '{renamed[name].name}' and '{node.name}'")
            renamed[name] = node
        by_old_name = {node.name: name for node, name in new.items()}
        self._do_names(renamed, list(new))
        self.map_colocations(lambda name: by_old_name.get(name, name))

    def map_colocations(self, new_name: Callable[[str], str | None]) -> None:
        """Let each wish in ``_class`` to stand beside a node name another one; where that is None, drop the wish."""
        for node in self:
            if "_class" not in node.attrs.stored():
                continue
            wishes = node.attrs["_class"]
            if not isinstance(wishes, tuple):
                continue
            kept = []
            for wish in wishes:
                name = colocated_with(wish)
                other = name if name is None else new_name(name)
                if other == name:
                    kept.append(wish)
                elif other is not None:
                    kept.append(COLOCATION + other.encode())
            if not kept:
                node.remove_attr("_class")
            elif tuple(kept) != wishes:
                node.set_attr("_class", tuple(kept))

    def set_producer(self, version: int) -> None:
        """Claim another version number of the writer: TensorFlow goes by it to refuse ops that it gave up later."""
        old, self.producer = self.producer, version

        def undo() -> None:
            self.producer = old

        if version != old:
            self.journal.append(Change((), "producer", undo))

    # The journal

    def rollback(self, mark: int = 0) -> None:
        """Take back every change since the journal had `mark` entries."""
        while len(self.journal) > mark:
            self.journal.pop().undo()

    def changed_since(self, mark: int) -> dict[str, set[str]]:
        """Names of the nodes touched since the journal had `mark` entries, and what happened to each."""
        found: dict[str, set[str]] = {}
        for change in self.journal[mark:]:
            for name in change.nodes:
                found.setdefault(name, set()).add(change.what)
        return found

    def record(self, node: str, what: str, undo: Callable[[], None]) -> None:
        """Enter a change in the journal: the node, what happened to it, and how to take it back."""
        self.journal.append(Change((self.scope + node,), what, undo))

    # Primitive steps: each does one thing and knows its inverse.

    def _do_inputs(self, node: Node, new: tuple[Value, ...]) -> None:
        old = node.inputs
        if new == old:
            return
        _link_inputs(node, new)
        self._touch(node, "inputs", lambda: _link_inputs(node, old))

    def _do_controls(self, node: Node, new: tuple[Node, ...]) -> None:
        old = node.controls
        if new == old:
            return
        _link_controls(node, new)
        self._touch(node, "controls", lambda: _link_controls(node, old))

    def _do_field(self, node: Node, key: str, new: Any) -> None:
        old = getattr(node, key)
        setattr(node, key, new)
        self._touch(node, key.strip("_"), lambda: setattr(node, key, old))

    def _touch(self, node: Node, what: str, undo: Callable[[], None]) -> None:
        was = node._touched
        node._touched = True

        def restore() -> None:
            undo()
            node._touched = was

        self.record(node.name, what, restore)

    def _do_insert(self, node: Node) -> None:
        self._nodes[node.name] = node
        self.record(node.name, "added", lambda: self._forget(node))

    def _forget(self, node: Node) -> None:
        del self._nodes[node.name]

    def _do_nodes(self, new: dict[str, Node], names: list[str], what: str) -> None:
        old = self._nodes
        self._nodes = new
        scoped = tuple(self.scope + name for name in names)
        self.journal.append(Change(scoped, what, lambda: setattr(self, "_nodes", old)))

    def _do_names(self, new: dict[str, Node], nodes: list[Node]) -> None:
        old, old_names = self._nodes, [node.name for node in nodes]
        names = {node: name for name, node in new.items()}
        touched = {other for node in nodes for other in (node, *node.readers) if not other._touched}

        def undo() -> None:
            self._nodes = old
            for node, name in zip(nodes, old_names, strict=True):
                node._name = name
            for node in touched:
                node._touched = False

        self._nodes = new
        for node in nodes:
            node._name = names[node]
        for node in touched:
            node._touched = True
        self.journal.append(Change(tuple(self.scope + names[node] for node in nodes), "renamed", undo))


def _link_inputs(node: Node, new: tuple[Value, ...]) -> None:
    for index, value in enumerate(node.inputs):
        value._uses.pop(Use(node, index), None)
    node._inputs = new
    for index, value in enumerate(new):
        value._uses[Use(node, index)] = None


def _link_controls(node: Node, new: tuple[Node, ...]) -> None:
    for control in node.controls:
        control._readers.pop(node, None)
    node._controls = new
    for control in new:
        control._readers[node] = None
