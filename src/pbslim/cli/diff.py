"""``pbslim diff``."""

from __future__ import annotations

import math
from dataclasses import asdict
from pathlib import Path

from pbslim.analysis.diff import Change, diff
from pbslim.report import terminal
from pbslim.wire import load


def run(first: Path, second: Path, by_op: bool, atol: float, ignore_defaults: bool, as_json: bool) -> int:
    """Tell what became of the first graph; 1 when it is another one."""
    found = diff(load(first), load(second), atol=atol, ignore_defaults=ignore_defaults)
    if as_json:
        content = asdict(found)
        for change in content["changed"]:
            if change["largest_difference"] == math.inf:  # JSON has no such number
                change["largest_difference"] = "infinite"
        terminal.print_json({"equal": found.equal, **content, "by_op": found.by_op()})
        return 0 if found.equal else 1
    console = terminal.stdout()
    if found.equal:
        console.print("the graphs are equal")
        return 0
    if by_op:
        rows = [(op, *map(str, counts)) for op, counts in found.by_op().items()]
        console.print(terminal.table(["op", "removed", "added", "changed"], rows, right=(1, 2, 3)))
    else:
        lines = [f"- {node.name} ({node.op})" for node in found.removed]
        lines += [f"+ {node.name} ({node.op})" for node in found.added]
        lines += map(_line, found.changed)
        for line in lines:
            console.print(line, markup=False)
    for text in found.functions:
        console.print(f"~ function {text}", markup=False)
    console.print(
        f"{len(found.removed)} nodes removed, {len(found.added)} added, {len(found.changed)} changed"
        + (f"; {len(found.functions)} differences in functions" if found.functions else "")
    )
    return 1


def _line(change: Change) -> str:
    name = change.name if change.name == change.new_name else f"{change.name} → {change.new_name}"
    return f"~ {name} ({change.op}): {'; '.join(change.changes)}"
