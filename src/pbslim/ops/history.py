"""What each release of TensorFlow accepts: ops, their attributes, and what these can be.

``history.tsv.gz`` is made by ``scripts/make_op_table.py`` from nine releases; it is read on the first question.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pkgutil import get_data

from pbslim.dtypes import DTYPES, DType
from pbslim.errors import UsageError


@dataclass(frozen=True)
class Release:
    """A release of TensorFlow.

    Attributes:
        name: for instance ``1.15``.
        number: its place among the releases that are known here.
        graph_version: the newest version of graphs that it knows.
        types: the numbers of the data types that it knows.
        ignores_unknown_attrs: whether it loads a node that has an attribute which its op lacks.
        allows_angle_in_names: whether the name of a node can have a ``>``.
    """

    name: str
    number: int
    graph_version: int
    types: frozenset[int]
    ignores_unknown_attrs: bool
    allows_angle_in_names: bool


@dataclass(frozen=True)
class Accepted:
    """What a release accepts of an op.

    Attributes:
        refused_from: the version of graphs from which on the op is refused; 0 for none.
        attrs: attribute → the types or strings that it can be, empty for any.
        needed: the attributes that a node must have.
    """

    refused_from: int
    attrs: Mapping[str, tuple[DType | bytes, ...]]
    needed: frozenset[str]


@cache
def _table() -> dict[str, str]:
    text = zlib.decompress(get_data(__name__, "history.tsv.gz") or b"", wbits=31).decode()
    return dict(line.split("\t", 1) for line in text.splitlines())


@cache
def releases() -> tuple[Release, ...]:
    """The releases that are known, from the oldest to the newest."""
    return tuple(
        Release(number=number, types=frozenset(facts.pop("types")), **facts)
        for number, facts in enumerate(json.loads(_table()[""]))
    )


def release(text: str) -> Release:
    """The newest release that is known and not newer than the one called `text`, for instance ``1.14`` or ``2.3.1``.

    Raises:
        UsageError: `text` is not a release, or all that are known are newer.
    """
    try:
        wanted = _numbers(text)
    except ValueError:
        raise UsageError(f"'{text}' is not a release of TensorFlow; name one as 1.15") from None
    found = [each for each in releases() if _numbers(each.name) <= wanted[:2]]
    if not found:
        raise UsageError(f"the ops of TensorFlow {text} are not known here; the oldest release is {releases()[0].name}")
    return found[-1]


def _numbers(text: str) -> tuple[int, ...]:
    return tuple(map(int, text.split(".")))


@cache
def accepted(op: str, number: int) -> Accepted | None:
    """What the release with this number accepts of `op`, None when it lacks it."""
    entry = None
    for first, content in json.loads(_table().get(op, "[]")) if op else ():
        entry = content if first <= number else entry
    if entry is None:
        return None
    attrs = {key.removesuffix("!"): tuple(map(_value, allowed)) for key, allowed in entry[1].items()}
    return Accepted(entry[0], attrs, frozenset(key[:-1] for key in entry[1] if key.endswith("!")))


def _value(allowed: int | str) -> DType | bytes:
    return DTYPES[allowed] if isinstance(allowed, int) else allowed.encode("latin-1")


def releases_with(op: str) -> list[Release]:
    """The releases that have `op`."""
    return [each for each in releases() if accepted(op, each.number)]
