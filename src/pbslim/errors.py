"""The exceptions that pbslim raises on purpose; anything else that escapes is a bug.

Every message is one line that says what is wrong, where, and what to do about it.
"""

from __future__ import annotations

_LONGEST = 2000


def printable(text: str, *, keep: str = "") -> str:
    """`text` with escapes for what controls a terminal or hides what is there, such as marks that reverse the text.

    Names come from files; so whatever prints one, be it to a terminal, in JSON or in a drawing, passes it through here.

    Args:
        keep: characters that are left, such as line feeds.
    """
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() or c in keep else c.encode("unicode_escape").decode() for c in text)


def one_line(text: str) -> str:
    """`text` as a line that no name out of a file can break, stretch without end, or use to control a terminal."""
    line = printable(" ".join(text.split()))
    return line if len(line) <= _LONGEST else f"{line[:_LONGEST]} …"


def counted(number: int, what: str) -> str:
    """A number of things, such as ``1 input`` or ``3 inputs``."""
    return f"{number} {what}" if number == 1 else f"{number} {what}s"


class PbslimError(Exception):
    """Base class: something the user can act on."""


class UsageError(PbslimError):
    """A wrong option, name or parameter."""


class TransformSyntaxError(UsageError):
    """A mistake in the text of ``--transforms``, with the place where it was found.

    ``str(error)`` has three lines: the message, the line of the text, and a caret under the character.
    """

    def __init__(self, message: str, text: str, position: int) -> None:
        self.message, self.text, self.position = message, text, position
        start = text.rfind("\n", 0, position) + 1
        end = text.find("\n", position)
        line = text[start : end if end >= 0 else len(text)]
        super().__init__(f"{message}\n    {line.expandtabs(1)}\n    {' ' * (position - start)}^")

    @property
    def one_line(self) -> str:
        """The message with the place as a number, for where a caret would not line up."""
        before = self.text[max(self.position - 20, 0) : self.position].replace("\n", " ")
        return f"{self.message} (--transforms, character {self.position + 1}, after '{before}')"


class DecodeError(PbslimError):
    """A file or a message is not what it claims to be."""


class GraphError(PbslimError):
    """The graph is broken, or a change would break it."""


class CheckError(PbslimError):
    """A result does not meet what was asked for; nothing was written."""


class TransformError(PbslimError):
    """A transform cannot do its work on this graph; ``ignore_errors=true`` skips it."""
