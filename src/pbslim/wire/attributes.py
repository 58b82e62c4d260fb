"""AttrValue ↔ Python values.

=============  ==================================
AttrValue      Python
=============  ==================================
s, i, f, b     bytes, int, float, bool
type, shape    `DType`, `Shape`
tensor         `Tensor` (elements stay in the file)
func           `FunctionRef`
placeholder    `TypeVariable`
list           tuple of the above
nothing set    None
=============  ==================================
"""

from __future__ import annotations

import math
import struct
from collections.abc import Iterator
from itertools import islice
from typing import Any

from pbslim.dtypes import DTYPES, DType, Shape
from pbslim.errors import DecodeError
from pbslim.ir import AttrValue, Encoded, FunctionRef, Tensor, TypeVariable
from pbslim.wire.parts import Part, joined, total
from pbslim.wire.sources import Source
from pbslim.wire.tensors import count_listed, decode_dims, decode_tensor, encode_shape, encode_tensor, is_plain
from pbslim.wire.varint import (
    FIXED32,
    LEN,
    VARINT,
    MessageError,
    fields,
    length_delimited,
    read_text,
    read_varint,
    signed,
    tag,
    varint,
    varints,
)

_LIST, _BYTES, _INT, _FLOAT, _BOOL, _TYPE, _SHAPE, _TENSOR, _PLACEHOLDER, _FUNC = range(1, 11)
_LIST_FUNC = 9  # the other kinds have the same number in a list
_DEEPEST = 64
_LONGEST_LIST = 1 << 20
_TENSOR_SHAPE = 2
_LOOKED_AT = 64  # fields
_UNKNOWN: Any = object()

HELD_BYTES = 1 << 10
"""Attributes up to this size are held in memory, larger ones stay in their file."""


class EncodedAttr(Encoded):
    """An AttrValue message as it lies in its file; of a small one the value is kept."""

    __slots__ = ("_value", "end", "source", "start")

    def __init__(self, source: Source, start: int, end: int) -> None:
        self.source, self.start, self.end = source, start, end
        self._value: AttrValue = _UNKNOWN

    @property
    def size(self) -> int:
        """Bytes the message takes."""
        return self.end - self.start

    def decode(self) -> AttrValue:
        """The value.

        Raises:
            DecodeError: the bytes are not an AttrValue.
        """
        if self._value is not _UNKNOWN:
            return self._value
        value = _decode(self.source, self.start, self.end, 0)
        if self.size <= HELD_BYTES:
            self._value = value
        return value

    def check(self) -> None:
        """Look, as far as that is quick, whether this is a message, whatever it means.

        Raises:
            MessageError: it is not, so that no other program would read the file.
        """
        if self.size <= HELD_BYTES:
            try:
                self.decode()
            except MessageError:
                raise
            except DecodeError:  # reported when the value is read
                pass
            return
        for number, kind, at, stop in islice(fields(self.source, self.start, self.end, "an attribute"), _LOOKED_AT):
            if (number, kind) == (_TENSOR, LEN):
                for inner, inner_kind, first, last in islice(fields(self.source, at, stop, "a tensor"), _LOOKED_AT):
                    if (inner, inner_kind) == (_TENSOR_SHAPE, LEN):
                        decode_dims(self.source, first, last)

    def is_plain(self, tensor: Tensor) -> bool:
        """Whether the message holds nothing but type, shape and elements of `tensor`, which is the value."""
        found = list(fields(self.source, self.start, self.end, "an attribute"))
        return len(found) == 1 and found[0][:2] == (_TENSOR, LEN) and is_plain(self.source, *found[0][2:], tensor)

    def count_listed(self, tensor: Tensor) -> int | None:
        """How many elements of `tensor`, which is the plain value, stand in a typed list; None if they are raw."""
        *_, start, end = next(fields(self.source, self.start, self.end, "an attribute"))
        return count_listed(self.source, start, end, tensor)


def _decode(source: Source, start: int, end: int, depth: int) -> AttrValue:
    if depth > _DEEPEST:
        raise DecodeError(f"an attribute at byte {start} is nested too deeply")
    found: AttrValue = None
    for number, kind, at, stop in fields(source, start, end, "an attribute"):
        if number == _LIST and kind == LEN:
            found = _decode_list(source, at, stop, depth)
        elif number in _KINDS and kind == _KINDS[number]:
            found = _decode_one(number, source, at, stop, depth)
    return found


_KINDS = {
    _BYTES: LEN,
    _INT: VARINT,
    _FLOAT: FIXED32,
    _BOOL: VARINT,
    _TYPE: VARINT,
    _SHAPE: LEN,
    _TENSOR: LEN,
    _PLACEHOLDER: LEN,
    _FUNC: LEN,
}


def _decode_one(number: int, source: Source, at: int, stop: int, depth: int) -> AttrValue:
    if _KINDS[number] == VARINT:
        return _from_varint(number, read_varint(source, at, stop)[0])
    if number == _BYTES:
        return bytes(source[at:stop])
    if number == _FLOAT:
        return float(struct.unpack("<f", source[at:stop])[0])
    if number == _SHAPE:
        return Shape(decode_dims(source, at, stop))
    if number == _TENSOR:
        return decode_tensor(source, at, stop)
    if number == _PLACEHOLDER:
        return TypeVariable(read_text(source, at, stop, "the name of an attribute"))
    return _decode_function(source, at, stop, depth)


def _from_varint(number: int, value: int) -> AttrValue:
    if number == _TYPE:
        if value not in DTYPES:
            raise DecodeError(f"an attribute names data type number {signed(value)}, which is not known")
        return DTYPES[value]
    return bool(value) if number == _BOOL else signed(value)


def _decode_list(source: Source, start: int, end: int, depth: int) -> tuple[AttrValue, ...]:
    found: dict[int, list[AttrValue]] = {}
    for number, kind, at, stop in fields(source, start, end, "a list"):
        one = _FUNC if number == _LIST_FUNC else number
        if one not in _KINDS or (number, kind) == (_FUNC, LEN):
            continue
        items = found.setdefault(one, [])
        if kind == _KINDS[one]:
            items.append(_decode_one(one, source, at, stop, depth))
        elif kind == LEN:
            items += _packed(one, source, at, stop)
        if len(items) > _LONGEST_LIST:
            raise DecodeError(f"an attribute at byte {start} is a list of more than {_LONGEST_LIST} elements")
    return next((tuple(items) for _, items in sorted(found.items()) if items), ())


def _packed(number: int, source: Source, at: int, stop: int) -> Iterator[AttrValue]:
    if stop - at > _LONGEST_LIST * 10:
        raise DecodeError(f"an attribute at byte {at} is a list of more than {_LONGEST_LIST} elements")
    if number == _FLOAT:
        if (stop - at) % 4:
            raise MessageError(f"a list of numbers at byte {at} ends within one of them")
        return (float(value) for (value,) in struct.iter_unpack("<f", source[at:stop]))
    return (_from_varint(number, value) for value in varints(source, at, stop))


def _decode_function(source: Source, start: int, end: int, depth: int) -> FunctionRef:
    name, attrs = "", {}
    for number, kind, at, stop in fields(source, start, end, "a reference to a function"):
        if number == 1 and kind == LEN:
            name = read_text(source, at, stop, "the name of a function")
        elif number == 2 and kind == LEN:
            key, value_start, value_stop = read_entry(source, at, stop)
            attrs[key] = _decode(source, value_start, value_stop, depth + 1)
    return FunctionRef(name, attrs)


def read_entry(source: Source, start: int, end: int) -> tuple[str, int, int]:
    """The key of an entry in a map of attributes, and where the value starts and ends."""
    key, value = "", (end, end)
    for number, kind, at, stop in fields(source, start, end, "an attribute"):
        if number == 1 and kind == LEN:
            key = read_text(source, at, stop, "an attribute's name")
        elif number == 2 and kind == LEN:
            value = (at, stop)
    return key, *value


def encode_attr(value: AttrValue) -> list[Part]:
    """The AttrValue message for a Python value."""
    if value is None:
        return []
    if isinstance(value, tuple):
        content = _encode_list(value)
        return [tag(_LIST, LEN) + varint(total(content)), *content]
    number = _number(value)
    return _encode_one(number, number, value)


def _number(value: AttrValue) -> int:
    """The field of an AttrValue that holds such a value."""
    for kind, number in (
        (bool, _BOOL),
        (int, _INT),
        (float, _FLOAT),
        (bytes, _BYTES),
        (TypeVariable, _PLACEHOLDER),
        (DType, _TYPE),
        (Shape, _SHAPE),
        (Tensor, _TENSOR),
        (FunctionRef, _FUNC),
    ):
        if isinstance(value, kind):
            return number
    raise TypeError(f"an attribute cannot hold {type(value).__name__}")


def _encode_one(number: int, kind: int, value: Any) -> list[Part]:
    """A field called `number` that holds a value of the kind that an AttrValue has as field `kind`."""
    if _KINDS[kind] == VARINT:
        return [tag(number, VARINT) + _to_varint(value)]
    if kind == _FLOAT:
        return [tag(number, FIXED32) + _single(value)]
    if kind == _TENSOR:
        content = encode_tensor(value)
        return [tag(number, LEN) + varint(total(content)), *content]
    if kind == _BYTES:
        return [length_delimited(number, value)]
    if kind == _PLACEHOLDER:
        return [length_delimited(number, value.encode())]
    if kind == _SHAPE:
        unknown = tag(3, VARINT) + varint(1)
        return [length_delimited(number, unknown if value.dims is None else encode_shape(value.dims))]
    entries = [length_delimited(1, value.name.encode())] if value.name else []
    for key, inner in sorted(value.attrs.items()):
        encoded = length_delimited(1, key.encode()) + length_delimited(2, joined(encode_attr(inner)))
        entries.append(length_delimited(2, encoded))
    return [length_delimited(number, b"".join(entries))]


def _to_varint(value: int | DType) -> bytes:
    return varint(value.number if isinstance(value, DType) else value)


def _single(value: float) -> bytes:
    try:
        return struct.pack("<f", value)
    except OverflowError:  # beyond the range of 32 bits
        return struct.pack("<f", math.copysign(math.inf, value))


def _encode_list(values: tuple[Any, ...]) -> list[Part]:
    if not values:
        return []
    kind = _number(values[0])
    if any(_number(value) != kind for value in values):
        raise TypeError("the values of a list attribute must be of one kind")
    if _KINDS[kind] == VARINT:
        return [length_delimited(kind, b"".join(map(_to_varint, values)))]
    if kind == _FLOAT:
        return [length_delimited(kind, b"".join(map(_single, values)))]
    number = _LIST_FUNC if kind == _FUNC else kind
    return [part for value in values for part in _encode_one(number, kind, value)]
