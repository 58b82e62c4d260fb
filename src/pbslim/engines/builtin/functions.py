"""Calls of functions, and branches and loops whose parts are functions."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np

from pbslim.engines.builtin.actions import action
from pbslim.engines.builtin.plan import Plan, make_plan
from pbslim.engines.builtin.scope import Action, CannotRun, Scope, Shared
from pbslim.errors import PbslimError
from pbslim.ir import Body, FunctionRef, Node
from pbslim.kernels.checks import STEP, check_work, require, scalar
from pbslim.ops.families import CALLS, CASES, IFS, WHILES

_CALL = 8  # steps that a call takes by itself

MAX_DEPTH = 64
"""Calls within calls beyond this are taken for recursion without end."""


class Callee:
    """A function with what the call says of its open attributes; planned when it is first called."""

    def __init__(self, shared: Shared, ref: FunctionRef) -> None:
        function = shared.graph.library.functions.get(ref.name)
        if function is None:
            raise PbslimError(f"function '{ref.name}' is not in the file")
        missing = [name for name in function.variables if name not in ref.attrs]
        if missing:
            raise PbslimError(f"the call does not say what attribute '{missing[0]}' of '{ref.name}' is")
        self.ref, self._shared = ref, shared
        self.body: Body = function.body()
        self.scope = Scope(self.body.graph, shared, ref.attrs, ref.name)
        self._plan: Plan | None = None

    def roots(self) -> list[Node]:
        """The nodes that must run: those of the results, and those that run for their effect."""
        names = self.body.control_returns.values()
        results = [self.body.value(tensor).node for tensor in self.body.returns.values()]
        return [*results, *(self.body.graph[name] for name in names)]

    def __call__(self, values: list[Any]) -> list[Any]:
        """The results for these arguments.

        Raises:
            PbslimError: a node fails, or functions call each other without end.
        """
        run = self._shared.run
        if run.depth >= MAX_DEPTH:
            raise PbslimError(f"function '{self.ref.name}' is called within {MAX_DEPTH} other calls")
        if self._plan is None:
            self._plan = self._make_plan()
        check_work(STEP * (_CALL + len(self._plan.steps)))
        run.depth += 1
        try:
            return self._plan.run(values)
        finally:
            run.depth -= 1

    def _make_plan(self) -> Plan:
        body = self.body
        fetched = [body.value(tensor) for tensor in body.returns.values()]
        fed = [body.graph[name].output() for name in body.arguments]
        also = [body.graph[name] for name in body.control_returns.values()]
        try:
            return make_plan(self.scope, fetched, fed, also)
        except CannotRun as problem:
            where = self.scope.label(problem.node)
            raise PbslimError(f"the builtin engine cannot run {where} ({problem.node.op}): {problem}") from None


def find_callee(node: Node, scope: Scope, ref: FunctionRef) -> Callee:
    """The function that `node` calls; the same one for the same attributes.

    Raises:
        CannotRun: it is not in the library or cannot be read, or the call does not fit.
    """
    known = scope.shared.callees.setdefault(ref.name, [])
    found = next((each for each in known if each.ref == ref), None)
    if found is None:
        try:
            found = Callee(scope.shared, ref)
        except PbslimError as error:
            raise CannotRun(node, str(error)) from None
        known.append(found)
    return found


def called(node: Node, scope: Scope) -> Iterator[Callee]:
    """The functions that `node` calls.

    Raises:
        CannotRun: one cannot be found.
    """
    for ref in _references(node, scope):
        yield find_callee(node, scope, ref)


def _references(node: Node, scope: Scope) -> Iterable[FunctionRef]:
    if node.op in scope.graph.library.functions:
        return [FunctionRef(node.op, scope.attrs(node))]
    if node.op in CALLS:
        return [scope.function_attr(node, "f")]
    if node.op in IFS:
        return [scope.function_attr(node, key) for key in ("then_branch", "else_branch")]
    if node.op == "For":
        return [scope.function_attr(node, "body")]
    if node.op in WHILES:
        return [scope.function_attr(node, key) for key in ("cond", "body")]
    if node.op in CASES:
        refs = scope.attrs(node).get("branches")
        if not isinstance(refs, tuple) or not all(isinstance(ref, FunctionRef) for ref in refs) or not refs:
            raise CannotRun(node, "attribute 'branches' does not name functions")
        return refs
    return []


def _checked(node: Node, scope: Scope, count: int) -> list[Callee]:
    """The functions that `node` calls, each of which must take `count` arguments."""
    callees = list(called(node, scope))
    for callee in callees:
        if len(callee.body.arguments) != count:
            takes = len(callee.body.arguments)
            raise CannotRun(node, f"function '{callee.ref.name}' takes {takes} arguments, it has {count}")
    return callees


@action(*CALLS)
def _call(node: Node, scope: Scope) -> Action:
    [callee] = _checked(node, scope, len(node.inputs))
    return callee


@action(*IFS)
def _if(node: Node, scope: Scope) -> Action:
    taken, other = _checked(node, scope, len(node.inputs) - 1)
    return lambda values: (taken if truth(values[0]) else other)(values[1:])


@action(*CASES)
def _case(node: Node, scope: Scope) -> Action:
    branches = _checked(node, scope, len(node.inputs) - 1)

    def run(values: list[Any]) -> list[Any]:
        require(isinstance(values[0], np.ndarray) and values[0].size == 1, "the branch must be one number")
        index = int(values[0])
        return branches[index if 0 <= index < len(branches) else -1](values[1:])

    return run


@action(*WHILES)
def _while(node: Node, scope: Scope) -> Action:
    condition, body = _checked(node, scope, len(node.inputs))
    if len(body.body.returns) != len(node.inputs) or len(condition.body.returns) != 1:
        raise CannotRun(node, "its functions do not give what it hands on")

    def run(values: list[Any]) -> list[Any]:
        while truth(condition(values)[0]):
            values = body(values)
        return values

    return run


@action("For")
def _for(node: Node, scope: Scope) -> Action:
    """A body for each number from start to limit, which it gets before what it hands on."""
    [body] = _checked(node, scope, len(node.inputs) - 2)
    if len(body.body.returns) != len(node.inputs) - 3:
        raise CannotRun(node, "its function does not give what it hands on")

    def run(values: list[Any]) -> list[Any]:
        start, limit, delta = (int(scalar(value, "a bound")) for value in values[:3])
        require(delta and (limit - start) * delta >= 0, "delta leads away from limit")
        values = values[3:]
        for i in range(start, limit, delta):
            values = body([np.asarray(i, np.int32), *values])
        return values

    return run


def truth(value: Any) -> bool:
    """What a value means as a condition: a number that is not zero, a string or tensor that is not empty."""
    require(isinstance(value, np.ndarray), "the condition is not a tensor")
    return bool(value.size) if value.ndim else bool(value[()])
