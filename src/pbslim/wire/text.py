"""Protobuf's text form → the bytes of a message, in time linear in the text and without an object for each value.

The rules are those of protobuf's own parsers (https://protobuf.dev/reference/protobuf/textformat-spec), without
extensions and ``Any``, which TensorFlow's graphs do not have. `pbslim.wire.schema` says what fields there are.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache

from pbslim.errors import DecodeError
from pbslim.wire.literals import PLAIN_NUMBERS, decoded_string, encoded_numbers, encoded_word, wire_type
from pbslim.wire.schema import Field, schema
from pbslim.wire.varint import FIXED32, FIXED64, LEN, tag, varint

_BOM = b"\xef\xbb\xbf"
_SPACE = re.compile(rb"\s*(?:#[^\n]*)?")
_NAME = re.compile(rb"[A-Za-z_]\w*")
_WORD = re.compile(rb"(-?)\s*([\w.][\w.+-]*)")
_CLOSING = {b"{": b"}", b"<": b">"}
_DEEPEST = 100  # as deep as protobuf's parsers go
_EMPTY = {FIXED32: bytes(4), FIXED64: bytes(8)}
_FEWEST, _MOST = 16, 1000  # numbers that are read at once
_SHOWN = 40


def message_bytes(text: bytes, name: str) -> bytes:
    """The message `name`, for instance ``GraphDef``, of which `text` is the text form.

    Raises:
        DecodeError: it is not; the message says where.
    """
    return _Reader(text.removeprefix(_BOM)).read(name)


@dataclass
class _Message:
    """A message that is being read.

    Attributes:
        fields: those that it may have, by name.
        close: what ends it; empty for the end of the text.
        into: the field of the message around it that it belongs to.
        parts: field number → encoded fields, for a list of numbers their contents only.
        entries: number of a map → key → encoded entry.
        key: the key that was read, if it is an entry of a map.
        seen: the fields that were read, and groups of fields, of which there may be one.
        listed: whether it stands between brackets.
    """

    fields: Mapping[bytes, Field]
    close: bytes = b""
    into: Field | None = None
    parts: dict[int, bytearray] = field(default_factory=dict)
    entries: dict[int, dict[bytes, bytes]] = field(default_factory=dict)
    key: bytes = b""
    seen: set[bytes] = field(default_factory=set)
    listed: bool = False

    def add(self, what: Field, content: bytes) -> None:
        """A value of a field."""
        part = self.parts.setdefault(what.number, bytearray())
        kind = wire_type(what.type)
        if kind != LEN and what.repeated:
            part += content
        elif kind != LEN:
            if what.oneof or content.strip(b"\0"):
                part += tag(what.number, kind) + content
        elif what.repeated or what.oneof or content or what.type in schema().messages:
            part += tag(what.number, LEN) + varint(len(content)) + content

    def encoded(self) -> bytes:
        """Its bytes, in the order of the field numbers, as protobuf writes them."""
        if self.into and self.into.key:
            for each in self.fields.values():  # an entry of a map always has both
                kind = wire_type(each.type)
                if not self.parts.get(each.number):
                    self.parts[each.number] = bytearray(tag(each.number, kind) + _EMPTY.get(kind, b"\0"))
        for number, entries in self.entries.items():
            self.parts[number] = bytearray(
                b"".join(tag(number, LEN) + varint(len(entry)) + entry for _, entry in sorted(entries.items()))
            )
        for each in self.fields.values():
            part = self.parts.get(each.number)
            if part and each.repeated and not each.key and wire_type(each.type) != LEN:
                part[:0] = tag(each.number, LEN) + varint(len(part))
        return b"".join(part for _, part in sorted(self.parts.items()))


@cache
def _fields(name: str) -> dict[bytes, Field]:
    return {key.encode(): each for key, each in schema().messages[name].items()}


@cache
def _entry_fields(of: Field) -> dict[bytes, Field]:
    return {b"key": Field("key", 1, of.key), b"value": Field("value", 2, of.type)}


class _Reader:
    """Goes through a text once; messages that are open are on a list, so that none is too deep for Python."""

    def __init__(self, text: bytes) -> None:
        self._text, self._at = text, 0
        self._open: list[_Message] = []

    def read(self, name: str) -> bytes:
        """The bytes of the message `name`, which is the whole text."""
        self._open = [_Message(_fields(name))]
        while True:
            message = self._open[-1]
            self._skip()
            found = _NAME.match(self._text, self._at)
            if found:
                self._at = found.end()
                self._field(message, found[0])
            elif message.into is None:
                if self._at < len(self._text):
                    raise self._error("expected the name of a field")
                return message.encoded()
            elif self._takes(message.close):
                self._finish(message, message.into)
            else:
                raise self._error(f"expected the name of a field or '{message.close.decode()}'")

    def _field(self, message: _Message, name: bytes) -> None:
        what = message.fields.get(name)
        if what is None:
            raise self._error(f"there is no field '{name.decode()}' here", -len(name))
        if not what.repeated:
            self._check_single(message, what, name)
        colon = self._takes(b":")
        if self._takes(b"["):
            if not self._takes(b"]"):
                self._list(message, what)
            return
        if self._is_message(what):
            self._enter(what)
            return
        if not colon:
            raise self._error("expected ':'")
        content = self._value(what)
        message.add(what, content)
        if message.into and message.into.key and what.number == 1:
            message.key = content
        if what.repeated and what.type in PLAIN_NUMBERS:
            self._many(message, what, rb"\s*" + name + rb"\s*:\s*%s(?![\w.+-])[,;]?")
        self._separator()

    def _check_single(self, message: _Message, what: Field, name: bytes) -> None:
        group = what.oneof.encode() or name
        if group in message.seen:
            raise self._error(f"there may be one '{group.decode()}' only", -len(name))
        message.seen.add(group)

    def _is_message(self, what: Field) -> bool:
        return bool(what.key) or what.type in schema().messages

    def _enter(self, what: Field, *, listed: bool = False) -> None:
        for brace, close in _CLOSING.items():
            if self._takes(brace):
                if len(self._open) >= _DEEPEST:
                    raise self._error(f"messages are nested more than {_DEEPEST} deep")
                fields = _entry_fields(what) if what.key else _fields(what.type)
                self._open.append(_Message(fields, close, what, listed=listed))
                return
        raise self._error("expected '{'")

    def _finish(self, message: _Message, into: Field) -> None:
        encoded = message.encoded()
        self._open.pop()
        outer = self._open[-1]
        if into.key:
            outer.entries.setdefault(into.number, {})[message.key] = encoded
        else:
            outer.add(into, encoded)
        if not message.listed:
            self._separator()
        elif self._takes(b","):
            self._enter(into, listed=True)
        else:
            self._expect(b"]")

    def _list(self, message: _Message, what: Field) -> None:
        if not what.repeated:
            raise self._error(f"'{what.name}' is not a list")
        if self._is_message(what):
            self._enter(what, listed=True)
            return
        message.add(what, self._value(what))
        while self._takes(b","):
            if what.type in PLAIN_NUMBERS:
                self._many(message, what, rb"\s*%s\s*,")
            message.add(what, self._value(what))
        self._expect(b"]")
        self._separator()

    def _value(self, what: Field) -> bytes:
        """The content of one value."""
        self._skip()
        start = self._at
        try:
            if what.type in ("string", "bytes"):
                content = b"".join(self._strings())
                if what.type == "string":
                    content.decode()
                return content
            found = _WORD.match(self._text, start)
            if not found:
                raise ValueError("expected a value")
            self._at = found.end()
            return encoded_word(what.type, found[1] + found[2])
        except ValueError as error:  # as UnicodeDecodeError is
            self._at = start
            reason = "a string is not UTF-8 text" if isinstance(error, UnicodeError) else str(error)
            raise self._error(reason) from None

    def _strings(self) -> Iterator[bytes]:
        """What stands in quotes here; several strings in a row are one."""
        if self._text[self._at : self._at + 1] not in (b'"', b"'"):
            raise ValueError("expected a string in quotes")
        while (quote := self._text[self._at : self._at + 1]) in (b'"', b"'"):
            start = end = self._at + 1
            while True:
                stop = self._text.find(quote, end)
                piece = self._text[end : max(stop, end)]
                if stop < 0 or b"\n" in piece:
                    raise ValueError("a string has no end in its line")
                end = stop + 1
                if (len(piece) - len(piece.rstrip(b"\\"))) % 2 == 0:
                    break
            yield decoded_string(self._text[start:stop])
            self._at = end
            self._skip()

    def _many(self, message: _Message, what: Field, pattern: bytes) -> None:
        """Read all values that follow in the usual form, many at once: weights may be millions of numbers."""
        one, several = _repeated(pattern, PLAIN_NUMBERS[what.type])
        while found := several.match(self._text, self._at):
            try:
                message.add(what, encoded_numbers(what.type, one.findall(found[0])))
            except ValueError:
                return  # reading them one by one shows which is wrong
            self._at = found.end()

    def _skip(self) -> None:
        """Go on to what is neither blank nor a comment."""
        text, at = self._text, self._at
        while True:
            found = _SPACE.match(text, at)
            end = found.end() if found else at
            if end == at:
                break
            at = end
        self._at = at

    def _takes(self, mark: bytes) -> bool:
        """Go past a character if it is there."""
        self._skip()
        if not self._text.startswith(mark, self._at):
            return False
        self._at += len(mark)
        return True

    def _expect(self, mark: bytes) -> None:
        if not self._takes(mark):
            raise self._error(f"expected '{mark.decode()}'")

    def _separator(self) -> None:
        if not self._takes(b","):
            self._takes(b";")

    def _error(self, problem: str, back: int = 0) -> DecodeError:
        at = self._at + back
        line = self._text.count(b"\n", 0, at) + 1
        column = at - self._text.rfind(b"\n", 0, at)
        return DecodeError(f"line {line}, column {column}: {problem}")


@cache
def _repeated(pattern: bytes, number: bytes) -> tuple[re.Pattern[bytes], re.Pattern[bytes]]:
    """What matches one value in `pattern`, where it has ``%s``, and what matches many of them."""
    several = b"(?:%s){%d,%d}" % (pattern % number, _FEWEST, _MOST)
    return re.compile(pattern % (b"(" + number + b")")), re.compile(several)
