"""``pbslim benchmark``."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

from pbslim.cli.command import Command
from pbslim.cli.options import FILE, NAMES, SECONDS, WORDS, json_option
from pbslim.engines import ENGINES
from pbslim.report import terminal
from pbslim.verification.benchmark import DEFAULT_RUNS, Measurement, benchmark
from pbslim.verification.running import DEFAULT_TIMEOUT

_COUNT = click.IntRange(min=1)
_COLUMNS = ("graph", "engine", "load", "first run", "median", "quickest", "slowest", "runs", "resident", "private")


@click.command(
    "benchmark",
    cls=Command,
    examples=[
        "pbslim benchmark model.pb model-small.pb --engine builtin --runs 5",
    ],
)
@click.argument("paths", metavar="A.pb [B.pb ...]", nargs=-1, required=True, type=FILE)
@click.option("--engine", "engines", type=WORDS, help=f"Some of {', '.join(ENGINES)}; all installed ones if not given.")
@click.option("--inputs", type=NAMES, help="Placeholders to generate values for.")
@click.option("--outputs", type=NAMES, help="Outputs to compute; all if not given.")
@click.option(
    "--samples", type=_COUNT, default=1, show_default=True, help="The batch size, where a graph leaves it open."
)
@click.option("--runs", type=_COUNT, default=DEFAULT_RUNS, show_default=True, help="Runs to time after the first one.")
@click.option("--threads", type=_COUNT, default=1, show_default=True, help="Threads that an engine may use.")
@click.option(
    "--timeout",
    type=SECONDS,
    metavar="SECONDS",
    default=DEFAULT_TIMEOUT,
    show_default=True,
    help="Give up when one run takes longer.",
)
@json_option
def command(paths: tuple[Path, ...], as_json: bool, **options: Any) -> int:
    """Measure how long graphs take to load and to run and what memory they need, in fresh processes."""
    with terminal.progress_bar("running") as advance:
        found = benchmark(paths, on_progress=advance, **options)
    if as_json:
        terminal.print_json([asdict(each) | {"path": str(each.path)} for each in found])
    else:
        right = range(2, len(_COLUMNS))
        terminal.stdout().print(terminal.table(_COLUMNS, [_row(each) for each in found], right=right))
    for each in found:
        if each.problem:
            terminal.note(f"{each.path}: {each.problem}")
    return 2 if all(each.problem for each in found) else 0


def _row(found: Measurement) -> list[str]:
    if found.problem:
        return [str(found.path), found.engine, *["-"] * 8]
    times = (found.load, found.first, found.median, found.quickest, found.slowest)
    memory = found.memory
    sizes = [terminal.size_text(size) for size in (memory.resident, memory.private)] if memory else ["-", "-"]
    return [str(found.path), found.engine, *map(_milliseconds, times), str(found.runs), *sizes]


def _milliseconds(seconds: float) -> str:
    return f"{seconds * 1000:.1f} ms"
