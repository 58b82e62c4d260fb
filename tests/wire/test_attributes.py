"""Attributes that are read by hand, against the protobuf library."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pbslim.dtypes import DTYPES, Shape
from pbslim.errors import DecodeError
from pbslim.ir import AttrValue
from pbslim.wire import schema
from pbslim.wire.attributes import EncodedAttr, encode_attr
from pbslim.wire.parts import joined
from pbslim.wire.varint import LEN, VARINT, length_delimited, tag, varint

INT64 = st.integers(-(1 << 63), (1 << 63) - 1)
schema.new("AttrValue")  # loads the library, which takes longer than an example may
TYPE = st.sampled_from([1, 3, 7, 9, 14, 101])


def decoded(encoded: bytes) -> AttrValue:
    return EncodedAttr(encoded, 0, len(encoded)).decode()


def value_of(message: Any) -> AttrValue:
    """What the protobuf library understands."""
    kind = message.WhichOneof("value")
    if kind == "list":
        return tuple(converted(field.name, item) for field, items in message.list.ListFields() for item in items)
    return converted(kind, getattr(message, kind))


def converted(kind: str, content: Any) -> AttrValue:
    if kind == "shape":
        return Shape(None if content.unknown_rank else tuple(dim.size for dim in content.dim))
    return DTYPES[content] if kind == "type" else content


def message(encoded: bytes) -> Any:
    found = schema.new("AttrValue")
    found.ParseFromString(encoded)
    return found


@given(
    st.one_of(
        st.fixed_dictionaries({"i": INT64}),
        st.fixed_dictionaries({"type": TYPE}),
        st.fixed_dictionaries({"s": st.binary()}),
        st.fixed_dictionaries({"b": st.booleans()}),
        st.fixed_dictionaries({"f": st.floats(width=32, allow_nan=False)}),
        st.fixed_dictionaries({"list": st.fixed_dictionaries({"i": st.lists(INT64)})}),
        st.fixed_dictionaries({"list": st.fixed_dictionaries({"type": st.lists(TYPE)})}),
        st.fixed_dictionaries({"list": st.fixed_dictionaries({"s": st.lists(st.binary())})}),
        st.fixed_dictionaries({"list": st.fixed_dictionaries({"b": st.lists(st.booleans())})}),
    )
)
def test_as_the_library_reads_it(content: dict[str, Any]) -> None:
    encoded = type(schema.new("AttrValue"))(**content).SerializeToString()
    assert decoded(encoded) == value_of(message(encoded))
    assert joined(encode_attr(decoded(encoded))) == encoded


@given(st.none() | st.lists(INT64, max_size=5))
def test_shapes(dims: list[int] | None) -> None:
    value = schema.new("AttrValue")
    value.shape.unknown_rank = dims is None
    for size in dims or ():
        value.shape.dim.add(size=size)
    assert decoded(value.SerializeToString()) == value_of(value)


def test_numbers_one_by_one_are_a_list_too() -> None:
    packed = length_delimited(3, varint(1) + varint(-2))
    single = tag(3, VARINT) + varint(3)
    encoded = length_delimited(1, packed + single)
    assert decoded(encoded) == value_of(message(encoded)) == (1, -2, 3)


@pytest.mark.parametrize(
    "encoded",
    [
        length_delimited(1, length_delimited(3, b"\x80")),
        length_delimited(1, tag(3, LEN) + varint(9)),
        length_delimited(1, length_delimited(6, varint(99))),
        length_delimited(7, tag(2, LEN) + varint(5)),
    ],
)
def test_broken_ones_are_errors(encoded: bytes) -> None:
    with pytest.raises(DecodeError):
        decoded(encoded)
