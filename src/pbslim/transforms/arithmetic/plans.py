"""How to compute a sum or a product that is spread over several nodes with fewer."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any, TypeAlias

import numpy as np

from pbslim.analysis.constants import constant
from pbslim.ir import Node, Value
from pbslim.ir.tensors import Array

_MOST_NODES = 32  # of one sum or product
_LARGEST_CONSTANT = 1 << 16  # elements

ADDITIONS = frozenset({"Add", "AddV2"})
DIVISIONS = frozenset({"Div", "RealDiv"})
SUMS = ADDITIONS | {"Neg", "Sub"}
PRODUCTS = DIVISIONS | {"Mul", "Neg"}


@dataclass(frozen=True, eq=False)
class Constant:
    """What a Const that nothing else reads is to hold, in doubles.

    Attributes:
        stored: how many elements its file holds; one for a value that is repeated.
        changed: whether it is to hold something else than it does.
    """

    node: Node
    values: Array
    stored: int
    changed: bool = False

    @property
    def is_uniform(self) -> bool:
        """Whether all elements are equal."""
        return bool(self.values.size) and bool((self.values == self.values.flat[0]).all())


@dataclass(frozen=True, eq=False)
class Step:
    """An op with one or two operands."""

    op: str
    operands: tuple[Operand, ...]


Operand: TypeAlias = "Value | Constant | Step"


@dataclass
class Plan:
    """What to compute, and the nodes that have done it up to now, the one whose value is asked for first."""

    replaced: list[Node] = field(default_factory=list)
    result: Operand | None = None

    @property
    def is_shorter(self) -> bool:
        """Whether there is anything to win."""
        return isinstance(self.result, Step) and len(list(steps(self.result))) < len(self.replaced)


def steps(operand: Operand) -> Iterator[Step]:
    """The ops of a plan, each after those that it needs."""
    if isinstance(operand, Step):
        for each in operand.operands:
            yield from steps(each)
        yield operand


class Planner:
    """Makes plans for single nodes.

    Args:
        is_inner: whether a value is read once, and nothing else is asked of its node.
        kind: the numpy type of the values, one of floats.
    """

    def __init__(self, is_inner: Callable[[Value], bool], kind: np.dtype[Any]) -> None:
        self._is_inner, self._kind, self._least = is_inner, kind, float(np.finfo(kind).tiny)

    # Sums

    def sum(self, root: Node) -> Plan:
        """``a + b - c …``, in which products with a common factor are ``(x - m) · s``."""
        plan = Plan()
        terms = self._terms(root.output(), 1, plan, root=True)
        add = next((node.op for node in plan.replaced if node.op in ADDITIONS), "Add")
        plan.result = self._total(terms, add, plan)
        return plan

    def _terms(self, value: Value, sign: int, plan: Plan, *, root: bool = False) -> list[tuple[int, Operand]]:
        node = value.node
        if not root and (node.op not in SUMS or len(plan.replaced) >= _MOST_NODES or not self._is_inner(value)):
            return [(sign, self._constant(value) or value)]
        plan.replaced.append(node)
        first = -sign if node.op == "Neg" else sign
        found = self._terms(node.inputs[0], first, plan)
        for other in node.inputs[1:]:
            found += self._terms(other, -sign if node.op == "Sub" else sign, plan)
        return found

    def _total(self, terms: list[tuple[int, Operand]], add: str, plan: Plan) -> Operand:
        terms = self._add_constants(terms)
        while factored := self._factored(terms, add, plan):
            terms = factored
        lead = next((k for k, (sign, _) in enumerate(terms) if sign > 0), None)
        if lead is None:
            result: Operand = Step("Neg", (terms.pop(0)[1],))
        else:
            result = terms.pop(lead)[1]
        for sign, term in terms:
            result = Step(add if sign > 0 else "Sub", (result, term))
        return result

    def _add_constants(self, terms: list[tuple[int, Operand]]) -> list[tuple[int, Operand]]:
        """The terms with one constant for all that fit together, at the end."""
        rest: list[tuple[int, Operand]] = []
        sign, total = 1, None
        for each, term in terms:
            if not isinstance(term, Constant):
                rest.append((each, term))
            elif total is None:
                sign, total = each, term
            elif (both := self._combined(total, term, sign * total.values, each * term.values, np.add)) is None:
                rest.append((each, term))
            else:
                sign, total = 1, both
        return rest if total is None else [*rest, (sign, total)]

    def _factored(self, terms: list[tuple[int, Operand]], add: str, plan: Plan) -> list[tuple[int, Operand]] | None:
        """The terms with two of them as one, ``x · s - m · s`` as ``(x - m) · s``; None if there are no such two."""
        products = [
            (k, term) for k, (_, term) in enumerate(terms) if isinstance(term, Value) and self._is_product(term)
        ]
        for i, (k, first) in enumerate(products):
            for m, second in products[i + 1 :]:
                pairs = [(a, b) for a in (0, 1) for b in (0, 1) if first.node.inputs[a] is second.node.inputs[b]]
                if not pairs or len(plan.replaced) >= _MOST_NODES:
                    continue
                a, b = pairs[0]
                plan.replaced += [first.node, second.node]
                signs = terms[k][0], terms[m][0]
                inner = self._terms(first.node.inputs[1 - a], 1, plan)
                inner += self._terms(second.node.inputs[1 - b], signs[0] * signs[1], plan)
                product = Step("Mul", (self._total(inner, add, plan), first.node.inputs[a]))
                return [(signs[0], product) if n == k else term for n, term in enumerate(terms) if n != m]
        return None

    def _is_product(self, value: Value) -> bool:
        return value.node.op == "Mul" and self._is_inner(value)

    # Products

    def product(self, root: Node) -> Plan:
        """``a · b · c …``, in which constants and signs are one constant."""
        plan = Plan()
        sign, factors = self._factors(root.output(), plan, root=True)
        number: Constant | None = None
        rest: list[Operand] = []
        for factor in factors:
            if not isinstance(factor, Constant):
                rest.append(factor)
            elif number is None:
                number = factor
            elif (both := self._combined(number, factor, number.values, factor.values, np.multiply)) is None:
                rest.append(factor)
            else:
                number = both
        if not rest:
            return plan
        result = rest.pop(0)
        if number is not None:
            if sign < 0:
                number = replace(number, values=-number.values, changed=True)
            result = Step("Mul", (result, number))
        elif sign < 0:
            result = Step("Neg", (result,))
        for factor in rest:
            result = Step("Mul", (result, factor))
        plan.result = result
        return plan

    def _factors(self, value: Value, plan: Plan, *, root: bool = False) -> tuple[int, list[Operand]]:
        """The sign and the factors of `value`."""
        node = value.node
        inverse = self._inverse(node.inputs[1]) if node.op in DIVISIONS else None
        known = inverse is not None if node.op in DIVISIONS else node.op in PRODUCTS
        if not known or not (root or (len(plan.replaced) < _MOST_NODES and self._is_inner(value))):
            return 1, [self._constant(value) or value]
        plan.replaced.append(node)
        sign, found = self._factors(node.inputs[0], plan)
        if inverse is not None:
            return sign, [*found, inverse]
        if node.op == "Neg":
            return -sign, found
        other, more = self._factors(node.inputs[1], plan)
        return sign * other, found + more

    # Constants

    def _constant(self, value: Value) -> Constant | None:
        """`value` as a constant that can be changed, if it is one."""
        if value.node.op != "Const" or not self._is_inner(value):
            return None
        tensor = constant(value)
        if tensor is None or tensor.size > _LARGEST_CONSTANT or not tensor.dtype.is_floating:
            return None
        head = tensor.head()
        if head is not None and head.size > 1:  # few values for a large shape, which a change could spell out
            return None
        return Constant(value.node, tensor.numpy().astype(np.float64), tensor.size if head is None else head.size)

    def _inverse(self, value: Value) -> Constant | None:
        found = self._constant(value)
        if found is None:
            return None
        with np.errstate(all="ignore"):
            inverse = replace(found, values=1 / found.values, changed=True)
        return inverse if self._fits(inverse.values) else None

    def _fits(self, values: Array) -> bool:
        """Whether these can be had in the type of the graph's values."""
        with np.errstate(all="ignore"):
            stored = np.abs(values.astype(self._kind))
        is_lost = (stored < self._least) & (values != 0)
        return bool(np.isfinite(stored).all() and not is_lost.any())

    def _combined(
        self, first: Constant, second: Constant, a: Array, b: Array, function: Callable[[Array, Array], Array]
    ) -> Constant | None:
        """One constant for two; None if it would have or store more elements, or is out of the range of its type."""
        try:
            size = np.prod(np.broadcast_shapes(a.shape, b.shape))
        except ValueError:
            return None
        if size > max(a.size, b.size):
            return None
        with np.errstate(all="ignore"):
            values = function(a, b)
        larger = first if first.values.size >= second.values.size else second
        both = Constant(larger.node, values, first.stored + second.stored, changed=True)
        return both if self._fits(values) and (both.is_uniform or values.size <= both.stored) else None
