"""The op table: one definition for each op, as TensorFlow's op registry has it.

``table.tsv.gz`` is made by ``scripts/make_op_table.py``: a line for each op, its name and its definition in JSON.
Where TensorFlow 1.15 has an op, its defaults are the ones given; attributes and types that later releases added are
there too.
"""

from __future__ import annotations

import base64
import json
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from functools import cache
from pkgutil import get_data
from types import MappingProxyType
from typing import Any, Final, TypeAlias

import numpy as np
import numpy.typing as npt

from pbslim.dtypes import DTYPES, DType, Shape

Default: TypeAlias = "bytes | int | float | bool | DType | Shape | npt.NDArray[Any] | tuple[Any, ...]"


class Missing(Enum):
    """The type of `MISSING`."""

    MISSING = "no default"


MISSING: Final = Missing.MISSING
"""The default of an attribute that has none, so that each node must have it."""


@dataclass(frozen=True)
class ArgDef:
    """One input or output of an op, which can stand for several ports.

    Attributes:
        name: its name in the op's definition.
        dtype: the type, where it is always the same.
        type_attr: the attribute that holds the type.
        number_attr: the attribute that holds how many ports of one type there are.
        type_list_attr: the attribute that holds a list of types, one per port.
        is_ref: whether the tensors are references, as those of old variables.
    """

    name: str
    dtype: DType | None = None
    type_attr: str | None = None
    number_attr: str | None = None
    type_list_attr: str | None = None
    is_ref: bool = False


@dataclass(frozen=True)
class AttrDef:
    """One attribute of an op.

    Attributes:
        name: its name.
        kind: ``int``, ``float``, ``bool``, ``string``, ``type``, ``shape``, ``tensor``, ``func`` or a list of
            those, as in ``list(int)``.
        default: the value that its absence means, or `MISSING`. Types are `DType`, shapes `Shape`, strings bytes,
            tensors read-only arrays, lists tuples.
        since: the release that brought it, ``1.4`` for that one and all before.
        allowed: the only strings or types it can have; empty for any.
    """

    name: str
    kind: str
    default: Default | Missing
    since: str
    allowed: tuple[bytes | DType, ...] = ()


@dataclass(frozen=True)
class OpDef:
    """The definition of an op.

    Attributes:
        name: its name.
        inputs: the data inputs in order.
        outputs: the outputs in order.
        attrs: the attributes by name.
        is_stateful: whether equal inputs can give unequal results, or running it has an effect.
        is_commutative: whether the order of its two inputs is of no importance.
        since: the release that brought it, ``1.4`` for that one and all before.
    """

    name: str
    inputs: tuple[ArgDef, ...]
    outputs: tuple[ArgDef, ...]
    attrs: Mapping[str, AttrDef]
    is_stateful: bool
    is_commutative: bool
    since: str


@cache
def _table() -> dict[str, str]:
    """Name → definition, still in JSON: a graph asks for a few of them only."""
    text = zlib.decompress(get_data(__name__, "table.tsv.gz") or b"", wbits=31).decode()
    return dict(line.split("\t", 1) for line in text.splitlines())


@cache
def _definition(op: str) -> OpDef:
    entry = json.loads(_table()[op])
    attrs = {a["name"]: _attribute(a, entry["since"]) for a in entry["attrs"]}
    return OpDef(
        name=op,
        inputs=tuple(map(_argument, entry["inputs"])),
        outputs=tuple(map(_argument, entry["outputs"])),
        attrs=MappingProxyType(attrs),
        is_stateful=entry.get("is_stateful", False),
        is_commutative=entry.get("is_commutative", False),
        since=entry["since"],
    )


def _argument(entry: dict[str, Any]) -> ArgDef:
    fields = {key: value for key, value in entry.items() if key != "type"}
    return ArgDef(dtype=DTYPES[entry["type"]] if "type" in entry else None, **fields)


def _attribute(entry: dict[str, Any], op_since: str) -> AttrDef:
    kind = entry["kind"]
    return AttrDef(
        name=entry["name"],
        kind=kind,
        default=_value(kind, entry["default"]) if "default" in entry else MISSING,
        since=entry.get("since", op_since),
        allowed=tuple(_value(kind.removeprefix("list(").removesuffix(")"), v) for v in entry.get("allowed", ())),
    )


def _value(kind: str, value: Any) -> Any:  # what JSON holds
    if kind.startswith("list("):
        return tuple(_value(kind[5:-1], item) for item in value)
    if kind == "string":
        return value.encode("latin-1")
    if kind == "type":
        return DTYPES[value]
    if kind == "shape":
        return Shape(None if value is None else tuple(value))
    if kind == "tensor":
        return np.frombuffer(base64.b64decode(value["data"]), value["dtype"]).reshape(value["shape"])
    return value


def find(op: str) -> OpDef | None:
    """The definition of `op`, None when no release of TensorFlow that we know has it."""
    return _definition(op) if op in _table() else None


def is_default(op: str, attr: str, value: object) -> bool:
    """Whether `value` of attribute `attr` is what its absence means too."""
    definition = find(op)
    default = definition.attrs[attr].default if definition and attr in definition.attrs else MISSING
    if isinstance(default, float) and isinstance(value, float):
        return bool(np.float32(default) == np.float32(value))
    # The few defaults that are tensors belong to ops of summaries.
    return type(default) is type(value) and not isinstance(default, np.ndarray) and bool(default == value)


def suggest(op: str) -> str | None:
    """The known op whose name is nearest to `op`, None when none is near."""
    import difflib

    same = [name for name in _table() if name.lower() == op.lower()]
    return next(iter(same or difflib.get_close_matches(op, _table(), n=1, cutoff=0.75)), None)
