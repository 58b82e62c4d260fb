"""Reports on what `pbslim.shrink` does, collected while both files are there; loads nothing where none is wanted."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from pbslim.shrinking.proof import Files
from pbslim.shrinking.shrink import ShrinkResult

EXAMPLES = 6
"""Samples of which decisions differ that a report shows."""


class Reporting:
    """The reports that are wanted.

    Args:
        paths: the files to write; how a name ends says what the report is to be.
        run: whether to run both files to find the layers in which they differ.

    Raises:
        PbslimError: a name says nothing, or cannot be written.
    """

    def __init__(self, paths: Sequence[Path], *, run: bool) -> None:
        self._paths, self._run = paths, run
        if paths:
            from pbslim.report import documents, facts

            for path in paths:
                documents.require_writable(path)
            self._look = facts.Look()

    @property
    def look(self) -> Callable[[Files], None] | None:
        """What looks at both files; None where no report is wanted."""
        return partial(self._look.at, layers=None if self._run else []) if self._paths else None

    def write(self, result: ShrinkResult, source: Path, target: Path, how: str, command: str) -> None:
        """Write the reports; see `pbslim.report.facts.of_shrink`.

        Raises:
            PbslimError: one cannot be written.
        """
        if self._paths:
            from pbslim.report import documents, facts

            found = facts.of_shrink(result, self._look, source, target, how, command)
            for path in self._paths:
                documents.write(found, path)
