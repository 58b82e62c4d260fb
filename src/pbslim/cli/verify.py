"""``pbslim verify``."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from pbslim.errors import UsageError
from pbslim.report import terminal
from pbslim.verification import compare_files


def run(
    first: Path,
    second: Path,
    feeds: Path | None,
    inputs: tuple[str, ...] | None,
    outputs: tuple[str, ...] | None,
    atol: float,
    rtol: float,
    as_json: bool,
) -> int:
    """Compare two graphs; 1 when an output differs."""
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
