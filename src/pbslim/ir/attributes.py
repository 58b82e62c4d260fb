"""Attributes of a node: decoded on first need, and never without need."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np

from pbslim.dtypes import DType, Shape
from pbslim.ir.tensors import ArrayTensor, Tensor
from pbslim.ops.definitions import Default


class TypeVariable(str):
    """The name of an attribute of the enclosing function, standing for its value (``placeholder`` in AttrValue)."""

    __slots__ = ()


@dataclass(frozen=True)
class FunctionRef:
    """A function of the library by name, with the attributes it is called with."""

    name: str
    attrs: Mapping[str, AttrValue]


AttrValue: TypeAlias = (
    "bytes | int | float | bool | DType | Shape | Tensor | FunctionRef | TypeVariable | tuple[Any, ...] | None"
)
"""What an attribute can be; a tuple is a list, None an AttrValue message in which nothing is set."""


def default_value(default: Default) -> AttrValue:
    """What the op table has as the default of an attribute, as a node has it."""
    if isinstance(default, tuple):
        return tuple(map(default_value, default))
    return ArrayTensor(default) if isinstance(default, np.ndarray) else default


class Encoded(ABC):
    """An attribute value still in the form in which a file holds it."""

    __slots__ = ()

    @abstractmethod
    def decode(self) -> AttrValue:
        """The value; raises DecodeError when the bytes are not an AttrValue."""


class Attributes(Mapping[str, AttrValue]):
    """The attributes of one node: a read-only mapping (`Node.set_attr` changes it)."""

    __slots__ = ("_decoded", "_items")

    def __init__(self, items: dict[str, AttrValue | Encoded] | None = None) -> None:
        self._items: dict[str, AttrValue | Encoded] = items if items is not None else {}
        self._decoded: dict[str, AttrValue] = {}

    def __getitem__(self, key: str) -> AttrValue:
        item = self._items[key]
        if isinstance(item, Encoded):
            if key not in self._decoded:
                self._decoded[key] = item.decode()
            return self._decoded[key]
        return item

    def __contains__(self, key: object) -> bool:
        return key in self._items

    def __iter__(self) -> Iterator[str]:
        return iter(self._items)

    def __len__(self) -> int:
        return len(self._items)

    def stored(self) -> Mapping[str, AttrValue | Encoded]:
        """The values as they are held: untouched ones are still encoded."""
        return self._items

    def copy(self) -> Attributes:
        """Attributes that can change on their own; encoded values are shared."""
        return Attributes(dict(self._items))

    def with_(self, key: str, value: AttrValue | Encoded) -> Attributes:
        """A copy in which `key` has `value`."""
        return Attributes({**self._items, key: value})

    def without(self, key: str) -> Attributes:
        """A copy that lacks `key`."""
        return Attributes({k: v for k, v in self._items.items() if k != key})


COLOCATION = b"loc:@"
"""How an entry of a ``_class`` attribute begins that asks for colocation with a node, whose name follows."""


def colocated_with(entry: object) -> str | None:
    """The node that an entry of a ``_class`` attribute wants to be colocated with, if any."""
    if not isinstance(entry, bytes) or not entry.startswith(COLOCATION):
        return None
    return entry[len(COLOCATION) :].decode(errors="replace")
