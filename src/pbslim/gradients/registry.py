"""Which rule gives the gradients of the inputs of an op."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import TypeAlias

from pbslim.gradients.tape import Tape
from pbslim.ir import Node, Value

Rule: TypeAlias = Callable[[Tape, Node, Sequence[Value | None], Collection[int]], Mapping[int, Value]]
"""A node, the gradients of its outputs and the numbers of inputs → the gradients of those inputs that it knows."""
Single: TypeAlias = Callable[[Tape, Node, Value, Collection[int]], Mapping[int, Value]]
"""The same for a node of one output."""
Simple: TypeAlias = Callable[[Tape, Node, Value], Value]
"""A node and the gradient of its only output → that of its first input."""

RULES: dict[str, Rule] = {}

WITHOUT_GRADIENT = frozenset(
    {"ArgMax", "ArgMin", "Ceil", "Floor", "FloorDiv", "Greater", "GreaterEqual", "Equal", "Less", "LessEqual"}
    | {"NotEqual", "OnesLike", "Rank", "Rint", "Round", "Shape", "ShapeN", "Sign", "Size", "StopGradient", "ZerosLike"}
)
"""Ops of which small changes of the inputs change nothing."""


def rule_for_many(*ops: str) -> Callable[[Rule], Rule]:
    """Register a rule for ops of several outputs."""

    def register(function: Rule) -> Rule:
        RULES.update(dict.fromkeys(ops, function))
        return function

    return register


def rule(*ops: str) -> Callable[[Single], Single]:
    """Register a rule for ops of one output."""

    def register(function: Single) -> Single:
        def run(
            tape: Tape, node: Node, gradients: Sequence[Value | None], wanted: Collection[int]
        ) -> Mapping[int, Value]:
            return function(tape, node, gradients[0], wanted) if gradients[0] else {}

        RULES.update(dict.fromkeys(ops, run))
        return function

    return register


def simple(*ops: str) -> Callable[[Simple], Simple]:
    """Register a rule for ops of which the first input alone has a gradient."""

    def register(function: Simple) -> Simple:
        @rule(*ops)
        def run(tape: Tape, node: Node, gradient: Value, wanted: Collection[int]) -> Mapping[int, Value]:
            return {0: function(tape, node, gradient)} if 0 in wanted else {}

        return function

    return register
