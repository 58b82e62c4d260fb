"""TensorFlow's graph messages as ``graph.proto`` describes them, and as objects in a private descriptor pool.

The pool is private so that importing TensorFlow in the same process never clashes. Few graphs need message objects at
all, so the protobuf library is loaded by the first one.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from google.protobuf.descriptor_pool import DescriptorPool

_PACKAGE = "tensorflow"
_FILE = Path(__file__).with_name("graph.proto")
_TOKEN = re.compile(r"//.*|(map<(\w+), ([\w.]+)>|[\w.]+|[{}=;])")
_SCALARS = frozenset({"string", "bytes", "int32", "int64", "uint32", "uint64", "fixed64", "float", "double", "bool"})


@dataclass(frozen=True)
class Field:
    """A field of a message.

    Attributes:
        type: of the values: a scalar type of protobuf, or the full name of an enum or a message.
        key: the type of the keys, empty where the field is not a map.
        oneof: the group of fields of which a message has one at most; empty for none.
    """

    name: str
    number: int
    type: str
    repeated: bool = False
    key: str = ""
    oneof: str = ""


@dataclass(frozen=True)
class Schema:
    """The messages by full name (``OpDef.ArgDef``) with their fields by name, and the enums with their numbers."""

    messages: Mapping[str, Mapping[str, Field]]
    enums: Mapping[str, Mapping[str, int]]


@cache
def schema() -> Schema:
    """What ``graph.proto`` says."""
    messages: dict[str, dict[str, Field]] = {}
    enums: dict[str, dict[str, int]] = {}
    scope: list[tuple[str, str]] = []  # kind and name of each open brace
    statement: list[re.Match[str]] = []
    for token in _TOKEN.finditer(_FILE.read_text()):
        text = token[1]
        if text == "{":
            kind, name = (each[1] for each in statement)
            scope.append((kind, name))
            outer = ".".join(name for kind, name in scope if kind != "oneof")
            if kind != "oneof":
                (messages if kind == "message" else enums)[outer] = {}
            statement = []
        elif text == "}":
            scope.pop()
        elif text == ";":
            kind, name = scope[-1]
            outer = ".".join(each for kind, each in scope if kind != "oneof")
            if kind == "enum":
                enums[outer][statement[0][1]] = int(statement[2][1])
            else:
                field = _field(statement, name if kind == "oneof" else "")
                messages[outer][field.name] = field
            statement = []
        elif text:
            statement.append(token)
    known = messages.keys() | enums.keys()
    return Schema({name: _resolved(fields, name, known) for name, fields in messages.items()}, enums)


def _field(statement: list[re.Match[str]], oneof: str) -> Field:
    *label, kind, name, _, number = statement
    return Field(name[1], int(number[1]), kind[3] or kind[1], bool(label or kind[2]), kind[2] or "", oneof)


def _resolved(fields: Mapping[str, Field], scope: str, known: frozenset[str] | set[str]) -> dict[str, Field]:
    """The fields of message `scope`, types with their full names: what is nested deeper comes first."""
    parts = scope.split(".")
    prefixes = ["".join(f"{part}." for part in parts[:depth]) for depth in range(len(parts), -1, -1)]
    found = {}
    for name, field in fields.items():
        kind = (
            field.type if field.type in _SCALARS else next(p + field.type for p in prefixes if p + field.type in known)
        )
        found[name] = replace(field, type=kind)
    return found


@cache
def _pool() -> DescriptorPool:
    from google.protobuf import descriptor_pb2, descriptor_pool

    file = descriptor_pb2.FileDescriptorProto(name="pbslim/graph.proto", package=_PACKAGE, syntax="proto3")
    for name, values in schema().enums.items():
        enum = file.enum_type.add(name=name)
        for label, number in values.items():
            enum.value.add(name=label, number=number)
    described: dict[str, Any] = {}
    for name, fields in schema().messages.items():
        outer, _, inner = name.rpartition(".")
        message = described[outer].nested_type.add(name=inner) if outer else file.message_type.add(name=inner)
        described[name] = message
        for field in fields.values():
            _describe(message, name, field)
    pool = descriptor_pool.DescriptorPool()
    pool.AddSerializedFile(file.SerializeToString())
    return pool


def _describe(message: Any, full_name: str, field: Field) -> None:
    described = message.field.add(name=field.name, number=field.number, label=3 if field.repeated else 1)
    if field.key:
        entry = message.nested_type.add(name="".join(map(str.capitalize, field.name.split("_"))) + "Entry")
        entry.options.map_entry = True
        for number, (name, kind) in enumerate((("key", field.key), ("value", field.type)), start=1):
            _set_type(entry.field.add(name=name, number=number, label=1), kind)
        described.type, described.type_name = described.TYPE_MESSAGE, f".{_PACKAGE}.{full_name}.{entry.name}"
        return
    if field.oneof:
        if not message.oneof_decl:  # no message here has two
            message.oneof_decl.add(name=field.oneof)
        described.oneof_index = 0
    _set_type(described, field.type)


def _set_type(described: Any, kind: str) -> None:
    if kind in _SCALARS:
        described.type = getattr(described, f"TYPE_{kind.upper()}")
    else:
        described.type = described.TYPE_ENUM if kind in schema().enums else described.TYPE_MESSAGE
        described.type_name = f".{_PACKAGE}.{kind}"


@cache
def _message_class(name: str) -> type:
    from google.protobuf import message_factory

    return message_factory.GetMessageClass(_pool().FindMessageTypeByName(f"{_PACKAGE}.{name}"))


def new(name: str) -> Any:
    """An empty message called `name`, for instance ``GraphDef``; its fields are attributes, known only at run time."""
    return _message_class(name)()
