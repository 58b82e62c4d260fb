"""Understand command lines as they come out of copied articles."""

from __future__ import annotations

from collections.abc import Sequence

_DASHES = "‐‑‒–—―−"
_QUOTES = ("“”„‟", "‘’‚‛")
_BLANKS = "\u00a0\u202f\u2007\ufeff\u200b"


def plain(argv: Sequence[str]) -> tuple[list[str], list[str]]:
    """The arguments with typographic dashes, quotes and blanks made plain, and a remark for each kind of repair.

    A dash counts only at the start of an option, a quote only at the ends of a value: what stands inside is left,
    and so is all that follows a ``--``.
    """
    found: list[str] = []
    notes: dict[str, None] = {}
    for i, argument in enumerate(argv):
        if argument == "--":
            found += argv[i:]
            break
        text = argument.strip(_BLANKS)
        if text != argument:
            notes["special blanks around options were dropped"] = None
        name = text.lstrip(_DASHES + "-")
        lead = text[: len(text) - len(name)]
        if name[:1].isalpha() and any(dash in _DASHES for dash in lead):
            text = ("-" if lead == "‑" or (len(name) == 1 and len(lead) == 1) else "--") + name
            notes["typographic dashes before options were read as --"] = None
        key, equals, value = text.partition("=") if text.startswith("--") else ("", "", text)
        bare = _unquoted(value)
        if bare != value:
            text = key + equals + bare
            notes["typographic quotes around values were dropped"] = None
        found.append(text)
    return found, list(notes)


def _unquoted(value: str) -> str:
    for quotes in _QUOTES:
        bare = value.strip(quotes)
        stray = not any(quote in bare for quote in quotes)  # it belongs to no quote inside
        if stray or (value[0] in quotes and value[-1] in quotes):
            value = bare
    return value
