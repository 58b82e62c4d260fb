"""The few pieces of the protocol buffer wire format that are read and written by hand.

Every length is checked against what is left where it is used: a file may lie.
"""

from __future__ import annotations

from collections.abc import Iterator

from pbslim.errors import DecodeError

VARINT, FIXED64, LEN, FIXED32 = 0, 1, 2, 5


def read_varint(view: memoryview, at: int, end: int) -> tuple[int, int]:
    """The number at `at` and where the next thing starts.

    Raises:
        DecodeError: it does not end before `end` or has more than ten bytes.
    """
    value = shift = 0
    while at < end and shift < 70:
        byte = view[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value & 0xFFFFFFFFFFFFFFFF, at
        shift += 7
    raise DecodeError(f"a number at byte {at} does not end")


def varints(view: memoryview, at: int, end: int) -> Iterator[int]:
    """The numbers between `at` and `end`, as a packed list has them.

    Raises:
        DecodeError: the last one does not end.
    """
    while at < end:
        value, at = read_varint(view, at, end)
        yield value


def signed(value: int) -> int:
    """A number of 64 bits as two's complement."""
    return value - ((value >> 63) << 64)


def fields(view: memoryview, at: int, end: int, what: str) -> Iterator[tuple[int, int, int, int]]:
    """Each field of the message between `at` and `end`: number, wire type, and where its content starts and ends.

    For a varint the content is its encoded bytes; a tag is never part of it.

    Raises:
        DecodeError: a field does not fit into the message; `what` names the message.
    """
    while at < end:
        tag, start = read_varint(view, at, end)
        number, kind = tag >> 3, tag & 7
        if kind == LEN:
            size, start = read_varint(view, start, end)
            stop = start + size
        elif kind == VARINT:
            _, stop = read_varint(view, start, end)
        elif kind == FIXED32:
            stop = start + 4
        elif kind == FIXED64:
            stop = start + 8
        else:
            raise DecodeError(f"{what} has a field of unknown kind at byte {at}")
        if number == 0:
            raise DecodeError(f"{what} has a field without a number at byte {at}")
        if stop > end:
            raise DecodeError(f"{what}: a field at byte {at} claims {stop - start} bytes, {end - start} are left")
        yield number, kind, start, stop
        at = stop


def varint(value: int) -> bytes:
    """`value` (negative ones as 64-bit two's complement) in the variable-length form."""
    value &= 0xFFFFFFFFFFFFFFFF
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def tag(number: int, kind: int) -> bytes:
    """What stands before a field's content."""
    return varint(number << 3 | kind)


def length_delimited(number: int, content: bytes) -> bytes:
    """A whole field that holds bytes, text or a message."""
    return tag(number, LEN) + varint(len(content)) + content
