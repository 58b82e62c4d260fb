"""``pbslim diff``."""

from __future__ import annotations

import math
from dataclasses import asdict
from pathlib import Path

import click

from pbslim.analysis.diff import ChangedNode, diff
from pbslim.cli.command import Command
from pbslim.cli.options import FILE, TOLERANCE, json_option
from pbslim.errors import counted
from pbslim.report import terminal
from pbslim.wire import load


@click.command(
    "diff",
    cls=Command,
    examples=[
        "pbslim diff model.pb model-small.pb --by-op",
    ],
)
@click.argument("first", metavar="A.pb", type=FILE)
@click.argument("second", metavar="B.pb", type=FILE)
@click.option("--by-op", is_flag=True, help="Sum up by op instead of listing the nodes.")
@click.option("--atol", type=TOLERANCE, default=0.0, help="How far apart floats in tensors may be; 0 if not given.")
@click.option("--ignore-defaults", is_flag=True, help="An attribute at its default value is the same as none.")
@json_option
def command(first: Path, second: Path, by_op: bool, atol: float, ignore_defaults: bool, as_json: bool) -> int:
    """List what was added, removed and changed from A to B; exit code 1 if anything was."""
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
        f"{counted(len(found.removed), 'node')} removed, {len(found.added)} added, {len(found.changed)} changed"
        + (f"; {counted(len(found.functions), 'difference')} in functions" if found.functions else "")
    )
    return 1


def _line(change: ChangedNode) -> str:
    name = change.name if change.name == change.new_name else f"{change.name} → {change.new_name}"
    return f"~ {name} ({change.op}): {'; '.join(change.changes)}"
