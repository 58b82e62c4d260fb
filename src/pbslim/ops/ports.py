"""From the attributes of a node to its ports: how many there are and what types they have."""

from __future__ import annotations

from pbslim.dtypes import DTYPES, DType
from pbslim.ops.attributes import Attrs, required
from pbslim.ops.definitions import ArgDef, OpDef, find

MOST_PORTS = 1 << 16
"""The most ports a node can have here: a file may lie about a number attribute."""

_REF = 100  # a reference type is its base type's number plus this


def _types(op: str, arg: ArgDef, attrs: Attrs) -> tuple[DType, ...]:
    """One type for each port of `arg`."""
    if arg.type_list_attr:
        types = required(op, attrs, arg.type_list_attr, tuple)
    else:
        one = arg.dtype or required(op, attrs, arg.type_attr or "", DType)
        count = required(op, attrs, arg.number_attr, int) if arg.number_attr else 1
        types = (one,) * count if 0 <= count <= MOST_PORTS else (None,)
    if not all(isinstance(t, DType) for t in types):
        raise LookupError(arg.name)
    return tuple(DTYPES[t.base.number + _REF] for t in types) if arg.is_ref else types


def _count(op: str, arg: ArgDef, attrs: Attrs) -> int:
    """How many ports `arg` has; the types may still be open, as in the body of a function."""
    if arg.type_list_attr:
        return len(required(op, attrs, arg.type_list_attr, tuple))
    count = required(op, attrs, arg.number_attr, int) if arg.number_attr else 1
    if not 0 <= count <= MOST_PORTS:
        raise LookupError(arg.name)
    return count


def input_dtypes(op: str, attrs: Attrs) -> tuple[DType, ...] | None:
    """The types of the data inputs of a node, one per port.

    Returns:
        None for an unknown op, or when an attribute that decides is missing or of the wrong kind.
    """
    definition = find(op)
    return None if definition is None else _all_types(definition, definition.inputs, attrs)


def output_dtypes(op: str, attrs: Attrs) -> tuple[DType, ...] | None:
    """The types of the outputs of a node, one per port; those of old variables are reference types.

    Returns:
        None for an unknown op, or when an attribute that decides is missing or of the wrong kind.
    """
    definition = find(op)
    return None if definition is None else _all_types(definition, definition.outputs, attrs)


def output_dtype(op: str, attrs: Attrs, port: int) -> DType | None:
    """The type of one output of a node; None where it is not known, or there is no such output."""
    types = output_dtypes(op, attrs) or ()
    return types[port] if port < len(types) else None


def _all_types(definition: OpDef, args: tuple[ArgDef, ...], attrs: Attrs) -> tuple[DType, ...] | None:
    try:
        return tuple(dtype for arg in args for dtype in _types(definition.name, arg, attrs))
    except LookupError:
        return None


def input_count(op: str, attrs: Attrs) -> int | None:
    """How many data inputs a node has; None for an unknown op, or when the attributes do not say."""
    definition = find(op)
    return None if definition is None else _total(definition, definition.inputs, attrs)


def output_count(op: str, attrs: Attrs) -> int | None:
    """How many outputs a node has; None for an unknown op, or when the attributes do not say."""
    definition = find(op)
    return None if definition is None else _total(definition, definition.outputs, attrs)


def _total(definition: OpDef, args: tuple[ArgDef, ...], attrs: Attrs) -> int | None:
    try:
        return sum(_count(definition.name, arg, attrs) for arg in args)
    except LookupError:
        return None


def output_ports(op: str, attrs: Attrs) -> dict[str, tuple[int, int]] | None:
    """Where each named output starts and how many ports it has.

    Bodies of functions refer to outputs as ``node:name:index``; the port is the first of that name plus the index.

    Returns:
        None for an unknown op, or when an attribute that decides is missing or of the wrong kind.
    """
    definition = find(op)
    if definition is None:
        return None
    ports: dict[str, tuple[int, int]] = {}
    first = 0
    try:
        for arg in definition.outputs:
            count = _count(op, arg, attrs)
            ports[arg.name] = (first, count)
            first += count
    except LookupError:
        return None
    return ports
