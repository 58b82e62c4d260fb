"""Nodes that hand on what they get, and those that only matter for their order or for what they check."""

from __future__ import annotations

from typing import Any

import numpy as np

from pbslim.dtypes import STRING
from pbslim.engines.builtin.actions import action
from pbslim.engines.builtin.scope import Action, CannotRun, Scope
from pbslim.errors import PbslimError
from pbslim.ir import Node
from pbslim.ops.families import ALIASES, ENTERS, EXITS, NEXT_ITERATIONS

_ONE = ALIASES | {"Copy", "DeepCopy", "GuaranteeConst", "PlaceholderWithDefault", "Print", "RefIdentity"}
_ONE |= {"DebugIdentity", "DebugIdentityV2", "DebugIdentityV3", "_EagerConst"}
_ONE |= {"ReadVariableOp"}  # old tools that froze graphs let some of them read constants

PASSING = _ONE | {"Const", "HostConst", "IdentityN", "_HostConst"}
"""Ops that hand on a constant or what they get, and do nothing besides."""

_SHOWN = 8
_HUGE = 1 << 26  # bytes


@action(*_ONE, *ENTERS, *EXITS, *NEXT_ITERATIONS, "LoopCond")
def _pass_first(node: Node, _scope: Scope) -> Action:
    if not node.inputs:
        raise CannotRun(node, "it has no input")
    return lambda values: values[:1]


@action("IdentityN")
def _pass_all(_node: Node, _scope: Scope) -> Action:
    return lambda values: values


@action("NoOp", "ControlTrigger", "PrintV2")
def _do_nothing(_node: Node, _scope: Scope) -> Action:
    return lambda _values: []


CONSTANTS = ("Const", "HostConst", "_HostConst")


def is_huge(node: Node) -> bool:
    """Whether a node is a constant so large that it is read anew by each run rather than held in between."""
    return node.op in CONSTANTS and node.tensor().nbytes >= _HUGE


@action(*CONSTANTS)
def _constant(node: Node, scope: Scope) -> Action:
    """The array in its file, or a copy where the elements do not lie on boundaries of their own."""
    tensor = node.tensor()
    if tensor.dtype is not STRING and tensor.dtype.scalar is None:
        raise CannotRun(node, f"there are no constants of type {tensor.dtype}")
    known = scope.shared.constants

    def run(_values: list[Any]) -> list[Any]:
        with scope.shared.reading:  # so that threads that need it at the same time read it once
            array = known.get(node)
            if array is None:
                array = tensor.numpy()
                if not array.flags.aligned:
                    array = array.copy()
                    array.flags.writeable = False
                known[node] = array
        return [array]

    return run


@action("FakeParam")
def _fake_parameter(node: Node, scope: Scope) -> Action:
    """What a branch gives in place of a value that only the other one has; nothing looks at it."""
    dtype = scope.attributes(node).array_dtype("dtype")
    return lambda _values: [np.zeros((), dtype)]


@action("Assert")
def _assert(_node: Node, _scope: Scope) -> Action:
    def run(values: list[Any]) -> list[Any]:
        if not np.all(values[0]):
            shown = " ".join(_text(value) for value in values[1:])
            raise PbslimError(f"an assertion of the model failed: {shown}")
        return []

    return run


def _text(value: Any) -> str:
    if not isinstance(value, np.ndarray):
        return "…"
    parts = [v.decode(errors="replace") if isinstance(v, bytes) else str(v) for v in value.reshape(-1)[:_SHOWN]]
    return " ".join([*parts, *(["…"] if value.size > _SHOWN else [])])
