"""Regular expressions on strings; RE2's, as far as Python's mean the same."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Any

import numpy as np

from pbslim.kernels.checks import Array, check_work, require, scalar
from pbslim.kernels.registry import Attributes, kernel
from pbslim.kernels.strings import each_string

_CLASSES = {
    "alnum": "0-9A-Za-z",
    "alpha": "A-Za-z",
    "ascii": r"\x00-\x7f",
    "blank": r"\t ",
    "cntrl": r"\x00-\x1f\x7f",
    "digit": "0-9",
    "graph": "!-~",
    "lower": "a-z",
    "print": " -~",
    "punct": r"!-/:-@\[-`{-~",
    "space": r"\t\n\v\f\r ",
    "upper": "A-Z",
    "word": "0-9A-Za-z_",
    "xdigit": "0-9A-Fa-f",
}
_STRANGE = re.compile(r"\(\?[^:Pims-]|\(\?P[^<]|\\[1-9AZbBCEGKQXdDhHNpPRuUvVxzg]|[+*?}][+]|\[\^?\]|&&|\|\||--|~~")
"""What only one of the two knows, or what means something else in each."""


@lru_cache(maxsize=64)
def _compiled(pattern: bytes) -> re.Pattern[str]:
    text = re.sub(r"\[:(\w+):\]", lambda match: _CLASSES.get(match[1], match[0]), pattern.decode())
    allowed = text.replace(r"\d", "").replace(r"\b", "").replace(r"\x", "").replace(r"\D", "").replace(r"\B", "")
    require(not _STRANGE.search(allowed), f"the pattern '{pattern.decode()}' is not a simple one")
    try:
        return re.compile(text, re.ASCII)
    except re.error as error:
        raise ValueError(f"the pattern '{pattern.decode()}' is broken: {error}") from None


def _replaced(x: Array, pattern: bytes, rewrite: bytes, everywhere: bool) -> Any:
    compiled = _compiled(pattern)
    wanted = re.sub(r"\\(\d)", r"\\g<\1>", rewrite.decode())
    check_work(sum(map(len, x.reshape(-1).tolist())))
    return each_string(lambda text: _substituted(text.decode(), compiled, wanted, everywhere).encode(), x)


def _substituted(text: str, pattern: re.Pattern[str], rewrite: str, everywhere: bool) -> str:
    """Unlike in Python, nothing empty is found right after a match."""
    parts: list[str] = []
    end = 0
    for match in pattern.finditer(text):
        if parts and match.start() == match.end() == end:
            continue
        parts += [text[end : match.start()], match.expand(rewrite)]
        end = match.end()
        if not everywhere:
            break
    return "".join([*parts, text[end:]])


@kernel("RegexReplace", takes="string string string")
def _replace(attrs: Attributes, x: Array, pattern: Array, rewrite: Array) -> Any:
    everywhere = attrs.flag("replace_global", True)
    return _replaced(x, scalar(pattern, "pattern"), scalar(rewrite, "rewrite"), everywhere)


@kernel("StaticRegexReplace", takes="string")
def _replace_static(attrs: Attributes, x: Array) -> Any:
    pattern, rewrite = (attrs.text(name).encode("latin-1") for name in ("pattern", "rewrite"))
    return _replaced(x, pattern, rewrite, attrs.flag("replace_global", True))


def _matches(x: Array, pattern: bytes) -> Any:
    compiled = _compiled(pattern)
    found = [compiled.fullmatch(text.decode()) is not None for text in x.reshape(-1).tolist()]
    return np.array(found, np.bool_).reshape(x.shape)


@kernel("RegexFullMatch", takes="string string")
def _match(_attrs: Attributes, x: Array, pattern: Array) -> Any:
    return _matches(x, scalar(pattern, "pattern"))


@kernel("StaticRegexFullMatch", takes="string")
def _match_static(attrs: Attributes, x: Array) -> Any:
    return _matches(x, attrs.text("pattern").encode("latin-1"))
