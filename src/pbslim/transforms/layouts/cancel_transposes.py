"""Take out changes of the order of axes that undo one another.

Before::  x ─► Squeeze ─► Transpose ─► Pad ─► Transpose ─► ExpandDims ─► Conv2D ─► y
After::   x ─► Pad ─► Conv2D ─► y
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from pbslim.analysis.constants import constant, integers
from pbslim.dtypes import INT32, INT64, DType
from pbslim.ir import ArrayTensor, Attributes, Graph, Node, Tensor, Value
from pbslim.ir.facts import has_ops, with_ops
from pbslim.ir.tensors import Array
from pbslim.passes.registry import Context, transform
from pbslim.rewrite.replacing import erase_unread, put_before
from pbslim.transforms.layouts.choice import Orders, choose, steps
from pbslim.transforms.layouts.orders import Order, inserted, permutation, removed
from pbslim.transforms.layouts.regions import Region, regions
from pbslim.transforms.layouts.views import PADS, VIEWS, Mover

_MOST_NUMBERS = 64
_PURPOSES = ("axis", "perm", "paddings")  # of a constant, by the number of its axes


@transform(effect="exact", in_functions=True)
def cancel_transposes(graph: Graph, context: Context) -> None:
    """Let ops work in the order of axes in which they get their inputs, or are read, where fewer nodes are left then.

    Transpose, ExpandDims, Squeeze, and what amounts to one of them (a Reshape that only adds or removes axes of one
    element, a StridedSlice that only adds some), are composed with one another, and moved across ops that work in any
    order: Pad, PadV2 and MirrorPad with constant paddings, Pack, ConcatV2, and elementwise ops that round nothing or as
    IEEE 754 says, like Relu, Neg and Add. Those get other paddings or another axis.

    The number of nodes becomes less, and no more elements are moved than before. Inputs and outputs of the graph and
    nodes that others wait for stay. Ranks and lengths of one must be known. Nothing changes in loops of the Enter and
    Exit kind.
    """
    if not has_ops(graph, VIEWS):
        return
    changer, mark, changed = _Changer(graph, context), len(context.skipped), True
    while changed:
        del context.skipped[mark:]
        found = [(region, choose(region)) for region in regions(graph, context)]
        changed = sum(changer.change(region, orders) for region, orders in found if orders is not None) > 0
    changer.place_constants()


class _Changer:
    def __init__(self, graph: Graph, context: Context) -> None:
        self.graph, self.context = graph, context
        self.places: dict[Node, list[Node]] = {}  # the new constants that go before each node
        self.constants: dict[object, Node] = {}
        for node in with_ops(graph, {"Const"}):
            tensor = None if node.controls or node.name in context.input_nodes else constant(node.output())
            if tensor and tensor.dtype in (INT32, INT64) and tensor.size <= _MOST_NUMBERS:
                self.constants.setdefault(_content(tensor), node)

    def change(self, region: Region, orders: Orders) -> bool:
        """Let the movers of a region work in these orders; whether that left fewer nodes, and so was not taken back."""
        mark, before = len(self.graph.journal), len(self.graph)
        nodes = [*region.views, *(mover.node for mover in region.movers.values())]
        if not all(map(self._is_there, [*nodes, *(use.node for use, _, _ in region.uses)])):
            return False  # they computed a shape that was asked for in a region that has been changed
        read = [value.node for node in nodes for value in node.inputs[1:]]
        self._change(region, orders)
        erase_unread(self.graph, [*region.views, *read], self.context.protected)
        if len(self.graph) < before:
            return True
        self.graph.rollback(mark)
        self.context.skip(next(iter(region.views)).name, "as many new constants would be needed as nodes would go")
        return False

    def _change(self, region: Region, orders: Orders) -> None:
        made = steps(region, orders)
        nodes = _nodes(region, list(made))

        def show(root: Value, order: Order) -> Value:
            return root if order == orders[root] else nodes[root, order].output()

        for (root, order), before in made.items():
            self._become(nodes[root, order], show(root, before), before, order)
        for result, mover in region.movers.items():
            order = orders[result]
            for slot, root in zip(mover.slots, region.inputs[result], strict=True):
                mover.node.set_input(slot, show(root, mover.operand(order)))
            if order != mover.order:
                self._work_in(mover, order)
        for use, root, order in region.uses:
            use.node.set_input(use.slot, show(root, order))

    def _become(self, node: Node, source: Value, before: Order, after: Order) -> None:
        """Let `node` give `source`, which is in the order `before`, in the order `after`."""
        op = "Transpose" if len(before) == len(after) else "Squeeze" if len(before) > len(after) else "ExpandDims"
        attrs = Attributes({"T": node.attrs["T"]})
        if op == "Squeeze":
            attrs = attrs.with_("squeeze_dims", tuple(removed(before, after)))
            node.become(op, [source], attrs, device=node.device)
            return
        numbers = permutation(before, after) if op == "Transpose" else inserted(before, after)
        if node.op == op and integers(node.inputs[1]) == np.ravel(numbers).tolist():
            node.set_input(0, source)
            node.remove_attr("_output_shapes")
            return
        attrs = attrs.with_("Tperm" if op == "Transpose" else "Tdim", INT32)
        node.become(op, [source, self._constant(node, numbers, INT32)], attrs, device=node.device)

    def _work_in(self, mover: Mover, order: Order) -> None:
        """Let a mover give its result in another order; the inputs are in theirs already."""
        node = mover.node
        node.remove_attr("_output_shapes")
        if node.op in PADS:
            pairs = [mover.paddings.get(-1 if axis is None else axis, (0, 0)) for axis in order]
            self._set_numbers(node, 1, np.reshape(np.array(pairs, int), (-1, 2)))  # [0, 2] for a scalar
        elif mover.packed is not None:
            node.set_attr("axis", order.index(mover.packed))
        elif mover.joined is not None:
            self._set_numbers(node, len(node.inputs) - 1, order.index(mover.joined))

    def _set_numbers(self, node: Node, slot: int, numbers: int | Array) -> None:
        held = constant(node.inputs[slot])
        node.set_input(slot, self._constant(node, numbers, held.dtype if held else INT32))

    def _constant(self, reader: Node, numbers: int | Sequence[int] | Array, dtype: DType) -> Value:
        """A constant that holds `numbers`: one that is there, or a new one that goes before `reader`."""
        tensor = ArrayTensor(np.array(numbers, dtype.numpy), dtype)
        node = self.constants.get(_content(tensor))
        if node is None or not self._is_there(node):
            name = self.graph.unique_name(f"{reader.name}/{_PURPOSES[len(tensor.shape)]}")
            node = self.graph.add(name, "Const", attrs={"dtype": dtype, "value": tensor})
            self.constants[_content(tensor)] = node
            self.places.setdefault(reader, []).append(node)
        return node.output()

    def place_constants(self) -> None:
        """Let new constants stand before those that they were made for."""
        places = {node: [*filter(self._is_there, made)] for node, made in self.places.items() if self._is_there(node)}
        put_before(self.graph, places)

    def _is_there(self, node: Node) -> bool:
        return self.graph.get(node.name) is node


def _nodes(region: Region, made: Sequence[tuple[Value, Order]]) -> dict[tuple[Value, Order], Node]:
    """The nodes that are left for `made`: where one gives that already, the same one."""
    wanted, found, others = set(made), dict[tuple[Value, Order], Node](), list[Node]()
    for node, shown in region.views.items():
        if shown in wanted and shown not in found:
            found[shown] = node
        else:
            others.append(node)
    free = iter(others)
    return {shown: found.get(shown) or next(free) for shown in made}


def _content(tensor: Tensor) -> object:
    return tensor.dtype, tensor.shape, tensor.numpy().tobytes()
