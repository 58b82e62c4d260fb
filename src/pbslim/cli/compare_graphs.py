"""``pbslim compare_graphs``."""

from __future__ import annotations

from itertools import islice
from pathlib import Path

from pbslim.errors import UsageError
from pbslim.legacy.compare_graphs import compare_graphs
from pbslim.report import terminal
from pbslim.wire import load


def run(files: tuple[Path, ...], show_all: bool, atol: float, library: bool, as_json: bool) -> int:
    """Compare the first file with the second; 1 when they differ."""
    if len(files) != 2:
        raise UsageError("compare_graphs expects two file names as arguments")
    actual, expected = map(load, files)
    found = list(islice(compare_graphs(actual, expected, atol=atol, library=library), None if show_all else 1))
    if as_json:
        terminal.print_json({"equal": not found, "differences": found})
    else:
        print("\n".join(found) if found else "Graphs are equal.")  # noqa: T201
    return 1 if found else 0
