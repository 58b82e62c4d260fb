"""``pbslim unmap``."""

from __future__ import annotations

from pathlib import Path

from pbslim.report import terminal
from pbslim.wire.unmap import unmap


def run(package: Path, out: Path) -> int:
    """Write the graph, and say how large it is."""
    with terminal.progress("reading") as show:
        size = unmap(package, out, progress=terminal.bytes_written(show))
    terminal.stdout().print(f"{out} written, {terminal.size_text(size)}", markup=False)
    terminal.tell_size(size)
    return 0
