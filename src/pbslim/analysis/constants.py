"""Constants as an op reads them: directly, or through the Identity that a frozen variable leaves behind."""

from __future__ import annotations

from pbslim.dtypes import INT32, INT64
from pbslim.errors import DecodeError, GraphError, TransformError
from pbslim.ir import Node, OpaqueTensor, Tensor, Value
from pbslim.ops.families import ALIASES

_MOST_INTEGERS = 1 << 10


def way_to_constant(value: Value) -> list[Node]:
    """The nodes from the one that `value` belongs to up to the Const that it comes from; empty when there is none."""
    found: list[Node] = []
    while value.port == 0 and value.node not in found:
        found.append(value.node)
        if value.node.op == "Const":
            return found
        if value.node.op not in ALIASES or len(value.node.inputs) != 1:
            break
        value = value.node.inputs[0]
    return []


def behind_aliases(value: Value) -> Value:
    """The value that `value` is another name for; where aliases lead in a circle, one of them."""
    seen = {value}
    while value.port == 0 and value.node.op in ALIASES and len(value.node.inputs) == 1:
        value = value.node.inputs[0]
        if value in seen:
            break
        seen.add(value)
    return value


def constant(value: Value) -> Tensor | None:
    """The constant that is read as `value`; None when it is none, or one that cannot be read."""
    nodes = way_to_constant(value)
    try:
        found = nodes[-1].tensor() if nodes else None
    except (DecodeError, GraphError):
        return None
    return None if isinstance(found, OpaqueTensor) else found


def integers(value: Value) -> list[int] | None:
    """The whole numbers that are read as `value`; None when they are not constant, or too many for shapes and axes."""
    tensor = constant(value)
    if tensor is None or tensor.dtype not in (INT32, INT64) or tensor.size > _MOST_INTEGERS:
        return None
    return [int(number) for number in tensor.numpy().reshape(-1)]


def integer(value: Value) -> int | None:
    """The one whole number that is read as `value`; None when it is not constant or not one."""
    numbers = integers(value)
    return numbers[0] if numbers and len(numbers) == 1 else None


def const_value(node: Node) -> Tensor:
    """The tensor of a Const.

    Raises:
        TransformError: it has none, or one that cannot be read.
    """
    try:
        if node.dtype_attr("dtype") is not None:
            return node.tensor()
    except DecodeError as error:
        raise TransformError(f"Const '{node.name}': {error}") from None
    except GraphError:
        pass
    raise TransformError(f"Const '{node.name}' has no dtype or no value")
