"""``pbslim unmap``."""

from __future__ import annotations

from pathlib import Path

import click

from pbslim.cli.command import Command
from pbslim.cli.options import FILE, OUTPUT, json_option
from pbslim.report import terminal
from pbslim.wire.unmap import unmap


@click.command(
    "unmap",
    cls=Command,
    examples=[
        "pbslim unmap model.mmap -o model.pb",
    ],
)
@click.argument("package", metavar="PACKAGE", type=FILE)
@click.option("-o", "--out", type=OUTPUT, required=True, help="GraphDef file to write.")
@json_option
def command(package: Path, out: Path, as_json: bool) -> int:
    """Turn a memory-mapped package back into an ordinary graph."""
    with terminal.progress("reading") as show:
        size = unmap(package, out, progress=terminal.bytes_written(show))
    if as_json:
        terminal.print_json({"out": str(out), "bytes": size})
    else:
        terminal.tell_written(out, size)
    terminal.tell_size(size)
    return 0
