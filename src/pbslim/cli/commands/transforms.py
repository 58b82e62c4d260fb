"""``pbslim transforms``."""

from __future__ import annotations

import inspect
from typing import Any

import click

from pbslim.cli.command import Command
from pbslim.cli.completion import transform_names
from pbslim.cli.options import json_option
from pbslim.passes import registry
from pbslim.passes.registry import Transform
from pbslim.report import terminal

_WIDE_ENOUGH = 120  # columns: what a transform does has as much room as the longest name


@click.command(
    "transforms",
    cls=Command,
    examples=[
        "pbslim transforms",
        "pbslim transforms round_weights",
    ],
)
@click.argument("name", required=False, shell_complete=transform_names)
@json_option
def command(name: str | None, as_json: bool) -> int:
    """List the transforms, or print the manual of one."""
    if as_json:
        one = None if name is None else registry.find(name)
        every = [_content(registry.find(each)) for each in registry.names()]
        terminal.print_json(every if one is None else {**_content(one), "manual": _manual(one)})
    elif name is None:
        _list()
    else:
        one = registry.find(name)
        parameters = ", ".join(p.describe() for p in one.parameters.values())
        text = f"{one.name}({parameters})    {one.effect}\n\n{_manual(one)}"
        console = terminal.stdout()
        for line in text.splitlines():
            console.print(line, markup=False)
    return 0


def _list() -> None:
    console = terminal.stdout()
    rows = [(each.name, each.effect, _summary(each)) for each in map(registry.find, registry.names())]
    if console.width < _WIDE_ENOUGH:
        terminal.print_lines(line for name, effect, text in rows for line in (f"{name} ({effect})", f"    {text}"))
    else:
        console.print(terminal.table(["transform", "effect", "what it does"], rows))


def _summary(one: Transform[...]) -> str:
    return one.manual.strip().splitlines()[0]


def _manual(one: Transform[...]) -> str:
    text = f"{one.manual.strip()}\n\n{inspect.getdoc(one.function)}"
    if one.in_functions:
        text += "\n\nWith functions=true (or --functions) it transforms the bodies in the function library as well."
    return text


def _content(one: Transform[...]) -> dict[str, Any]:
    parameters = [each.describe() for each in one.parameters.values()]
    return {"name": one.name, "effect": one.effect, "summary": _summary(one), "parameters": parameters}
