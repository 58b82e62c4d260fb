"""Constants as an op reads them: directly, or through the Identity that a frozen variable leaves behind."""

from __future__ import annotations

from pbslim.errors import DecodeError, GraphError, TransformError
from pbslim.ir import Node, OpaqueTensor, Tensor, Value
from pbslim.ops.families import ALIASES


def way_to_constant(value: Value) -> list[Node]:
    """The nodes from the one that `value` belongs to down to the Const behind it; empty when there is none."""
    found: list[Node] = []
    while value.port == 0 and value.node not in found:
        found.append(value.node)
        if value.node.op == "Const":
            return found
        if value.node.op not in ALIASES or len(value.node.inputs) != 1:
            break
        value = value.node.inputs[0]
    return []


def constant(value: Value) -> Tensor | None:
    """The constant that is read as `value`; None when it is none, or one that cannot be read."""
    nodes = way_to_constant(value)
    try:
        found = nodes[-1].tensor() if nodes else None
    except (DecodeError, GraphError):
        return None
    return None if isinstance(found, OpaqueTensor) else found


def const_value(node: Node) -> Tensor:
    """The tensor of a Const.

    Raises:
        TransformError: it has none, or one that cannot be read.
    """
    if node.dtype_attr("dtype") is None or not isinstance(tensor := _value(node), Tensor):
        raise TransformError(f"Const '{node.name}' has no dtype or no value")
    return tensor


def _value(node: Node) -> object:
    try:
        return node.attrs.get("value")
    except DecodeError as error:
        raise TransformError(f"Const '{node.name}': {error}") from None
