"""The graph: nodes hold values, not strings, and every change can be taken back.

All changes go through a few primitive steps that record their inverse in the journal; `Graph.rollback`
replays it backwards. Names are unique; what is still read cannot be erased.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, TypeVar

from pbslim.errors import GraphError, counted
from pbslim.ir.attributes import COLOCATION, Attributes, AttrValue, colocated_with
from pbslim.ir.functions import Library
from pbslim.ir.inputs import check_name, controlling, is_control, split_input
from pbslim.ir.nodes import Node, Value, exchange_controls, link_controls, link_inputs
from pbslim.ir.signature import Signature

T = TypeVar("T")


@dataclass(frozen=True)
class Edit:
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
        signature: what the model that was frozen calls inputs and outputs, None for a graph that was read as it is.
        origin: what the reader of the file left here to write the rest back.
    """

    def __init__(self) -> None:
        self._nodes: dict[str, Node] = {}
        self._missing: dict[str, Node] = {}
        self.library = Library()
        self.producer = 0
        self.signature: Signature | None = None
        self.origin: object = None
        self.scope = ""
        self.journal: list[Edit] = []
        self._edited = False
        self._facts: dict[object, Any] = {}
        self._facts_hold_after: Edit | None = None

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
        return f"<Graph of {counted(len(self), 'node')}>"

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

    def known(self, find: Callable[..., T], *args: object, **kwargs: object) -> T:
        """What `find` says of this graph, asked once for as long as nothing changes; see `pbslim.ir.facts`."""
        last = self.journal[-1] if self.journal else None
        if last is not self._facts_hold_after:
            self._facts, self._facts_hold_after = {}, last
        question = find, args, tuple(kwargs.items())
        if question not in self._facts:
            self._facts[question] = find(self, *args, **kwargs)
        found: T = self._facts[question]
        return found

    def missing(self) -> list[Node]:
        """What is read in place of nodes that do not exist."""
        return [node for node in self._missing.values() if node.readers]

    def unique_name(self, wanted: str) -> str:
        """`wanted`, with the first number appended that makes it new, if it is taken."""
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
        self._facts.clear()
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
                producer = nodes.get(text)
                if producer is not None:
                    values.append(producer.output())
                elif is_control(text):
                    controls[self._named(controlling(text))] = None
                else:
                    name, port = split_input(text)
                    values.append(self._named(name).output(port))
            if values:
                link_inputs(node, tuple(values))
            if controls:
                link_controls(node, tuple(controls))

    def _named(self, name: str) -> Node:
        return self._nodes.get(name) or self.missing_node(name)

    def missing_node(self, name: str) -> Node:
        """What an input refers to when no node has that name; the graph is broken while one is read."""
        if name not in self._missing:
            self._missing[name] = Node(self, name, "", "", Attributes(), None)
        return self._missing[name]

    def erase(self, nodes: Iterable[Node]) -> None:
        """Remove nodes that nothing outside of `nodes` reads.

        Raises:
            GraphError: something still does.
        """
        removed = dict.fromkeys(nodes)
        for node in removed:
            for reader in node.readers:
                if reader not in removed:
                    raise GraphError(f"cannot remove '{node.name}': '{reader.name}' still uses it")
        if not removed:
            return
        for node in removed:
            node.set_inputs(())
            node.set_controls(())
        kept = {name: node for name, node in self._nodes.items() if node not in removed}
        self._do_nodes(kept, [node.name for node in removed], "removed")

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
        twin.producer, twin.signature, twin.origin = self.producer, self.signature, self.origin
        for name, node in self._nodes.items():
            copied = twin._nodes[name] = Node(twin, name, node.op, node.device, node.attrs, node.origin)
            copied._touched = node._touched
        for name, node in self._nodes.items():
            copied = twin._nodes[name]
            link_inputs(copied, tuple(twin._named(value.node.name).output(value.port) for value in node.inputs))
            link_controls(copied, tuple(twin._named(control.name) for control in node.controls))
        twin._edited = self.edited
        return twin

    def drop_functions(self, names: Iterable[str]) -> None:
        """Remove functions from the library."""
        removed = frozenset(names)
        old = self.library.functions
        if removed & old.keys():
            self.library.functions = {name: f for name, f in old.items() if name not in removed}
            undo = lambda: setattr(self.library, "functions", old)  # noqa: E731 - the inverse, as everywhere here
            self.journal.append(Edit(tuple(removed & old.keys()), "removed", undo))

    def rename(self, names: Mapping[Node, str]) -> None:
        """Give nodes other names, all at once, so that two can swap theirs; places in the file stay.

        Readers follow by themselves, and so do colocations with a renamed node in ``_class``.

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
        """Give the node of each colocation in ``_class`` another name; where that is None, drop the colocation."""
        for node in self:
            entries = node.attr("_class", tuple, ())
            kept = []
            for entry in entries:
                name = colocated_with(entry)
                other = name if name is None else new_name(name)
                if other == name:
                    kept.append(entry)
                elif other is not None:
                    kept.append(COLOCATION + other.encode())
            if entries and not kept:
                node.remove_attr("_class")
            elif tuple(kept) != entries:
                node.set_attr("_class", tuple(kept))

    def set_producer(self, version: int) -> None:
        """Claim another version number of the writer: TensorFlow goes by it to refuse ops that it gave up later."""
        old, self.producer = self.producer, version

        def undo() -> None:
            self.producer = old

        if version != old:
            self.journal.append(Edit((), "producer", undo))

    # The journal

    def forget_changes(self) -> None:
        """Take the graph as it is now for what was read."""
        self.journal.clear()
        self._facts.clear()

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
        self.journal.append(Edit((self.scope + node,), what, undo))

    # Primitive steps: each does one thing and knows its inverse.

    def _do_inputs(self, node: Node, new: tuple[Value, ...]) -> None:
        old = node.inputs
        if new == old:
            return
        link_inputs(node, new)
        self._touch(node, "inputs", lambda: link_inputs(node, old))

    def _do_controls(self, node: Node, new: tuple[Node, ...]) -> None:
        old = node.controls
        if new == old:
            return
        link_controls(node, new)
        self._touch(node, "controls", lambda: link_controls(node, old))

    def _do_control(self, node: Node, at: int, new: tuple[Node, ...]) -> None:
        old = node.controls[at : at + 1]
        if len(set(new)) < len(new) or any(node in (control._readers or ()) for control in new):
            self._do_controls(node, tuple(dict.fromkeys((*node.controls[:at], *new, *node.controls[at + 1 :]))))
            return
        exchange_controls(node, at, old, new)
        self._touch(node, "controls", lambda: exchange_controls(node, at, new, old))

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
        self.journal.append(Edit(scoped, what, lambda: setattr(self, "_nodes", old)))

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
        self.journal.append(Edit(tuple(self.scope + names[node] for node in nodes), "renamed", undo))
