"""What a file name means: ``-`` and ``/dev/stdin`` are streams, ``~`` is the home folder, links lead to a file."""

from __future__ import annotations

import errno
import os
import re
from pathlib import Path

STANDARD = Path("-")
"""Standard input where a graph is read, standard output where one is written."""

_STANDARD_NAMES = {"/dev/stdin": 0, "/dev/stdout": 1, "/dev/stderr": 2}
_DESCRIPTOR = re.compile(r"/(?:dev|proc/(?:self|thread-self|\d+))/fd/(\d+)")
_MOST_LINKS = 40


def expanded(path: str | os.PathLike[str]) -> Path:
    """`path` with the home folder for ``~``; as it is where no user has that name, as a shell leaves it."""
    try:
        return Path(path).expanduser()
    except RuntimeError:
        return Path(path)


def descriptor(path: Path, standard: int) -> int | None:
    """The open file of this process that `path` names, None for a name in the file system.

    Args:
        standard: what ``-`` stands for: 0 to read, 1 to write.
    """
    if path == STANDARD:
        return standard
    text = str(path)
    named = _DESCRIPTOR.fullmatch(text)
    if named and not text.startswith(("/dev", "/proc/self", "/proc/thread-self", f"/proc/{os.getpid()}/")):
        return None  # a file of another process
    return int(named[1]) if named else _STANDARD_NAMES.get(text)


def followed(path: Path) -> Path:
    """Where the symbolic links at `path` lead; the names of open files are links that are not followed.

    Raises:
        OSError: they lead in a circle.
    """
    for _ in range(_MOST_LINKS):
        if descriptor(path, 1) is not None:
            return path
        try:
            path = path.parent / os.readlink(path)  # noqa: PTH115 - the text as it stands there
        except OSError:  # no link
            return path
    raise OSError(errno.ELOOP, os.strerror(errno.ELOOP))
