"""What nodes do to orders of axes: some change nothing else, and some work in any order."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from pbslim.analysis.constants import integer, integers
from pbslim.dtypes import Shape
from pbslim.ir import Node, Value
from pbslim.ops.families import ALIASES
from pbslim.transforms.layouts.orders import Order, named

Dims = tuple[int, ...]

PADS = frozenset({"MirrorPad", "Pad", "PadV2"})
MOST_AXES = 8
"""Of a tensor that TensorFlow pads; it mirrors fewer."""
_MOST_MIRRORED = 5

_ELEMENTWISE = ALIASES | {
    *("Abs", "Ceil", "Floor", "LeakyRelu", "LogicalNot", "Neg", "Relu", "Relu6", "Rint", "Round", "Sign", "Square"),
    *("Add", "AddV2", "LogicalAnd", "LogicalOr", "Maximum", "Minimum", "Mul", "Sub"),
}
"""Give the same bits whichever element comes first. Not those whose vectorized form may round in another way."""


@dataclass(frozen=True)
class Mover:
    """A node that can work in another order of axes than it does.

    Attributes:
        slots: the data inputs that have to be in the order in which it works.
        order: that of its result.
        paddings: axis → what it adds before and after.
        packed: the axis that its inputs do not have.
        joined: the axis along which it joins.
        most: how many axes the result can have.
    """

    node: Node
    slots: tuple[int, ...]
    order: Order
    paddings: Mapping[int, tuple[int, int]] = field(default_factory=dict)
    packed: int | None = None
    joined: int | None = None
    most: int = MOST_AXES

    def operand(self, order: Order) -> Order:
        """The order of its inputs where that of its result is `order`."""
        return order if self.packed is None else tuple(axis for axis in order if axis != self.packed)

    def result(self, operand: Order) -> Order:
        """An order of its result where that of its inputs is `operand`."""
        if self.packed is None:
            return operand
        if operand == self.operand(self.order):
            return self.order
        after = named(self.order[self.order.index(self.packed) + 1 :])
        at = operand.index(after[0]) if after else len(operand)
        return (*operand[:at], self.packed, *operand[at:])

    def named(self, name: Callable[[int], int]) -> Mover:
        """The same with another number for each axis."""

        def of(axis: int | None) -> int | None:
            return None if axis is None else name(axis)

        paddings = {name(axis): pair for axis, pair in self.paddings.items()}
        order = tuple(map(of, self.order))
        return replace(self, order=order, paddings=paddings, packed=of(self.packed), joined=of(self.joined))


def view(node: Node, order: Order, before: Shape, after: Shape) -> Order | None:
    """The order of what `node` gives, if it only changes the order `order` of its first input; else None."""
    rule = VIEWS.get(node.op)
    found = rule(node, order) if rule else None
    return _reshaped(order, before.dims, after.dims) if found is None and node.op in _SHAPED else found


def mover(node: Node, slots: Sequence[int], orders: Sequence[Order], new_axis: Callable[[], int]) -> Mover | None:
    """`node` as one that works in any order, if it does.

    Args:
        slots: the data inputs that are no scalars.
        orders: theirs; the same axes must have the same number.
    """
    if not orders or any(order != orders[0] for order in orders):
        return None
    order, here = orders[0], tuple(slots)
    if node.op in _ELEMENTWISE and order:
        return Mover(node, here, order) if len(slots) and max(slots) < len(node.inputs) else None
    if node.op in PADS and 0 in here:
        return _padding(node, order)
    if node.op == "Pack" and len(node.inputs) == len(slots) > 1:
        at = node.attr("axis", int, 0)
        at += (len(order) + 1) * (at < 0)
        axis = new_axis()
        return Mover(node, here, (*order[:at], axis, *order[at:]), packed=axis) if 0 <= at <= len(order) else None
    if node.op == "ConcatV2":
        joined = integer(node.inputs[-1])
        if joined is not None and -len(order) <= joined < len(order) and order[joined] is not None:
            return Mover(node, here, order, joined=order[joined])
    return None


def operands(node: Node, rank: Callable[[Value], int | None]) -> list[int]:
    """The data inputs of a possible `mover` whose axes matter."""
    if node.op in _ELEMENTWISE:
        return [slot for slot, value in enumerate(node.inputs) if rank(value) != 0]
    if node.op in PADS:
        return [0]
    if node.op == "Pack":
        return list(range(len(node.inputs)))
    return list(range(len(node.inputs) - 1)) if node.op == "ConcatV2" else []


def _padding(node: Node, order: Order) -> Mover | None:
    numbers = integers(node.inputs[1]) if len(node.inputs) > 1 else None
    if numbers is None or len(numbers) != 2 * len(order):
        return None
    pairs = list(zip(numbers[::2], numbers[1::2], strict=True))
    if any(axis is None and pair != (0, 0) for axis, pair in zip(order, pairs, strict=True)):
        return None
    paddings = {axis: pair for axis, pair in zip(order, pairs, strict=True) if axis is not None}
    most = _MOST_MIRRORED if node.op == "MirrorPad" else MOST_AXES
    return Mover(node, (0,), order, paddings, most=most)


def _transposed(node: Node, order: Order) -> Order | None:
    numbers = integers(node.inputs[1]) if len(node.inputs) == 2 else None
    if numbers is None or sorted(axis % max(len(order), 1) for axis in numbers) != list(range(len(order))):
        return None
    return tuple(order[axis] for axis in numbers)


def _expanded(node: Node, order: Order) -> Order | None:
    axis = integer(node.inputs[1]) if len(node.inputs) == 2 else None
    if axis is None or not -len(order) - 1 <= axis <= len(order):
        return None
    at = axis + (len(order) + 1) * (axis < 0)
    return (*order[:at], None, *order[at:])


def _squeezed(node: Node, order: Order) -> Order | None:
    axes = node.attr("squeeze_dims", tuple, ())
    if not axes or not all(isinstance(axis, int) and -len(order) <= axis < len(order) for axis in axes):
        return None
    gone = {axis % len(order) for axis in axes}
    if any(order[axis] is not None for axis in gone):
        return None
    return tuple(axis for index, axis in enumerate(order) if index not in gone)


def _sliced(node: Node, order: Order) -> Order | None:
    """The order of a StridedSlice that takes everything and at most adds axes, as ``x[:, None, :]``."""
    strides = integers(node.inputs[3]) if len(node.inputs) == 4 else None
    masks = {key: node.attr(f"{key}_mask", int, 0) for key in ("begin", "end", "ellipsis", "new_axis", "shrink_axis")}
    if strides is None or any(stride != 1 for stride in strides) or masks["shrink_axis"]:
        return None
    left, found = list(order), list[int | None]()
    items = range(len(strides))
    for item in items:
        here = {key for key, mask in masks.items() if mask >> item & 1}
        if "ellipsis" in here:
            kept = sum(not masks["new_axis"] >> later & 1 for later in items[item + 1 :])
            found += [left.pop(0) for _ in range(len(left) - kept)]
        elif "new_axis" in here:
            found.append(None)
        elif not {"begin", "end"} <= here or not left:
            return None
        else:
            found.append(left.pop(0))
    return (*found, *left)


def _reshaped(order: Order, before: Dims | None, after: Dims | None) -> Order | None:
    """The order after a Reshape that leaves the lengths of all axes but those of one element."""
    if before is None or after is None or 0 in before:
        return None
    if [dim == 1 for dim in before] != [axis is None for axis in order]:
        return None
    longer = [dim for dim in before if dim != 1]
    if longer != [dim for dim in after if dim != 1] or longer.count(-1) > 1:
        return None
    axes = (axis for axis, dim in zip(order, before, strict=True) if dim != 1)
    return tuple(None if dim == 1 else next(axes) for dim in after)


VIEWS: Mapping[str, Callable[[Node, Order], Order | None] | None] = {
    "ExpandDims": _expanded,
    "Reshape": None,
    "Squeeze": _squeezed,
    "StridedSlice": _sliced,
    "Transpose": _transposed,
}
"""Op → the order that it gives, None where that is to be seen from shapes."""
_SHAPED = frozenset({"Reshape", "Squeeze"})  # a Squeeze without axes takes out what has one element
