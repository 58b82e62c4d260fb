"""Numbers, names and strings of protobuf's text form → the bytes that stand for them in a message."""

from __future__ import annotations

import codecs
import math
import re
import struct
from collections.abc import Sequence

import numpy as np

from pbslim.wire.numbers import packed_varints
from pbslim.wire.schema import schema
from pbslim.wire.varint import FIXED32, FIXED64, LEN, VARINT, varint

_FIXED = {"float": ("<f", FIXED32), "double": ("<d", FIXED64), "fixed64": ("<Q", FIXED64)}
_RANGES = {
    "int32": (-(1 << 31), (1 << 31) - 1),
    "int64": (-(1 << 63), (1 << 63) - 1),
    "uint32": (0, (1 << 32) - 1),
    "uint64": (0, (1 << 64) - 1),
    "fixed64": (0, (1 << 64) - 1),
}
_BOOLS = {b"true": 1, b"t": 1, b"True": 1, b"1": 1, b"false": 0, b"f": 0, b"False": 0, b"0": 0}
_INTEGER = re.compile(rb"-?(?:0[xX][0-9a-fA-F]+|0[0-7]*|[1-9][0-9]*)")
_MOST_DIGITS = 40  # Python refuses to read numbers of thousands
_FLOAT = re.compile(rb"-?(?:(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:e[-+]?[0-9]+)?f?|inf(?:inity)?f?|nanf?)", re.IGNORECASE)
_UNUSUAL = re.compile(rb"""\\(?:[^abfnrtv'"0-7x]|x(?![0-9a-fA-F]{2})|[4-7][0-7]{2})""")
_ESCAPE = re.compile(rb"\\(?:([0-7]{1,3})|x([0-9a-fA-F]{1,2})|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8})|(.?))", re.DOTALL)
_SIMPLE = {b"a": b"\a", b"b": b"\b", b"f": b"\f", b"n": b"\n", b"r": b"\r", b"t": b"\t", b"v": b"\v"}
_SIMPLE |= {char: char for char in (b"\\", b"'", b'"', b"?")}

PLAIN_NUMBERS = {
    **dict.fromkeys(("float", "double"), rb"-?[0-9]+(?:\.[0-9]*)?(?:[eE][-+]?[0-9]+)?"),
    **dict.fromkeys(("int32", "int64"), rb"-?(?:0|[1-9][0-9]{0,17})"),
}
"""How numbers of some types are usually written; many of these at once can be read by numpy."""


def wire_type(kind: str) -> int:
    """The wire type of fields whose values are of this type, a scalar's, enum's or message's name."""
    if kind in _FIXED:
        return _FIXED[kind][1]
    return VARINT if kind in _RANGES or kind == "bool" or kind in schema().enums else LEN


def encoded_word(kind: str, word: bytes) -> bytes:
    """The content of a field whose value is a number, or the name of one.

    Raises:
        ValueError: it is not; the message says what was expected.
    """
    if kind == "bool":
        if word not in _BOOLS:
            raise ValueError("expected true or false")
        return varint(_BOOLS[word])
    if kind in ("float", "double"):
        return _encoded_float(kind, word)
    if kind in _RANGES:
        value = _integer(word, *_RANGES[kind])
        return struct.pack("<Q", value) if kind in _FIXED else varint(value)
    if kind in schema().enums:
        number = schema().enums[kind].get(word.decode())
        if number is None and not word[:1].isdigit() and word[:1] != b"-":
            raise ValueError(f"'{word.decode()}' is not a value of {kind}")
        return varint(_integer(word, *_RANGES["int32"]) if number is None else number)
    raise ValueError("expected a string in quotes" if kind in ("string", "bytes") else "expected a message in braces")


def _integer(word: bytes, low: int, high: int) -> int:
    if not _INTEGER.fullmatch(word) or len(word) > _MOST_DIGITS:
        raise ValueError(f"expected a whole number from {low} to {high}")
    digits = word.lstrip(b"-")
    octal = digits[:1] == b"0" and digits[1:].isdigit()
    value = int(digits, 8) if octal else int(digits, 0)
    value = -value if word[:1] == b"-" else value
    if not low <= value <= high:
        raise ValueError(f"expected a whole number from {low} to {high}")
    return value


def _encoded_float(kind: str, word: bytes) -> bytes:
    if not _FLOAT.fullmatch(word):
        raise ValueError("expected a number")
    text = word.decode().lower()
    value = float(text if text.endswith("inf") else text.rstrip("f"))
    try:
        return struct.pack(_FIXED[kind][0], value)
    except OverflowError:  # beyond the range of 32 bits
        return struct.pack(_FIXED[kind][0], math.copysign(math.inf, value))


def encoded_numbers(kind: str, words: Sequence[bytes]) -> bytes:
    """The contents of many fields of a type in `PLAIN_NUMBERS`, one after the other.

    Raises:
        ValueError: a number is too large.
    """
    texts = np.array(words)
    if kind in ("float", "double"):
        with np.errstate(over="ignore"):
            return texts.astype(np.float64).astype("<f4" if kind == "float" else "<f8").tobytes()
    numbers = texts.astype(np.int64)
    low, high = _RANGES[kind]
    if numbers.min() < low or numbers.max() > high:
        raise ValueError(f"expected whole numbers from {low} to {high}")
    return packed_varints(numbers.view(np.uint64)).tobytes()


def decoded_string(body: bytes) -> bytes:
    """What stands between quotes, with its escapes resolved.

    Raises:
        ValueError: an escape is none.
    """
    if b"\\" not in body:
        return body
    if not _UNUSUAL.search(body.replace(b"\\\\", b"")):
        return codecs.escape_decode(body)[0]
    return _ESCAPE.sub(_character, body)


def _character(escape: re.Match[bytes]) -> bytes:
    octal, byte, short, long, simple = escape.groups()
    if simple is not None:
        if simple not in _SIMPLE:
            raise ValueError("a backslash in a string escapes nothing that is known")
        return _SIMPLE[simple]
    number = int(octal, 8) if octal else int(byte or short or long, 16)
    if octal or byte:
        if number > 0xFF:
            raise ValueError("an escape in a string is larger than a byte")
        return bytes([number])
    if number > 0x10FFFF or 0xD800 <= number <= 0xDFFF:
        raise ValueError("an escape in a string is not a character")
    return chr(number).encode()
