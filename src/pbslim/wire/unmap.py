"""From a memory-mapped package back to an ordinary graph."""

from __future__ import annotations

from collections.abc import Callable
from os import PathLike
from pathlib import Path

from pbslim.errors import UsageError
from pbslim.wire import save
from pbslim.wire.files import GraphLike, load
from pbslim.wire.memmapped import package_of
from pbslim.wire.outputs import require_apart, require_room
from pbslim.wire.paths import expanded


def unmap(package: GraphLike, out: str | Path, *, progress: Callable[[int], None] | None = None) -> int:
    """Write the graph in `package` to `out` as an ordinary GraphDef and give its size in bytes.

    The graph is the one that `pbslim.convert_graphdef_memmapped_format` was given, attributes and encodings included.
    A package that TensorFlow's tool wrote does not say what attributes its constants had; they have none then.

    Raises:
        UsageError: it is not a package, or `out` is the package itself.
        PbslimError: the package is damaged, or the graph cannot be written.
    """
    target = expanded(out)
    if isinstance(package, str | PathLike):
        require_apart(target, Path(package))
    graph = load(package)
    found = package_of(graph)
    if found is None:
        name = str(package) if isinstance(package, str | PathLike) else type(package).__name__
        raise UsageError(f"'{name}' is not a memory-mapped package but an ordinary graph")
    require_room(target, sum(constant.nbytes for constant in found.constants))
    return save(graph, target, progress=progress)
