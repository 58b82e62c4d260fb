"""Between which values random numbers lie, and what is computed from them."""

from __future__ import annotations

import math
import operator
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from pbslim.analysis.constants import constant
from pbslim.analysis.evaluation import CannotFold, Evaluator
from pbslim.analysis.static_shapes import StaticShapes
from pbslim.dtypes import BOOL
from pbslim.errors import PbslimError
from pbslim.ir import Node, Value
from pbslim.ir.order import reachable
from pbslim.ops import find
from pbslim.ops.families import ALIASES, FEEDABLE, PLACES, RANDOM_NORMAL, RANDOM_UNIFORM

_DEEPEST = 32
_MOST_NODES = 256
_ARITHMETIC: dict[str, Callable[[Any, Any], np.generic]] = {
    "Add": operator.add,
    "AddV2": operator.add,
    "Mul": operator.mul,
    "RealDiv": operator.truediv,
    "Sub": operator.sub,
}


@dataclass(frozen=True)
class Interval:
    """Where all elements of a tensor lie that is made of one random tensor and scalars, element by element.

    Attributes:
        low, high: the bounds.
        below: whether `high` itself is never reached.
        source: the node that gives the random numbers; the tensor has its shape.
    """

    low: float
    high: float
    below: bool
    source: Node

    @property
    def only(self) -> float | None:
        """The value of all elements, None if there may be several."""
        return self.low if self.low == self.high else None

    def to(self, low: float, high: float, *, below: bool = False) -> Interval:
        """Other bounds for the same elements."""
        return Interval(min(low, high), max(low, high), below and low < high, self.source)


class Intervals:
    """The intervals of the values of one graph, found when they are asked for."""

    def __init__(self, shapes: StaticShapes) -> None:
        self._shapes, self._evaluator = shapes, Evaluator(shapes)
        self._known: dict[Value, Interval | None] = {}

    def of(self, value: Value, depth: int = 0) -> Interval | None:
        """The interval of a value, None where it is not made of random numbers or nothing is known."""
        if value not in self._known:
            self._known[value] = self._find(value, depth) if depth < _DEEPEST else None
        return self._known[value]

    def scalar(self, value: Value) -> float | None:
        """The number that a scalar always has, in loops and branches too, None where it is not constant."""
        number = self._number(value, 0)
        return None if number is None else float(number)

    def _number(self, value: Value, depth: int) -> np.generic | None:
        node = value.node
        if depth < _DEEPEST and node.op in PLACES and node.inputs:
            return self._number(node.inputs[0], depth + 1)
        if value.port or depth == _DEEPEST:
            return None
        tensor = constant(value)
        if tensor is None and self._shapes.of(value).dims == () and _is_fixed(node):
            try:
                tensor = self._evaluator.value(value)
            except (CannotFold, PbslimError):
                tensor = None  # it may still be made of numbers from outside of a loop
        if tensor is not None:
            plain = tensor.shape == () and tensor.dtype.scalar is not None and not tensor.dtype.is_quantized
            return tensor.numpy().reshape(-1)[0] if plain and not tensor.dtype.name.startswith("complex") else None
        if node.op not in _ARITHMETIC or len(node.inputs) != 2:
            return None
        a, b = (self._number(each, depth + 1) for each in node.inputs)
        if a is None or b is None or not (np.isfinite(a) and np.isfinite(b)):
            return None
        with np.errstate(all="ignore"):
            return _ARITHMETIC[node.op](a, b)

    def _find(self, value: Value, depth: int) -> Interval | None:
        node = value.node
        if value.port or not node.inputs:
            return None
        if node.op in RANDOM_UNIFORM:
            return Interval(0, 1, below=True, source=node)
        if node.op in RANDOM_NORMAL:
            return Interval(-math.inf, math.inf, below=False, source=node)
        if node.op in ALIASES or node.op in _UNARY:
            found = self.of(node.inputs[0], depth + 1)
            return _UNARY.get(node.op, _same)(node, found) if found else None
        if node.op not in _BINARY or len(node.inputs) != 2:
            return None
        a, b = (self.of(each, depth + 1) for each in node.inputs)
        number = self.scalar(node.inputs[1] if a else node.inputs[0])
        if number is None or math.isnan(number) or (a is None) == (b is None):
            return None
        return _BINARY[node.op](a, number) if a else _BINARY_SWAPPED[node.op](b, number) if b else None


def _is_fixed(node: Node) -> bool:
    """Whether the node gives the same in every run, as far as a quick look shows."""
    nodes: set[Node] = set()

    def producers(each: Node) -> list[Node]:
        nodes.add(each)
        return each.producers if len(nodes) < _MOST_NODES else []

    found = reachable([node], producers)
    definitions = [find(each.op) for each in found]
    pure = all(each is not None and not each.is_stateful for each in definitions)
    return pure and len(found) < _MOST_NODES and not any(each.op in FEEDABLE for each in found)


_Unary = Callable[[Node, Interval], Interval | None]
_Binary = Callable[[Interval, float], Interval | None]


def _same(node: Node, x: Interval) -> Interval:  # noqa: ARG001 - as every rule
    return x


def _cast(node: Node, x: Interval) -> Interval | None:
    to, source = node.dtype_attr("DstT"), node.dtype_attr("SrcT")
    if to is None or source is None:
        return None
    if to is source or (source is BOOL and (to.is_floating or to.scalar is not None)):
        return x
    if to is BOOL:
        return x.to(float(x.low != 0), float(x.high != 0)) if x.only is not None else x.to(0, 1)
    return x.to(x.low, x.high) if to.is_floating else None


def _floor(node: Node, x: Interval) -> Interval:  # noqa: ARG001
    top = math.floor(x.high)
    return x.to(math.floor(x.low), top - 1 if x.below and top == x.high else top)


def _not(node: Node, x: Interval) -> Interval:  # noqa: ARG001
    return x.to(1 - x.low, 1 - x.high)


def _plus(x: Interval, c: float) -> Interval:
    # Uniform numbers have fewer digits than their type, so 1 more does not round up to the bound.
    return x.to(x.low + c, x.high + c, below=x.below and c in (0, 1))


def _minus(x: Interval, c: float) -> Interval:
    return x.to(x.low - c, x.high - c, below=x.below and c == 0)


def _subtracted(x: Interval, c: float) -> Interval:
    return x.to(c - x.low, c - x.high)


def _times(x: Interval, c: float) -> Interval | None:
    if c == 0:
        return x.to(0, 0)
    return x.to(x.low * c, x.high * c, below=x.below and c == 1) if math.isfinite(c) else None


def _over(x: Interval, c: float) -> Interval | None:
    return _times(x, 1 / c) if c else None


def _unknown(x: Interval, c: float) -> None:
    """Nothing is known of a number divided by them."""


def _truth(x: Interval, *, always: bool, never: bool) -> Interval:
    return x.to(float(always), float(not never))


def _greater_equal(x: Interval, c: float) -> Interval:
    return _truth(x, always=x.low >= c, never=x.high < c or (x.below and x.high == c))


def _greater(x: Interval, c: float) -> Interval:
    return _truth(x, always=x.low > c, never=x.high <= c)


def _less(x: Interval, c: float) -> Interval:
    return _truth(x, always=x.high < c or (x.below and x.high == c), never=x.low >= c)


def _less_equal(x: Interval, c: float) -> Interval:
    return _truth(x, always=x.high <= c, never=x.low > c)


_UNARY: dict[str, _Unary] = {"Cast": _cast, "Floor": _floor, "LogicalNot": _not}
_BINARY: dict[str, _Binary] = {
    "Add": _plus,
    "AddV2": _plus,
    "Div": _over,
    "Greater": _greater,
    "GreaterEqual": _greater_equal,
    "Less": _less,
    "LessEqual": _less_equal,
    "Mul": _times,
    "RealDiv": _over,
    "Sub": _minus,
}
_BINARY_SWAPPED: dict[str, _Binary] = _BINARY | {
    "Div": _unknown,
    "Greater": _less,
    "GreaterEqual": _less_equal,
    "Less": _greater,
    "LessEqual": _greater_equal,
    "RealDiv": _unknown,
    "Sub": _subtracted,
}
