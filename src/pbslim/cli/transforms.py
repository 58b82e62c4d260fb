"""``pbslim transforms``."""

from __future__ import annotations

import inspect

import pbslim.transforms  # noqa: F401 - registers them
from pbslim.cli import terminal
from pbslim.passes import registry


def run(name: str | None) -> int:
    """List the transforms, or print the manual of one."""
    console = terminal.stdout()
    if name is None:
        rows = []
        for each in map(registry.find, registry.names()):
            rows.append((each.name, each.effect, each.manual.strip().splitlines()[0]))
        console.print(terminal.table(["transform", "effect", "what it does"], rows))
        return 0
    found = registry.find(name)
    parameters = ", ".join(p.describe() for p in found.parameters.values())
    text = f"{found.name}({parameters})    {found.effect}\n\n{found.manual.strip()}\n\n{inspect.getdoc(found.function)}"
    console.print(text, markup=False)
    return 0
