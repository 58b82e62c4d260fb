"""``pbslim compare_graphs``."""

from __future__ import annotations

from itertools import islice
from pathlib import Path

import click

from pbslim.cli.command import Command
from pbslim.cli.options import FILE, TOLERANCE, json_option
from pbslim.errors import UsageError
from pbslim.legacy.compare_graphs import compare_graphs
from pbslim.report import terminal
from pbslim.wire import load


@click.command(
    "compare_graphs",
    cls=Command,
    examples=[
        "pbslim compare_graphs model.pb expected.pb --all",
    ],
)
@click.argument("files", metavar="ACTUAL.pb EXPECTED.pb", nargs=-1, type=FILE)
@click.option("--all", "show_all", is_flag=True, help="List every difference, not the first only.")
@click.option("--atol", type=TOLERANCE, default=0.0, help="How far apart floats in tensors may be; 0 if not given.")
@click.option("--library", is_flag=True, help="Compare the function libraries too.")
@json_option
def command(files: tuple[Path, ...], show_all: bool, atol: float, library: bool, as_json: bool) -> int:
    """Compare two graphs node by node, as TensorFlow's compare_graphs; exit code 1 if they differ."""
    if len(files) != 2:
        raise UsageError("compare_graphs expects two file names as arguments")
    actual, expected = map(load, files)
    found = list(islice(compare_graphs(actual, expected, atol=atol, library=library), None if show_all else 1))
    if as_json:
        terminal.print_json({"equal": not found, "differences": found})
    else:
        terminal.print_lines(found or ["Graphs are equal."])
    return 1 if found else 0
