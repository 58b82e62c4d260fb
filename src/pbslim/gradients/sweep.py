"""From the outputs back: reverse-mode differentiation of a graph, one rule for each op (Griewank & Walther 2008)."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from pbslim.dtypes import FLOAT
from pbslim.gradients.registry import RULES, WITHOUT_GRADIENT
from pbslim.gradients.tape import Tape
from pbslim.ir import Node, Value
from pbslim.ir.order import execution_order, reachable


def add_gradients(tape: Tape, seeds: Mapping[Value, Value], at: Collection[Value]) -> dict[Value, Value]:
    """Add nodes that compute how a weighted sum of what a graph computes changes with inner values.

    Args:
        tape: of the graph.
        seeds: values of the graph, and what each of their elements counts: values of the same shapes.
        at: where the gradients are wanted.

    Returns:
        The gradients of ``sum(seed * value)`` for those of `at` on which it depends. One is left out where an op
        between it and the sum has no rule, or is not of float32.
    """
    order = execution_order(tape.graph)
    below = reachable(
        [use.node for value in at for use in value.uses],
        lambda node: [use.node for out in node.outputs for use in out.uses],
    )
    return _Sweep(tape, frozenset(at), below, seeds).run(order)


class _Sweep:
    def __init__(self, tape: Tape, at: frozenset[Value], below: set[Node], seeds: Mapping[Value, Value]) -> None:
        self._tape, self._at, self._below = tape, at, below
        self._parts: dict[Value, list[Value]] = {value: [seed] for value, seed in seeds.items()}
        self._unknown: set[Value] = set()

    def run(self, order: tuple[Node, ...]) -> dict[Value, Value]:
        """Go through the nodes, last ones first."""
        for node in reversed(order):
            if node in self._below and node.op not in WITHOUT_GRADIENT:
                self._step(node)
        found = self._at & self._parts.keys() - self._unknown
        return {value: self._tape.total(self._parts[value]) for value in self._at if value in found}

    def _step(self, node: Node) -> None:
        wanted = [slot for slot, value in enumerate(node.inputs) if value in self._at or value.node in self._below]
        outputs = node.outputs
        if not wanted or not any(value in self._parts or value in self._unknown for value in outputs):
            return
        found: Mapping[int, Value] = {}
        rule = RULES.get(node.op)
        if rule and node.attrs.get("T", FLOAT) is FLOAT and not self._unknown.intersection(outputs):
            count = outputs[-1].port + 1
            gradients = [self._gradient(node.output(port)) for port in range(count)]
            found = rule(self._tape, node, gradients, wanted)
        for slot in wanted:
            value = node.inputs[slot]
            if slot in found:
                self._parts.setdefault(value, []).append(found[slot])
            else:
                self._unknown.add(value)

    def _gradient(self, value: Value) -> Value | None:
        parts = self._parts.get(value)
        if parts is None:
            return None
        self._parts[value] = [self._tape.total(parts)]
        return self._parts[value][0]
