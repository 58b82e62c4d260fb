"""Take out dropout that drops nothing, with its random numbers.

Before::  x ─► RealDiv(1) ─► Mul ─► y,  RandomUniform(Shape(x)) ─► Add(1) ─► Floor ─► Mul
After::   x ─► y
"""

from __future__ import annotations

from pbslim.analysis.constants import behind_aliases, integer, integers
from pbslim.analysis.intervals import Interval, Intervals
from pbslim.analysis.static_shapes import StaticShapes
from pbslim.ir import Graph, Node, Value
from pbslim.ir.facts import has_ops
from pbslim.ir.order import execution_order
from pbslim.ops.families import ALIASES, RANDOM_NORMAL, RANDOM_UNIFORM
from pbslim.passes.registry import Context, transform
from pbslim.rewrite import Skip
from pbslim.rewrite.replacing import erase_unread

# Op → the element that an operand must be throughout so that the other one is the result; whether it may come first.
_NEUTRAL = {"Add": (0, True), "AddV2": (0, True), "Div": (1, False), "Mul": (1, True), "RealDiv": (1, False)}
_NEUTRAL["Sub"] = (0, False)
_SAME_SHAPE = ALIASES | {"BiasAdd", "Cast", "Elu", "LeakyRelu", "Relu", "Relu6", "Selu", "Sigmoid", "Tanh"}
_SCALES = ("Div", "Mul", "RealDiv")
_FARTHEST = 16


@transform(effect="exact", in_functions=True)
def remove_dropout(graph: Graph, context: Context) -> None:
    """Remove ops on random numbers that give the other operand as it is, whatever the numbers are.

    Those are multiplications by ``floor(keep + random)`` with a `keep` of 1, or by ``random >= rate`` with a `rate` of
    0, selections by the latter, and additions of noise that is multiplied by 0. What only they read goes as well. One
    that is an output of the graph, or that waits for something, becomes an Identity.
    """
    if not has_ops(graph, RANDOM_UNIFORM | RANDOM_NORMAL):
        return
    remover = _Remover(graph, context)
    for node in execution_order(graph):
        remover.look_at(node)
    erase_unread(graph, remover.idle, context.protected)


class _Remover:
    def __init__(self, graph: Graph, context: Context) -> None:
        self._context, self._shapes = context, StaticShapes(graph)
        self._intervals = Intervals(self._shapes)
        self.idle: list[Node] = []

    def look_at(self, node: Node) -> None:
        """Let the readers of `node` read the operand that it gives as it is."""
        found = self._given(node)
        if found is None:
            return
        value, random = found
        try:
            self._check(node, value, random)
        except Skip as skip:
            self._context.skip(node.name, str(skip))
            return
        value = self._unscaled(value, node)
        producers = [each.node for each in node.inputs]
        if node.name in self._context.output_nodes or node.controls or node.control_readers:
            attrs = {"T": node.attrs["T"]} if "T" in node.attrs else {}
            node.become("Identity", [value], attrs, controls=node.controls, device=node.device)
        else:
            node.output().replace_all_uses_with(value)
        self.idle += [node, *producers]

    def _given(self, node: Node) -> tuple[Value, Interval] | None:
        """The operand that `node` gives, and what the random numbers beside it are."""
        if node.op in _NEUTRAL and len(node.inputs) == 2:
            number, commutes = _NEUTRAL[node.op]
            for slot in (1, 0) if commutes else (1,):
                beside = self._intervals.of(node.inputs[slot])
                if beside and beside.only == number:
                    return node.inputs[1 - slot], beside
        if node.op in ("Select", "SelectV2") and len(node.inputs) == 3:
            condition = self._intervals.of(node.inputs[0])
            if condition and condition.only is not None:
                return node.inputs[1 if condition.only else 2], condition
        return None

    def _check(self, node: Node, value: Value, random: Interval) -> None:
        if node.name in self._context.input_nodes:
            raise Skip("it is an input of the graph")
        if not self._fits(random.source, value):
            raise Skip(f"'{random.source.name}' may have more elements than '{value.name}'")
        if node.op == "SelectV2":
            for other in node.inputs[1:]:
                if other != value and not self._broadcasts(other, value):
                    raise Skip(f"'{other.name}' may have more elements than '{value.name}'")

    def _broadcasts(self, other: Value, value: Value) -> bool:
        """Whether `other` beside `value` gives the shape of `value`."""
        if not self._ways(other).isdisjoint(self._ways(value)):
            return True
        dims = self._shapes.of(other).dims
        return dims == () or (dims is not None and min(dims) > 0 and self._covers(value, dims))

    def _covers(self, value: Value, dims: tuple[int, ...]) -> bool:
        """Whether the last dimensions of `value` are `dims`, where these are not 1."""
        todo = [value]
        for _ in range(_FARTHEST):
            if not todo:
                break
            value = todo.pop()
            many = self._shapes.of(value).dims
            if many and len(dims) <= len(many):
                if all(n in (1, m) for n, m in zip(dims[::-1], many[::-1], strict=False)):
                    return True
            elif many is None and not value.port and value.node.op in _SAME_SHAPE:
                todo += value.node.inputs[:1]
            elif many is None and value.node.op in _NEUTRAL:
                todo += value.node.inputs  # what is broadcast with the other has at least the dimensions of each
        return False

    def _fits(self, random: Node, value: Value) -> bool:
        """Whether random numbers beside `value` give the shape of `value`."""
        if self._broadcasts(random.output(), value):
            return True
        shape = behind_aliases(random.inputs[0])
        if shape.node.op == "Shape":
            return self._is_alike(shape.node.inputs[0], value)
        if shape.node.op != "Pack":
            return False
        dims = self._shapes.of(value).dims
        if dims is None or len(dims) != len(shape.node.inputs):
            return False
        return all(self._is_dimension(each, axis, value, dims[axis]) for axis, each in enumerate(shape.node.inputs))

    def _is_dimension(self, size: Value, axis: int, value: Value, known: int) -> bool:
        """Whether a number of elements is 1 or that of `value` along `axis`."""
        number = integer(size)
        if number is not None:
            return number == 1 or number == known
        part = behind_aliases(size).node
        if part.op != "StridedSlice" or not part.attr("shrink_axis_mask", int, 0) or integers(part.inputs[1]) != [axis]:
            return False
        shape = behind_aliases(part.inputs[0]).node
        return shape.op == "Shape" and self._is_alike(shape.inputs[0], value)

    def _is_alike(self, a: Value, b: Value) -> bool:
        return not self._ways(a).isdisjoint(self._ways(b))

    def _ways(self, value: Value) -> set[Value]:
        """Values of the same shape from which `value` is computed, and itself."""
        found = {value}
        for _ in range(_FARTHEST):
            node = value.node
            if value.port or not node.inputs:
                break
            if node.op in _SAME_SHAPE:
                value = node.inputs[0]
            elif node.op in _NEUTRAL and len(node.inputs) == 2:
                scalars = [slot for slot in (0, 1) if self._shapes.of(node.inputs[slot]).dims == ()]
                if not scalars:
                    break
                value = node.inputs[1 - scalars[-1]]
            else:
                break
            found.add(value)
        return found

    def _unscaled(self, value: Value, reader: Node) -> Value:
        """What is divided by the share that is kept, where that is all."""
        node = value.node
        if node.op not in _SCALES or len(node.inputs) != 2 or node.name in self._context.protected:
            return value
        if node.controls or node.readers != [reader] or value.port:
            return value
        for slot in (1, 0) if node.op == "Mul" else (1,):
            if self._intervals.scalar(node.inputs[slot]) == 1:
                return node.inputs[1 - slot]
        return value
