"""The language of ``--transforms``: names, each with arguments in parentheses.

::

    list      := { blank* transform }
    transform := WORD [ "(" { argument [","] } ")" ]
    argument  := WORD "=" value
    value     := [A-Za-z0-9_./-]+ | '"' any '"' | "'" any "'"

Whatever transform_graph accepts means the same here. Blanks, line ends, commas and backslashes at line ends are
taken where they can do no harm; what transform_graph drops without a word (a parenthesis that is never closed) is
an error.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from pbslim.errors import TransformSyntaxError

_TYPOGRAPHIC = {
    **dict.fromkeys("“”„‟″«»", '"'),
    **dict.fromkeys("‘’‚‛′", "'"),
    **dict.fromkeys("‐‑‒–—―−", "-"),
    **dict.fromkeys("\u00a0\u2007\u202f\u2003\u2002\u2009\ufeff\u200b", " "),
}
_BLANK = re.compile(r"(?:[ \t\n\v\f\r]|\\\r?\n)*")
_WORD = re.compile(r"[A-Za-z0-9_]+")
_VALUE = re.compile(r"[A-Za-z0-9_./-]+")


@dataclass(frozen=True)
class Argument:
    """``name=value`` and where both stand in the text."""

    name: str
    value: str
    name_at: int
    value_at: int


@dataclass(frozen=True)
class Invocation:
    """A transform with its arguments in the order given, and where its name stands in the text."""

    name: str
    arguments: tuple[Argument, ...]
    at: int


def parse(text: str) -> tuple[list[Invocation], list[str]]:
    """The steps that `text` asks for, and remarks on how it was read.

    Raises:
        TransformSyntaxError: with the place of the mistake.
    """
    plain = "".join(_TYPOGRAPHIC.get(char, char) for char in text)
    try:
        return _Parser(text).steps(), []  # between plain quotes, typographic characters stand for themselves
    except TransformSyntaxError:
        if plain == text:
            raise
    return _Parser(plain).steps(), ["typographic quotes, dashes or blanks in --transforms were read as plain ones"]


def written(value: object) -> str:
    """An argument's value as the language has it."""
    text = str(value).lower() if isinstance(value, bool) else str(value)
    return text if _VALUE.fullmatch(text) else f'"{text}"'


class _Parser:
    def __init__(self, text: str) -> None:
        self._text, self._at = text, 0

    def steps(self) -> list[Invocation]:
        found = []
        while not self._at_end():
            found.append(self._step())
        return found

    def _at_end(self) -> bool:
        self._skip_blanks()
        return self._at >= len(self._text)

    def _skip_blanks(self) -> None:
        match = _BLANK.match(self._text, self._at)
        self._at = match.end() if match else self._at

    def _peek(self) -> str:
        return self._text[self._at : self._at + 1]

    def _error(self, message: str, at: int | None = None) -> TransformSyntaxError:
        return TransformSyntaxError(message, self._text, self._at if at is None else at)

    def _word(self, expected: str) -> str:
        match = _WORD.match(self._text, self._at)
        if not match:
            found = repr(self._peek()) if self._peek() else "the end"
            raise self._error(f"expected {expected}, found {found}")
        self._at = match.end()
        return match.group()

    def _step(self) -> Invocation:
        at = self._at
        if self._peek() == ",":
            raise self._error("expected the name of a transform, found ','; separate transforms by blanks")
        name = self._word("the name of a transform")
        after = self._at
        self._skip_blanks()
        if self._peek() != "(":
            self._at = after
            return Invocation(name, (), at)
        opened = self._at
        self._at += 1
        arguments = []
        while not self._closed(name, opened):
            arguments.append(self._argument())
        return Invocation(name, tuple(arguments), at)

    def _closed(self, name: str, opened: int) -> bool:
        self._skip_blanks()
        if self._peek() == ",":
            self._at += 1
            self._skip_blanks()
        if self._at >= len(self._text):
            raise self._error(f"the parenthesis after '{name}' is not closed", opened)
        if self._peek() == ")":
            self._at += 1
            return True
        return False

    def _argument(self) -> Argument:
        name_at = self._at
        name = self._word("the name of a parameter")
        after = self._at
        self._skip_blanks()
        if self._peek() != "=":
            raise self._error(f"expected '=' after '{name}'", after)
        self._at += 1
        self._skip_blanks()
        value_at = self._at
        value = self._value(name)
        return Argument(name, value, name_at, value_at)

    def _value(self, name: str) -> str:
        quote = self._peek()
        if quote and quote in "\"'":
            return self._quoted(quote, name)
        match = _VALUE.match(self._text, self._at)
        if not match:
            if quote in (",", ")", ""):
                raise self._error(f"expected a value after '{name}='")
            raise self._error(f'{quote!r} needs quotes: {name}="..."')
        self._at = match.end()
        # A stray quote after a value, left over from copying, is dropped as in the reference.
        for stray in "\"'":
            if self._peek() == stray:
                self._at += 1
        return match.group()

    def _quoted(self, quote: str, name: str) -> str:
        opened = self._at
        at = opened + 1
        while at < len(self._text) and self._text[at] != quote:
            at += 2 if self._text[at] == "\\" else 1
        if at >= len(self._text):
            raise self._error(f"the quote after '{name}=' is not closed", opened)
        value = self._text[opened + 1 : at]
        self._at = at + 1
        for stray in "\"'":
            if self._peek() == stray:
                self._at += 1
        return value
