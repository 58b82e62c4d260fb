"""Attributes of a node, read by the type that is expected, with the default that its op gives them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeAlias, TypeVar

from pbslim.errors import DecodeError
from pbslim.ops.definitions import MISSING, find

Attrs: TypeAlias = Mapping[str, object]
T = TypeVar("T")


def read(op: str, attrs: Attrs, name: str, kind: type[T]) -> T | None:
    """Attribute `name`, or the default of `op` where `attrs` lacks it; None when there is neither, or another kind.

    Args:
        kind: the type of the value, ``object`` for any.

    Raises:
        DecodeError: the bytes of the value are broken.
    """
    try:
        value = attrs[name]
    except KeyError:
        definition = None if name.startswith("_") else find(op)
        value = definition.attrs[name].default if definition and name in definition.attrs else MISSING
    if value is MISSING or not isinstance(value, kind) or (isinstance(value, bool) and kind not in (bool, object)):
        return None
    return value


def required(op: str, attrs: Attrs, name: str, kind: type[T]) -> T:
    """The same where it must be there.

    Raises:
        LookupError: it is missing, broken, or of another kind.
    """
    try:
        value = read(op, attrs, name, kind)
    except DecodeError as error:
        raise LookupError(name) from error
    if value is None:
        raise LookupError(name)
    return value
