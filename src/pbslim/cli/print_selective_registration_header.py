"""``pbslim print_selective_registration_header``."""

from __future__ import annotations

from pathlib import Path

from pbslim.errors import UsageError
from pbslim.legacy.print_selective_registration_header import selective_registration_header
from pbslim.report import terminal
from pbslim.wire import load


def run(graphs: tuple[str, ...], default_ops: str, kernels: str) -> int:
    """Print the header for these graphs."""
    if not graphs:
        raise UsageError("name the graphs with --graphs")
    author = "print_selective_registration_header"
    loaded = [load(Path(path)) for path in graphs]
    text, unknown = selective_registration_header(loaded, default_ops=default_ops, release=kernels, author=author)
    for op in unknown:
        terminal.note(f"no kernel found for op {op}")
    print(text, end="")  # noqa: T201
    return 0
