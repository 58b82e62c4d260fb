"""What the commands share: tables on stdout, progress and notes on stderr."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pbslim.errors import one_line, printable
from pbslim.passes.pipeline import StepResult
from pbslim.report.progress import is_quiet as is_quiet
from pbslim.report.progress import progress as progress
from pbslim.report.progress import progress_bar as progress_bar
from pbslim.report.progress import resume, stop
from pbslim.wire import PROTOBUF_LIMIT

if TYPE_CHECKING:  # rich takes a while to load, and a pipe needs none of it
    from rich.console import Console
    from rich.table import Table

_WIDE = 200
_UNSEEN = re.compile(r"[^\n -~]")


def stdout() -> Console:
    """The console for results; a pipe gets wide lines without colours."""
    from rich import console

    stop()

    class Console(console.Console):
        def print(self, *objects: Any, **options: Any) -> None:
            super().print(*(printable(each) if isinstance(each, str) else each for each in objects), **options)

        def on_broken_pipe(self) -> None:
            raise BrokenPipeError  # the reader has read enough: no failure, as rich would have it

    return Console(highlight=False, soft_wrap=True, width=None if sys.stdout.isatty() else _WIDE)


def table(columns: Sequence[str], rows: Iterable[Sequence[str]], *, right: Sequence[int] = ()) -> Table:
    """A plain table; the columns numbered in `right` hold figures."""
    from rich import box
    from rich.table import Table
    from rich.text import Text

    found = Table(box=box.SIMPLE, pad_edge=False, show_header=any(columns))
    for i, column in enumerate(columns):
        # Names are cut in two where there is no room, so that they can still be read.
        found.add_column(column, justify="right" if i in right else "left", overflow="fold")
    for row in rows:
        found.add_row(*(Text(one_line(cell)) for cell in row))
    return found


def size_text(size: int) -> str:
    """A number of bytes as people read it (powers of ten)."""
    if size < 1000:
        return f"{size} B"
    unit, scale = next((u, s) for u, s in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)) if size >= s)
    return f"{size / scale:.2f} {unit}"


def ratio_text(before: int, after: int) -> str:
    """How many times smaller or larger something became."""
    smaller, larger = before / max(after, 1), after / max(before, 1)
    text = f"{max(smaller, larger):.2f}"
    return "about the same" if text == "1.00" else f"{text}x {'smaller' if before > after else 'larger'}"


def duration_text(seconds: float) -> str:
    """A waiting time."""
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest:02} s" if minutes else f"{rest} s"


def note(text: str) -> None:
    """A remark on stderr, unless only results and errors are wanted."""
    if not is_quiet():
        say(f"note: {text}")


def note_meanwhile(text: str) -> None:
    """A remark on stderr in the middle of work, whose progress is shown again after it."""
    note(text)
    resume()


def say(text: str) -> None:
    """A line on stderr."""
    stop()
    print(one_line(text), file=sys.stderr)  # noqa: T201


def print_lines(lines: Iterable[str]) -> None:
    """Lines on stdout."""
    stop()
    for line in lines:
        print(printable(line))  # noqa: T201


def tell(*lines: str) -> None:
    """Lines on stdout about what was done, unless only results and errors are wanted."""
    if not is_quiet():
        print_lines(map(one_line, lines))


def print_json(content: Any) -> None:
    """`content` on stdout; in texts, what could control a terminal is escaped."""
    stop()
    print(_UNSEEN.sub(_json_escape, json.dumps(content, indent=2, ensure_ascii=False)))  # noqa: T201


def _json_escape(found: re.Match[str]) -> str:
    char = found[0]
    units = char.encode("utf-16-be", "surrogatepass")
    return char if char.isprintable() else "".join(rf"\u{units[i : i + 2].hex()}" for i in range(0, len(units), 2))


def keep_stdout_free() -> None:
    """From now on, what a command says goes to stderr: its result itself goes to standard output."""
    sys.stdout = sys.stderr


def bytes_written(show: Callable[[str], None]) -> Callable[[int], None]:
    """A listener for each number of bytes written, which shows their sum."""
    total = 0

    def add(size: int) -> None:
        nonlocal total
        total += size
        show(f"{size_text(total)} written")

    return add


def tell_steps(results: Iterable[StepResult], *, explain: bool) -> None:
    """Notes and ignored errors of a run on stderr, and with `explain` what was skipped and why."""
    for result in results:
        for text in result.notes:
            note(text)
        if result.error:
            note(f"{result.step} failed and was skipped: {result.error}")
        if explain:
            for skipped in result.skipped:
                say(f"{result.step}: '{skipped.node}': {skipped.reason}")


def tell_written(path: Path, size: int, *facts: str) -> None:
    """Say in one line what was written."""
    tell(", ".join([f"{path} written", *facts, size_text(size)]))


def tell_size(size: int) -> None:
    """A note if a file of this many bytes is beyond what TensorFlow reads."""
    if size > PROTOBUF_LIMIT:
        note(f"the result has {size} bytes, TensorFlow reads at most {PROTOBUF_LIMIT}")


def print_steps(results: Iterable[StepResult], size: int) -> None:
    """The results of a run and the bytes that were written (0 for none), as JSON on stdout."""
    print_json({"steps": step_rows(results), "bytes": size or None})


def step_rows(results: Iterable[StepResult]) -> list[dict[str, Any]]:
    """The results of a run for JSON."""
    return [
        {
            "step": result.step,
            "nodes_before": result.nodes_before,
            "nodes_after": result.nodes_after,
            "changed": len(result.changed),
            "skipped": [{"node": s.node, "reason": s.reason} for s in result.skipped],
            "notes": result.notes,
            "error": result.error or None,
            "seconds": round(result.seconds, 6),
        }
        for result in results
    ]
