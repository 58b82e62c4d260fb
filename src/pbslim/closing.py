"""Files that are closed with what needs them."""

from __future__ import annotations

from typing import IO, Any
from weakref import ref


def closed_with(owner: object, file: IO[bytes]) -> ref[Any]:
    """Have `file` closed when `owner` goes, which has to hold what this gives.

    No code in Python runs then, as it would in a ``__del__``: Python forgets a Ctrl-C that arrives there.
    """
    return ref(owner, file.__exit__)  # type: ignore[arg-type]  # which takes any arguments
