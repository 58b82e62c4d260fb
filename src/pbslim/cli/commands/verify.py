"""``pbslim verify``."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

import click
import numpy as np
import numpy.typing as npt

from pbslim.cli.options import FILE, HELP, NAMES, json_option
from pbslim.errors import UsageError
from pbslim.report import terminal
from pbslim.verification import compare_files


@click.command("verify", context_settings=HELP)
@click.argument("first", metavar="A.pb", type=FILE)
@click.argument("second", metavar="B.pb", type=FILE)
@click.option("--feeds", type=FILE, help="An .npz file: tensor name → array. Generated if not given.")
@click.option("--inputs", type=NAMES, help="Placeholders to generate values for.")
@click.option("--outputs", type=NAMES, help="Outputs to compare; all if not given.")
@click.option("--atol", type=float, default=1e-5, show_default=True, help="Absolute difference that is allowed.")
@click.option("--rtol", type=float, default=1e-4, show_default=True, help="The same relative to the largest value.")
@json_option
def command(
    first: Path,
    second: Path,
    feeds: Path | None,
    inputs: tuple[str, ...] | None,
    outputs: tuple[str, ...] | None,
    atol: float,
    rtol: float,
    as_json: bool,
) -> int:
    """Run two graphs with TensorFlow on the same inputs and compare the outputs; exit code 1 if they differ."""
    given = read_feeds(feeds) if feeds else None
    with terminal.progress("running both graphs"):
        found = compare_files(first, second, given, inputs=inputs, outputs=outputs, rtol=rtol, atol=atol)
    if as_json:
        terminal.print_json([asdict(each) | {"agrees": each.agrees} for each in found.comparisons])
    else:
        rows = [
            (
                r.output,
                str(list(r.shape)),
                f"{r.largest_difference:.3g}",
                f"{r.largest_value:.3g}",
                r.problem or "agrees",
            )
            for r in found.comparisons
        ]
        columns = ["output", "shape", "largest difference", "largest value", ""]
        terminal.stdout().print(terminal.table(columns, rows, right=(2, 3)))
    for path, memory in zip((first, second), found.memory, strict=False):
        resident, private = terminal.size_text(memory.resident), terminal.size_text(memory.private)
        terminal.note(f"{path} took {resident} of resident memory, {private} of it private")
    return 0 if found.agrees else 1


def read_feeds(path: Path) -> dict[str, npt.NDArray[Any]]:
    """The arrays of an .npz file; nothing in it is executed.

    Raises:
        UsageError: it is not one.
    """
    try:
        with np.load(path, allow_pickle=False) as file:
            return {name: file[name] for name in file.files}
    except (OSError, ValueError, AttributeError) as error:
        raise UsageError(f"'{path}' is not an .npz file of plain arrays: {error}") from None
