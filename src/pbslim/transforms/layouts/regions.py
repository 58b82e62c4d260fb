"""Regions of a graph in which the order of axes may be chosen, and what is read from them."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, field

from pbslim.analysis.frames import has_frames, in_loops
from pbslim.analysis.static_shapes import static_shapes
from pbslim.ir import Graph, Node, Value
from pbslim.ir.facts import with_ops
from pbslim.ir.nodes import Use
from pbslim.ir.order import execution_order
from pbslim.passes.registry import Context
from pbslim.transforms.layouts.orders import Order, moves, named
from pbslim.transforms.layouts.views import VIEWS, Mover, mover, operands, view


@dataclass
class Region:
    """Nodes that change orders of axes, and nodes that work in any order between and around them.

    Attributes:
        views: the nodes of the first kind in file order, and which value each shows in which order.
        movers: the result of each node of the second kind, after those that it reads.
        sources: values from outside, and their orders.
        inputs: what each mover reads, slot by slot: sources and results of movers.
        uses: what is read from outside: where, which source or result, in which order.
        sizes: how many elements each source and result has; an unknown length counts as one.
        moved: how many elements the views move; those that show the same count once, for they can be merged.
    """

    views: dict[Node, tuple[Value, Order]] = field(default_factory=dict)
    movers: dict[Value, Mover] = field(default_factory=dict)
    sources: dict[Value, Order] = field(default_factory=dict)
    inputs: dict[Value, list[Value]] = field(default_factory=dict)
    uses: list[tuple[Use, Value, Order]] = field(default_factory=list)
    sizes: dict[Value, int] = field(default_factory=dict)
    moved: int = 0


def regions(graph: Graph, context: Context) -> Iterator[Region]:
    """The regions of `graph` with nodes that change orders; `context` learns which of these have to stay, and why."""
    survey = _Survey(graph, context)
    for node in execution_order(graph):
        survey.look_at(node)
    yield from survey.regions()


class _Classes:
    """Numbers that turn out to mean the same."""

    def __init__(self) -> None:
        self._parents: list[int] = []

    def new(self) -> int:
        self._parents.append(len(self._parents))
        return len(self._parents) - 1

    def of(self, number: int) -> int:
        """The one that stands for all of its class."""
        while self._parents[number] != number:
            self._parents[number] = number = self._parents[self._parents[number]]
        return number

    def unite(self, one: int, other: int) -> None:
        self._parents[self.of(other)] = self.of(one)


class _Survey:
    """What is known of values so far, producers before readers."""

    def __init__(self, graph: Graph, context: Context) -> None:
        self.graph, self.context, self.shapes = graph, context, static_shapes(graph)
        self.inside = in_loops(graph) if has_frames(graph) else set()
        self.axes, self.groups = _Classes(), _Classes()
        self.orders: dict[Value, Order] = {}
        self.roots: dict[Value, Value] = {}  # what a value shows in perhaps another order
        self.group: dict[Value, int] = {}  # of each root
        self.views: dict[Node, Order] = {}  # the order of what it reads
        self.movers: dict[Value, Mover] = {}

    def look_at(self, node: Node) -> None:
        """Take `node` in if it can be part of a region."""
        if node.op in VIEWS and node.inputs:
            self._look_at_view(node)
            return
        slots = operands(node, lambda value: self.shapes.of(value).rank)
        if not slots or node in self.inside or node.name in self.context.protected or "T" not in node.attrs:
            return
        read = [node.inputs[slot] for slot in slots if slot < len(node.inputs)]
        orders = [self._order(value) for value in read]
        known = [order for order in orders if order is not None]
        if not known or len(known) < len(slots) or not self._unite(known):
            return
        found = mover(node, slots, [self._named(order) for order in known], self.axes.new)
        if found is None:
            return
        value = node.output()
        self._begin(value, found.order)
        self.movers[value] = found
        for each in read:
            self.groups.unite(self.group[self.roots[each]], self.group[value])

    def _look_at_view(self, node: Node) -> None:
        source = node.inputs[0]
        order, reason = self._order(source), self._reason(node)
        found = None
        if order is None:
            reason = reason or "how many axes it has is not known"
        else:
            found = view(node, self._named(order), self.shapes.of(source), self.shapes.of(node.output()))
        if order is not None and found is not None and not reason and "T" in node.attrs:
            self.views[node] = order
            self.orders[node.output()], self.roots[node.output()] = found, self.roots[source]
        elif node.op == "Transpose":
            self.context.skip(node.name, reason or "its order is not constant")

    def _reason(self, node: Node) -> str:
        """Why a node must stay, whatever it does."""
        if node.name in self.context.protected:
            return "it is an input or output of the graph"
        if node in self.inside:
            return "it is in a loop"
        if node.controls:
            return f"it waits for '{node.controls[0].name}'"
        return f"'{node.control_readers[0].name}' waits for it" if node.control_readers else ""

    def _order(self, value: Value) -> Order | None:
        """The order of a value, which is a source when it is not known yet; None when its rank is unknown."""
        if value not in self.orders:
            dims = self.shapes.of(value).dims
            if dims is None:
                return None
            self._begin(value, tuple(None if dim == 1 else self.axes.new() for dim in dims))
        return self.orders[value]

    def _begin(self, value: Value, order: Order) -> None:
        self.orders[value], self.roots[value] = order, value
        self.group[value] = self.groups.new()

    def _unite(self, orders: list[Order]) -> bool:
        """Give axes at one place one number, if that tells apart all axes of one tensor still."""
        for order in orders[1:]:
            first, other = self._named(orders[0]), self._named(order)
            if [axis is None for axis in first] != [axis is None for axis in other]:
                return False
            pairs = [pair for pair in zip(named(first), named(other), strict=True) if pair[0] != pair[1]]
            if any(there in first or here in other for here, there in pairs):
                return False
            for here, there in pairs:
                self.axes.unite(here, there)
        return True

    def _named(self, order: Order) -> Order:
        return tuple(None if axis is None else self.axes.of(axis) for axis in order)

    def regions(self) -> Iterator[Region]:
        """What was found, apart from what has nothing to gain."""
        found: dict[int, Region] = {}
        seen: set[tuple[Value, Order]] = set()
        for node in with_ops(self.graph, VIEWS):
            if node not in self.views:
                continue
            root, after = self.roots[node.output()], self._named(self.orders[node.output()])
            region = found.setdefault(self.groups.of(self.group[root]), Region())
            if (root, after) not in seen and moves(self._named(self.views[node]), after):
                region.moved += self._size(root)
            region.views[node] = root, after
            seen.add((root, after))
            self._add_uses(region, node.output())
        for root, group in self.group.items():
            if self.groups.of(group) in found:
                self._add(found[self.groups.of(group)], root)
        for region in found.values():
            orders = [order for _, order in region.views.values()]
            orders += [*region.sources.values(), *(each.order for each in region.movers.values())]
            if all(len(set(named(order))) == len(named(order)) for order in orders):
                yield region

    def _add(self, region: Region, root: Value) -> None:
        region.sizes[root] = self._size(root)
        if root not in self.movers:
            region.sources[root] = self._named(self.orders[root])
            return
        region.movers[root] = here = self.movers[root].named(self.axes.of)
        region.inputs[root] = [self.roots[here.node.inputs[slot]] for slot in here.slots]
        self._add_uses(region, root)

    def _add_uses(self, region: Region, value: Value) -> None:
        for use in value.uses:
            reader = self.movers.get(use.node.output())
            if (use.node in self.views and use.slot == 0) or (reader and use.slot in reader.slots):
                continue
            region.uses.append((use, self.roots[value], self._named(self.orders[value])))

    def _size(self, root: Value) -> int:
        return math.prod(dim for dim in self.shapes.of(root).dims or () if dim > 0)
