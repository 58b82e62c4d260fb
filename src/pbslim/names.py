"""Names of nodes and tensors."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

_SHOWN = 10


def node_name(tensor: str) -> str:
    """The node that a tensor name such as ``x:1`` belongs to."""
    return tensor.removeprefix("^").partition(":")[0]


def nearest(name: str, known: Iterable[str]) -> str | None:
    """The known name most like `name`, if one is like it."""
    import difflib

    return next(iter(difflib.get_close_matches(name, list(known), 1)), None)


def shortened(names: Sequence[str]) -> str:
    """The first ten of `names`, and how many more there are."""
    more = len(names) - _SHOWN
    return ", ".join(names[:_SHOWN]) + (f" and {more} more" if more > 0 else "")
