"""``pbslim strip_unused``."""

from __future__ import annotations

from pathlib import Path

from pbslim.legacy.strip_unused import strip_unused
from pbslim.report import terminal
from pbslim.wire import load, save
from pbslim.wire.outputs import require_apart


def run(
    input_graph: Path,
    input_binary: bool,  # noqa: ARG001 - the form is found out
    output_graph: Path,
    output_binary: bool,
    input_node_names: tuple[str, ...],
    output_node_names: tuple[str, ...],
    placeholder_type_enum: int | None,
    as_json: bool,
) -> int:
    """Load, strip, write, and say how many nodes are left."""
    require_apart(output_graph, input_graph)
    with terminal.progress("reading"):
        graph = load(input_graph)
        result = strip_unused(graph, input_node_names, output_node_names, placeholder_type_enum)
        size = save(graph, output_graph, as_text=not output_binary)
    terminal.tell_steps([result], explain=False)
    terminal.tell_size(size)
    if as_json:
        terminal.print_steps([result], size)
    else:
        print(f"{len(graph)} ops in the final graph.")  # noqa: T201
    return 0
