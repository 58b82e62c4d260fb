"""What is being done, in one line on stderr, on a terminal only, until a command has something to print."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from pbslim.errors import one_line

if TYPE_CHECKING:  # rich takes a while to load, and a pipe needs none of it
    from rich.progress import Progress


class _Display:
    """The line, while it is there."""

    def __init__(self) -> None:
        self.allowed = True
        self._bar: Progress | None = None

    def start(self) -> None:
        """Show the line if it can be seen; until it is stopped, nothing else may be printed."""
        if self._bar is not None or not self.allowed or not sys.stderr.isatty():
            return
        from rich.console import Console
        from rich.progress import (
            BarColumn,
            Progress,
            ProgressColumn,
            SpinnerColumn,
            Task,
            TextColumn,
            TimeElapsedColumn,
        )
        from rich.text import Text

        class Bar(BarColumn):
            def render(self, task: Task) -> Text:  # type: ignore[override]
                return super().render(task) if task.total else Text()  # type: ignore[return-value]

        columns: list[ProgressColumn] = [
            SpinnerColumn("line"),  # of ASCII characters
            TextColumn("{task.description}", markup=False),
            Bar(),
            TimeElapsedColumn(),
        ]
        # What is printed must not pass through a console that writes to stderr.
        console = Console(stderr=True)
        self._bar = Progress(*columns, console=console, transient=True, redirect_stdout=False, redirect_stderr=False)
        self._bar.add_task("", total=None)
        self._bar.start()

    def show(self, text: str, done: int = 0, total: int = 0) -> None:
        """Say what is done, and how much of it is."""
        if self._bar is not None:
            task = self._bar.task_ids[0]
            self._bar.update(task, description=one_line(text), completed=done, total=total or None)

    def stop(self) -> None:
        """Take the line away."""
        if self._bar is not None:
            self._bar.stop()
            self._bar = None


_DISPLAY = _Display()
stop = _DISPLAY.stop
"""Take the line away, as something is to be printed."""


resume = _DISPLAY.start
"""Show the line again, as work goes on."""


def is_quiet() -> bool:
    """Whether only results and errors are wanted."""
    return not _DISPLAY.allowed


@contextmanager
def working(*, quiet: bool = False) -> Iterator[None]:
    """Show the line from here on until `stop`, or the end of the block; not at all with `quiet`."""
    _DISPLAY.allowed = not quiet
    try:
        with progress("working"):
            yield
    finally:
        _DISPLAY.stop()
        _DISPLAY.allowed = True


@contextmanager
def progress(text: str) -> Iterator[Callable[..., None]]:
    """Show what is being done; the function changes the text, and with two numbers how much of how much is done."""
    _DISPLAY.start()
    _DISPLAY.show(text)
    yield _DISPLAY.show


@contextmanager
def progress_bar(text: str) -> Iterator[Callable[[int, int], None]]:
    """Show how much of something is done; the function is called with how many, and of how many."""
    _DISPLAY.start()
    _DISPLAY.show(text)
    yield lambda done, total: _DISPLAY.show(text, done, total)
