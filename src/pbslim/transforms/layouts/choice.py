"""In which order of axes each node of a region works best."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

from pbslim.ir import Value
from pbslim.transforms.layouts.orders import Order, moves, way
from pbslim.transforms.layouts.regions import Region

_MOST_WALKS = 8

Orders = dict[Value, Order]
"""Source or result of a mover → its order."""


class Cost(NamedTuple):
    """Nodes that change orders, and the elements that they move."""

    nodes: int
    moved: int

    def __add__(self, other: object) -> Cost:
        assert isinstance(other, Cost)  # noqa: S101
        return Cost(self.nodes + other.nodes, self.moved + other.moved)


def choose(region: Region) -> Orders | None:
    """Orders with which fewer nodes change orders than now and no more elements are moved; None if there are none."""
    chooser = _Chooser(region)
    tried = [chooser.improve(orders) for orders in (chooser.current(), chooser.early(), chooser.late())]
    costs = [chooser.total(orders) for orders in tried]
    now = len(set(region.views.values()))  # those that show the same can be merged
    better = [k for k, cost in enumerate(costs) if cost.nodes < now and cost.moved <= region.moved]
    return tried[min(better, key=costs.__getitem__)] if better else None


def steps(region: Region, orders: Orders) -> dict[tuple[Value, Order], Order]:
    """What is to be made of sources and results that are read in other orders than they have.

    Returns:
        Value and order → the order, made before it or the value's own, from which one node leads to it.
    """
    wanted: dict[Value, list[Order]] = {}
    for _, root, order in region.uses:
        wanted.setdefault(root, []).append(order)
    for result, here in region.movers.items():
        for root in region.inputs[result]:
            wanted.setdefault(root, []).append(here.operand(orders[result]))
    return {
        (root, order): before for root in orders for order, before in _ways(orders[root], wanted.get(root, ())).items()
    }


def _ways(start: Order, ends: Iterable[Order]) -> dict[Order, Order]:
    """Each order on the ways → the one before it."""
    found: dict[Order, Order] = {}
    for end in dict.fromkeys(ends):
        before = start
        for order in way(start, end):
            found.setdefault(order, before)
            before = order
    return found


class _Chooser:
    def __init__(self, region: Region) -> None:
        self.region = region
        self.readers: dict[Value, dict[Value, None]] = {}
        for result, inputs in region.inputs.items():
            for root in inputs:
                self.readers.setdefault(root, {})[result] = None
        self.outside: dict[Value, dict[Order, None]] = {}
        for _, root, order in region.uses:
            self.outside.setdefault(root, {})[order] = None

    def current(self) -> Orders:
        """The orders that there are."""
        return self.region.sources | {result: here.order for result, here in self.region.movers.items()}

    def early(self) -> Orders:
        """Each mover works in the order of its first input, so that changes come late."""
        orders = self.current()
        for result in self.region.movers:
            self._set(orders, result, next(self._as_inputs(orders, result)))
        return orders

    def late(self) -> Orders:
        """Each mover works in the order in which it is read first, so that changes come early."""
        orders = self.current()
        for result in reversed(self.region.movers):
            self._set(orders, result, next(self._as_read(orders, result), orders[result]))
        return orders

    def improve(self, orders: Orders) -> Orders:
        """Change the order of one mover after the other while that helps."""
        for walk in range(_MOST_WALKS):
            movers = list(self.region.movers)
            changed = [self._improve(orders, result) for result in (movers[::-1] if walk % 2 else movers)]
            if not any(changed):
                break
        return orders

    def total(self, orders: Mapping[Value, Order]) -> Cost:
        """What all changes cost."""
        return sum((self._cost(orders, root) for root in orders), Cost(0, 0))

    def _improve(self, orders: Orders, result: Value) -> bool:
        old = orders[result]
        around = dict.fromkeys([result, *self.region.inputs[result]])
        best, least = old, sum((self._cost(orders, root) for root in around), Cost(0, 0))
        for order in dict.fromkeys([*self._as_inputs(orders, result), *self._as_read(orders, result)]):
            self._set(orders, result, order)
            cost = sum((self._cost(orders, root) for root in around), Cost(0, 0))
            if cost < least:
                best, least = order, cost
        orders[result] = best
        return best != old

    def _set(self, orders: Orders, result: Value, order: Order) -> None:
        here = self.region.movers[result]
        if len(order) <= here.most and len(here.operand(order)) <= here.most:
            orders[result] = order

    def _as_inputs(self, orders: Mapping[Value, Order], result: Value) -> Iterator[Order]:
        for root in self.region.inputs[result]:
            yield self.region.movers[result].result(orders[root])

    def _as_read(self, orders: Mapping[Value, Order], result: Value) -> Iterator[Order]:
        yield from self.outside.get(result, ())
        for reader in self.readers.get(result, ()):
            yield self.region.movers[reader].operand(orders[reader])

    def _cost(self, orders: Mapping[Value, Order], root: Value) -> Cost:
        """What it costs to read `root` as it is read."""
        made = _ways(orders[root], [*self.outside.get(root, ()), *self._as_movers_read(orders, root)])
        moved = sum(moves(before, order) for order, before in made.items())
        return Cost(len(made), moved * self.region.sizes[root])

    def _as_movers_read(self, orders: Mapping[Value, Order], root: Value) -> Iterator[Order]:
        for reader in self.readers.get(root, ()):
            yield self.region.movers[reader].operand(orders[reader])
