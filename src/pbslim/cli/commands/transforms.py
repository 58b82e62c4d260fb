"""``pbslim transforms``."""

from __future__ import annotations

import inspect

import click

from pbslim.cli.options import HELP
from pbslim.passes import registry
from pbslim.report import terminal

_WIDE_ENOUGH = 120  # columns: what a transform does has as much room as the longest name


@click.command("transforms", context_settings=HELP)
@click.argument("name", required=False)
def command(name: str | None) -> int:
    """List the transforms, or print the manual of one."""
    console = terminal.stdout()
    if name is None:
        found = map(registry.find, registry.names())
        rows = [(each.name, each.effect, each.manual.strip().splitlines()[0]) for each in found]
        if console.width < _WIDE_ENOUGH:
            terminal.print_lines(line for name, effect, text in rows for line in (f"{name} ({effect})", f"    {text}"))
        else:
            console.print(terminal.table(["transform", "effect", "what it does"], rows))
        return 0
    one = registry.find(name)
    parameters = ", ".join(p.describe() for p in one.parameters.values())
    text = f"{one.name}({parameters})    {one.effect}\n\n{one.manual.strip()}\n\n{inspect.getdoc(one.function)}"
    if one.in_functions:
        text += "\n\nWith functions=true (or --functions) it transforms the bodies in the function library as well."
    for line in text.splitlines():
        console.print(line, markup=False)
    return 0
