"""The few pieces of the protocol buffer wire format that are read and written by hand.

Every length is checked against what is left where it is used: a file may lie.
"""

from __future__ import annotations

from collections.abc import Iterator

from pbslim.errors import DecodeError
from pbslim.wire.sources import InputFile, Source

VARINT, FIXED64, LEN, FIXED32 = 0, 1, 2, 5


_MOST_HEAD = 20  # bytes of a tag and a length, or a number
_AHEAD = 1 << 8
_SHORT_TAGS = frozenset(number << 3 | LEN for number in range(1, 16))


class MessageError(DecodeError):
    """Bytes are not a message at all: no parser would read them, whatever the message means."""


def read_varint(source: Source, at: int, end: int, base: int = 0) -> tuple[int, int]:
    """The number at `at` and where the next thing starts.

    Args:
        base: where `source` starts in what messages count the bytes of.

    Raises:
        MessageError: it does not end before `end` or has more than ten bytes.
    """
    value = shift = 0
    while at < end and shift < 70:
        byte = source[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value & 0xFFFFFFFFFFFFFFFF, at
        shift += 7
    raise MessageError(f"a number at byte {base + at} does not end")


def varints(source: Source, at: int, end: int) -> Iterator[int]:
    """The numbers between `at` and `end`, as a packed list has them.

    Raises:
        MessageError: the last one does not end.
    """
    while at < end:
        value, at = read_varint(source, at, end)
        yield value


def signed(value: int) -> int:
    """A number of 64 bits as two's complement."""
    return value - ((value >> 63) << 64)


def fields(source: Source, at: int, end: int, what: str) -> Iterator[tuple[int, int, int, int]]:
    """Each field of the message between `at` and `end`: number, wire type, and where its content starts and ends.

    For a varint the content is its encoded bytes; a tag is never part of it.

    Raises:
        MessageError: a field does not fit into the message; `what` names the message.
    """
    ahead, base, known = (b"", 0, at) if isinstance(source, InputFile) else (source, 0, end)
    while at < end:
        if at + _MOST_HEAD > known < end:  # to index a file costs a call for each byte
            ahead, base, known = source[at : min(at + _AHEAD, end)], at, min(at + _AHEAD, end)
        i = at - base
        if at + 2 <= known and ahead[i] in _SHORT_TAGS and (size := ahead[i + 1]) < 0x80 and at + 2 + size <= end:
            start = at + 2
            yield ahead[i] >> 3, LEN, start, (at := start + size)
            continue
        tag, start = _number(ahead, base, at, known)
        number, kind = tag >> 3, tag & 7
        if kind == LEN:
            size, start = _number(ahead, base, start, known)
            stop = start + size
        elif kind == VARINT:
            _, stop = _number(ahead, base, start, known)
        elif kind == FIXED32:
            stop = start + 4
        elif kind == FIXED64:
            stop = start + 8
        else:
            raise MessageError(f"{what} has a field of unknown kind at byte {at}")
        if number == 0:
            raise MessageError(f"{what} has a field without a number at byte {at}")
        if stop > end:
            raise MessageError(f"{what}: a field at byte {at} claims {stop - start} bytes, {end - start} are left")
        yield number, kind, start, stop
        at = stop


def _number(ahead: Source, base: int, at: int, end: int) -> tuple[int, int]:
    value, stop = read_varint(ahead, at - base, end - base, base)
    return value, base + stop


def read_text(source: Source, start: int, stop: int, what: str) -> str:
    """The text in these bytes; `what` names it in the MessageError when they are not UTF-8."""
    try:
        return str(source[start:stop], "utf-8")
    except UnicodeDecodeError:
        raise MessageError(f"{what} at byte {start} is not UTF-8 text") from None


def first_text(source: Source, start: int, end: int, wanted: int) -> str:
    """The first text in field `wanted` of a message, empty when there is none."""
    for number, kind, at, stop in fields(source, start, end, "a message"):
        if number == wanted and kind == LEN:
            return read_text(source, at, stop, "a name")
    return ""


def first_number(source: Source, start: int, end: int, wanted: int) -> int:
    """The first number in field `wanted` of a message, 0 when there is none."""
    for number, kind, at, stop in fields(source, start, end, "a message"):
        if number == wanted and kind == VARINT:
            return read_varint(source, at, stop)[0]
    return 0


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
