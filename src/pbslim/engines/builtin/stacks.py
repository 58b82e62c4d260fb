"""Stacks, in which loops keep values for later."""

from __future__ import annotations

from typing import Any

from pbslim.engines.builtin.actions import action
from pbslim.engines.builtin.scope import Action, Scope
from pbslim.ir import Node
from pbslim.kernels.checks import require, scalar


class Stack:
    """Values, the last of which comes out first.

    Attributes:
        limit: the most values it may hold, negative for any number.
    """

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.values: list[Any] = []


def _stack(value: Any) -> Stack:
    require(isinstance(value, Stack), "the handle is not that of a stack")
    stack: Stack = value
    return stack


@action("StackV2")
def _make(_node: Node, _scope: Scope) -> Action:
    return lambda values: [Stack(int(scalar(values[0], "max_size")))]


@action("Stack")
def _make_old(_node: Node, _scope: Scope) -> Action:
    return lambda _values: [Stack(-1)]


@action("StackPush", "StackPushV2")
def _push(_node: Node, _scope: Scope) -> Action:
    def run(values: list[Any]) -> list[Any]:
        stack = _stack(values[0])
        require(stack.limit < 0 or len(stack.values) < stack.limit, f"the stack takes {stack.limit} values at most")
        stack.values.append(values[1])
        return [values[1]]

    return run


@action("StackPop", "StackPopV2")
def _pop(_node: Node, _scope: Scope) -> Action:
    def run(values: list[Any]) -> list[Any]:
        stack = _stack(values[0])
        require(stack.values, "the stack is empty")
        return [stack.values.pop()]

    return run


@action("StackClose", "StackCloseV2")
def _close(_node: Node, _scope: Scope) -> Action:
    def run(values: list[Any]) -> list[Any]:
        _stack(values[0]).values.clear()
        return []

    return run
