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

from collections.abc import Callable, Mapping
from typing import Any

from pbslim.dtypes import DTYPES, DType, Shape
from pbslim.errors import DecodeError
from pbslim.ir import AttrValue, Encoded, FunctionRef, Tensor, TypeVariable
from pbslim.wire import schema
from pbslim.wire.mapping import HeldBytes, Source
from pbslim.wire.tensors import (
    Piece,
    count_listed,
    decode_dims,
    decode_tensor,
    encode_shape,
    encode_tensor,
    is_plain,
)
from pbslim.wire.varint import LEN, VARINT, fields, length_delimited, read_varint, signed, tag, varint, varints

_LIST, _BYTES, _INT, _BOOL, _TYPE, _SHAPE, _TENSOR = 1, 2, 3, 5, 6, 7, 8


class EncodedAttr(Encoded):
    """An AttrValue message that still lies in its file."""

    __slots__ = ("end", "source", "start")

    def __init__(self, source: Source, start: int, end: int) -> None:
        self.source, self.start, self.end = source, start, end

    @property
    def size(self) -> int:
        """Bytes the message takes."""
        return self.end - self.start

    def decode(self) -> AttrValue:
        """The value.

        Raises:
            DecodeError: the bytes are not an AttrValue.
        """
        view = self.source.view
        self.source.touch(self.start, self.start + 1)  # the elements of a tensor stay where they are
        found: AttrValue = None
        for number, kind, at, stop in fields(view, self.start, self.end, "an attribute"):
            if number == _TENSOR and kind == LEN:
                found = decode_tensor(self.source, view, at, stop)
            elif number == _BYTES and kind == LEN:
                found = bytes(view[at:stop])
            elif number == _BOOL and kind == VARINT:
                found = bool(read_varint(view, at, stop)[0])
            elif number == _INT and kind == VARINT:
                found = signed(read_varint(view, at, stop)[0])
            elif number == _TYPE and kind == VARINT:
                found = _dtype(read_varint(view, at, stop)[0])
            elif number == _SHAPE and kind == LEN:
                found = Shape(decode_dims(view, at, stop))
            elif number != _LIST or kind != LEN or (found := _plain_list(view, at, stop)) is None:
                return _from_message(bytes(view[self.start : self.end]))
        return found

    def is_plain(self, tensor: Tensor) -> bool:
        """Whether the message holds nothing but type, shape and elements of `tensor`, which is the value."""
        found = list(fields(self.source.view, self.start, self.end, "an attribute"))
        return len(found) == 1 and found[0][:2] == (_TENSOR, LEN) and is_plain(self.source.view, *found[0][2:], tensor)

    def count_listed(self, tensor: Tensor) -> int | None:
        """How many elements of `tensor`, which is the plain value, stand in a typed list; None if they are raw."""
        *_, start, end = next(fields(self.source.view, self.start, self.end, "an attribute"))
        return count_listed(self.source.view, start, end, tensor)


def _plain_list(view: memoryview, start: int, end: int) -> tuple[AttrValue, ...] | None:
    """A list of texts, whole numbers or types: most lists, and quick to read without the protobuf library."""
    parts = list(fields(view, start, end, "a list"))
    kinds = {(number, kind) for number, kind, *_ in parts}
    if not parts:
        return ()
    if kinds == {(_BYTES, LEN)}:
        return tuple(bytes(view[at:stop]) for *_, at, stop in parts)
    if kinds <= {(_INT, LEN), (_INT, VARINT)}:
        return tuple(signed(number) for *_, at, stop in parts for number in varints(view, at, stop))
    if kinds <= {(_TYPE, LEN), (_TYPE, VARINT)}:
        return tuple(_dtype(number) for *_, at, stop in parts for number in varints(view, at, stop))
    return None


def _dtype(number: int) -> DType:
    try:
        return DTYPES[number]
    except KeyError:
        raise DecodeError(f"an attribute names data type number {number}, which is not known") from None


def _from_message(encoded: bytes) -> AttrValue:
    message = schema.new("AttrValue")
    try:
        message.ParseFromString(encoded)
    except Exception as error:  # noqa: BLE001 - the libraries behind protobuf raise different classes
        raise DecodeError(f"an attribute cannot be decoded: {error}") from None
    return value_of(message)


def value_of(message: Any) -> AttrValue:
    """The Python value of an AttrValue message."""
    kind = message.WhichOneof("value")
    if kind is None:
        return None
    content = getattr(message, kind)
    if kind == "list":
        for name in ("s", "i", "f", "b", "type", "shape", "tensor", "func"):
            if items := getattr(content, name):
                return tuple(_CONVERT.get(name, _same)(item) for item in items)
        return ()
    return _CONVERT.get(kind, _same)(content)  # type: ignore[no-any-return]


def _same(content: Any) -> Any:
    return content


def _shape(message: Any) -> Shape:
    return Shape(None if message.unknown_rank else tuple(dim.size for dim in message.dim))


def _tensor(message: Any) -> Tensor:
    encoded = HeldBytes(message.SerializeToString())
    return decode_tensor(encoded, encoded.view, 0, len(encoded))


def _function(message: Any) -> FunctionRef:
    return FunctionRef(message.name, {key: value_of(value) for key, value in message.attr.items()})


_CONVERT: dict[str, Callable[[Any], Any]] = {
    "type": _dtype,
    "shape": _shape,
    "tensor": _tensor,
    "func": _function,
    "placeholder": TypeVariable,
}


def encode_attr(value: AttrValue) -> list[bytes | Piece]:
    """The AttrValue message for a Python value."""
    if isinstance(value, Tensor):
        inner = encode_tensor(value)
        return [tag(_TENSOR, LEN) + varint(total(inner)), *inner]
    if isinstance(value, DType):
        return [tag(_TYPE, VARINT) + varint(value.number)]
    if isinstance(value, bytes) and value:
        return [length_delimited(_BYTES, value)]
    message = schema.new("AttrValue")
    _fill(message, value)
    return [message.SerializeToString(deterministic=True)]


def total(pieces: list[bytes | Piece]) -> int:
    """Bytes that `pieces` take together."""
    return sum(piece.size if isinstance(piece, Piece) else len(piece) for piece in pieces)


def _fill(message: Any, value: AttrValue) -> None:
    if value is None:
        return
    if isinstance(value, tuple):
        message.list.SetInParent()
        for item in value:
            single = schema.new("AttrValue")
            _fill(single, item)
            kind = single.WhichOneof("value")
            content = getattr(single, kind)
            getattr(message.list, kind).append(content)
    elif isinstance(value, bool):
        message.b = value
    elif isinstance(value, int):
        message.i = value
    elif isinstance(value, float):
        message.f = value
    elif isinstance(value, bytes):
        message.s = value
    elif isinstance(value, TypeVariable):
        message.placeholder = value
    elif isinstance(value, DType):
        message.type = value.number
    elif isinstance(value, Shape):
        message.shape.SetInParent()
        if value.dims is None:
            message.shape.unknown_rank = True
        else:
            message.shape.MergeFromString(encode_shape(value.dims))
    elif isinstance(value, Tensor):
        message.tensor.MergeFromString(joined(encode_tensor(value)))
    elif isinstance(value, FunctionRef):
        message.func.name = value.name
        fill_map(message.func.attr, value.attrs)
    else:
        raise TypeError(f"an attribute cannot hold {type(value).__name__}")


def fill_map(field: Any, attrs: Mapping[str, AttrValue]) -> None:
    """Put `attrs` into a protobuf map of AttrValue messages."""
    for key, value in attrs.items():
        _fill(field[key], value)


def joined(pieces: list[bytes | Piece]) -> bytes:
    """The bytes of `pieces`, all at once."""
    return b"".join(
        b"".join(bytes(part) for part in piece.pieces()) if isinstance(piece, Piece) else piece for piece in pieces
    )
