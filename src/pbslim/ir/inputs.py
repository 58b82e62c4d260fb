"""How inputs are written: ``x`` or ``x:1`` for a value, ``^x`` for a control edge."""

from __future__ import annotations

from pbslim.errors import GraphError

_MOST_DIGITS = 9


def split_input(text: str) -> tuple[str, int]:
    """Node name and port of a data input: ``x`` is port 0 of x, ``x:1`` port 1.

    Raises:
        GraphError: the port is not a number.
    """
    name, colon, port = text.partition(":")
    if not colon:
        return text, 0
    digits = port.partition(":")[0]
    if not (digits.isascii() and digits.isdigit() and len(digits) <= _MOST_DIGITS):
        raise GraphError(f"input '{text}' does not name an output port by its number")
    return name, int(digits)


def is_control(text: str) -> bool:
    """Whether an input is a control edge."""
    return text.startswith("^")


def controlling(text: str) -> str:
    """The node that a control input names."""
    return text[1:].partition(":")[0]


def check_name(name: str) -> None:
    """Make sure that inputs can name a node that is called `name`.

    Raises:
        GraphError: they would mean something else.
    """
    if ":" in name or name.startswith("^"):
        raise GraphError(f"no input can name a node that is called '{name}'")
