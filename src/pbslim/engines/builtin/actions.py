"""From a node to what runs it: a kernel, a function of the library, or an action that only the engine has."""

from __future__ import annotations

from collections.abc import Callable

from pbslim.analysis.evaluation import kernel_attrs
from pbslim.engines.builtin.scope import Action, CannotRun, Maker, Scope
from pbslim.errors import PbslimError
from pbslim.ir import Node
from pbslim.kernels import KernelError, Prepared, has_kernel
from pbslim.ops.families import VARIABLES

_MAKERS: dict[str, Maker] = {}

_OUTSIDE = ("Iterator", "OneShot", "Queue", "FIFO", "Reader", "Dataset", "ReadFile", "Restore", "PyFunc")


def action(*ops: str) -> Callable[[Maker], Maker]:
    """Register how nodes of these ops become actions.

    The function is called once for a node, with the node and its scope, and returns the action. It raises
    `CannotRun` or KernelError for nodes that the engine cannot run.
    """

    def register(maker: Maker) -> Maker:
        _MAKERS.update(dict.fromkeys(ops, maker))
        return maker

    return register


def make_action(node: Node, scope: Scope) -> Action:
    """What runs `node`.

    Raises:
        CannotRun: nothing here does.
    """
    maker = _MAKERS.get(node.op)
    try:
        if maker is not None:
            return maker(node, scope)
        if node.op in scope.graph.library.functions:
            return _MAKERS["PartitionedCall"](node, scope)
        if has_kernel(node.op):
            kernel = Prepared(node.op, kernel_attrs(scope.attrs(node)), scope.input_dtypes(node))
            kernel.check_types()
            return kernel
    except (KernelError, PbslimError) as error:
        raise CannotRun(node, str(error)) from None
    raise CannotRun(node, _reason(node))


def _reason(node: Node) -> str:
    if node.op in VARIABLES:
        return "a variable has no value in this file; freeze the graph first"
    if any(part in node.op for part in _OUTSIDE):
        return "it brings in data from outside of the graph; feed its outputs instead"
    return "there is no kernel for this op"
