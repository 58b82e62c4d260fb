"""What a shell offers for the word that is being typed; nothing where anything goes wrong: no message could be read."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path

import click
from click.shell_completion import CompletionItem

_MOST_BYTES = 1 << 30  # of a file that is read between two keystrokes


def node_names(ctx: click.Context, incomplete: str) -> list[CompletionItem]:
    """The nodes of the file that the command line names so far, for the name after the last comma."""
    before, comma, name = incomplete.rpartition(",")
    return [CompletionItem(before + comma + each) for each in sorted(_nodes(ctx)) if each.startswith(name)]


def transform_names(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """The transforms."""
    del ctx, param
    return transforms(incomplete)


def transforms(incomplete: str) -> list[CompletionItem]:
    """The last word of a text in the language of ``--transforms``: a transform, or a parameter of one."""
    from pbslim.passes import registry

    start = re.search(r"\w*$", incomplete)
    before, word = incomplete[: start.start() if start else 0], start[0] if start else ""
    inside = re.search(r"(\w+)\s*\([^()]*$", before)
    if not inside:
        found: dict[str, str] = {name: registry.find(name).effect for name in registry.names() if name.startswith(word)}
    elif inside[1] in registry.names():
        parameters = registry.find(inside[1]).parameters.values()
        found = {f"{each.name}=": each.describe() for each in parameters if each.name.startswith(word)}
    else:
        found = {}
    return [CompletionItem(before + text, help=about) for text, about in found.items()]


def _nodes(ctx: click.Context) -> Iterable[str]:
    from pbslim.errors import PbslimError
    from pbslim.wire import load

    for file in _files(ctx):
        with suppress(PbslimError, OSError, MemoryError):
            if file.is_dir() or 0 < file.stat().st_size < _MOST_BYTES:
                return [node.name for node in load(file)]
    return []


def _files(ctx: click.Context) -> Iterator[Path]:
    """The inputs that are named so far."""
    for value in ctx.params.values():
        for each in value if isinstance(value, tuple) else (value,):
            if isinstance(each, Path) and each.exists():
                yield each
