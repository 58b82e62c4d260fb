"""``pbslim unmap``."""

from __future__ import annotations

from pathlib import Path

import click

from pbslim.cli.options import FILE, HELP, OUTPUT
from pbslim.report import terminal
from pbslim.wire.unmap import unmap


@click.command("unmap", context_settings=HELP)
@click.argument("package", metavar="PACKAGE", type=FILE)
@click.option("-o", "--out", type=OUTPUT, required=True, help="GraphDef file to write.")
def command(package: Path, out: Path) -> int:
    """Turn a memory-mapped package back into an ordinary graph."""
    with terminal.progress("reading") as show:
        size = unmap(package, out, progress=terminal.bytes_written(show))
    terminal.tell_written(out, size)
    terminal.tell_size(size)
    return 0
