"""Which C++ class of TensorFlow computes a node on the CPU.

``kernels-<release>.tsv.gz`` are made by ``scripts/make_kernel_table.py``; they are read on the first question.
"""

from __future__ import annotations

import json
import zlib
from functools import cache
from pkgutil import get_data

from pbslim.dtypes import DType
from pbslim.ops.attributes import Attrs, required

KERNEL_RELEASES = ("1.15", "2.21")
"""The releases of which the classes are known; they are named a little differently in each."""


@cache
def _table(release: str) -> dict[str, list[tuple[str, dict[str, object]]]]:
    text = zlib.decompress(get_data(__name__, f"kernels-{release}.tsv.gz") or b"", wbits=31).decode()
    found: dict[str, list[tuple[str, dict[str, object]]]] = {}
    for line in text.splitlines():
        op, name, wanted = line.split("\t")
        found.setdefault(op, []).append((name, json.loads(wanted)))
    return found


def kernel_class(op: str, attrs: Attrs, release: str) -> str | None:
    """The class that computes such a node on the CPU in a release of `KERNEL_RELEASES`, None when there is none."""
    for name, wanted in _table(release).get(op, ()):
        if all(_fits(op, attrs, key, value) for key, value in wanted.items()):
            return name
    return None


def _fits(op: str, attrs: Attrs, key: str, wanted: object) -> bool:
    try:
        value = required(op, attrs, key, object)
    except LookupError:
        return False
    return all(_plain(each) == wanted for each in (value if isinstance(value, tuple) else (value,)))


def _plain(value: object) -> object:
    if isinstance(value, DType):
        return value.number
    return value.decode("latin-1") if isinstance(value, bytes) else value
