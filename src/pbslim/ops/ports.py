"""From the attributes of a node to its ports: how many there are and what types they have."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeAlias

from pbslim.dtypes import DTYPES, DType
from pbslim.errors import DecodeError
from pbslim.ops.definitions import MISSING, ArgDef, OpDef, find

Attrs: TypeAlias = Mapping[str, object]

_MOST_PORTS = 1 << 16  # a file may lie about a number attribute
_REF = 100  # a reference type is its base type's number plus this


def attr_value(op: str, attrs: Attrs, name: str) -> object:
    """The value of an attribute, its default where `attrs` lacks it.

    Raises:
        LookupError: there is neither a value nor a default, or the value cannot be decoded.
    """
    try:
        return attrs[name]
    except KeyError:
        definition = find(op)
        default = definition.attrs[name].default if definition and name in definition.attrs else MISSING
    except DecodeError as error:
        raise LookupError(name) from error
    if default is MISSING:
        raise LookupError(name)
    return default


def _typed(definition: OpDef, attrs: Attrs, name: str, kind: type) -> object:
    value = attr_value(definition.name, attrs, name)
    if not isinstance(value, kind) or isinstance(value, bool):
        raise LookupError(name)
    return value


def _types(definition: OpDef, arg: ArgDef, attrs: Attrs) -> tuple[DType, ...]:
    """One type for each port of `arg`."""
    if arg.type_list_attr:
        types = _typed(definition, attrs, arg.type_list_attr, tuple)
        assert isinstance(types, tuple)  # noqa: S101  # for the type checker
        if not all(isinstance(t, DType) for t in types):
            raise LookupError(arg.type_list_attr)
    else:
        one = arg.dtype or (_typed(definition, attrs, arg.type_attr, DType) if arg.type_attr else None)
        count = _typed(definition, attrs, arg.number_attr, int) if arg.number_attr else 1
        if not isinstance(one, DType) or not isinstance(count, int) or not 0 <= count <= _MOST_PORTS:
            raise LookupError(arg.name)
        types = (one,) * count
    return tuple(DTYPES[t.base.number + _REF] for t in types) if arg.is_ref else types


def input_dtypes(op: str, attrs: Attrs) -> tuple[DType, ...] | None:
    """The types of the data inputs of a node, one a port.

    Returns:
        None for an unknown op, or when an attribute that decides is missing or of the wrong kind.
    """
    definition = find(op)
    return None if definition is None else _all_types(definition, definition.inputs, attrs)


def output_dtypes(op: str, attrs: Attrs) -> tuple[DType, ...] | None:
    """The types of the outputs of a node, one a port; those of old variables are reference types.

    Returns:
        None for an unknown op, or when an attribute that decides is missing or of the wrong kind.
    """
    definition = find(op)
    return None if definition is None else _all_types(definition, definition.outputs, attrs)


def _all_types(definition: OpDef, args: tuple[ArgDef, ...], attrs: Attrs) -> tuple[DType, ...] | None:
    try:
        return tuple(dtype for arg in args for dtype in _types(definition, arg, attrs))
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
            count = len(_types(definition, arg, attrs))
            ports[arg.name] = (first, count)
            first += count
    except LookupError:
        return None
    return ports
