"""``pbslim graph_to_dot``."""

from __future__ import annotations

from pathlib import Path

import click

from pbslim.cli.options import FILE, HELP, OUTPUT, LegacyCommand, bool_option
from pbslim.errors import PbslimError, UsageError
from pbslim.legacy.graph_to_dot import graph_to_dot
from pbslim.report import terminal
from pbslim.wire import load
from pbslim.wire.outputs import replacing, require_apart
from pbslim.wire.paths import STANDARD


@click.command("graph_to_dot", cls=LegacyCommand, context_settings=HELP)
@click.option("--graph", type=FILE, required=True, help="GraphDef file, binary or text.")
@bool_option("--input_binary", default=True, help="No effect: the format is detected.", expose_value=False)
@click.option("--dot_output", type=OUTPUT, help="DOT file to write.")
@click.option("--svg_output", type=OUTPUT, help="Picture to write; needs Graphviz and pip install 'pbslim[graphviz]'.")
def command(
    graph: Path,
    dot_output: Path | None,
    svg_output: Path | None,
) -> int:
    """Draw a graph in Graphviz's DOT language; control edges are dashed."""
    if dot_output is None and svg_output is None:
        raise UsageError("name the file to write with --dot_output")
    if graph != STANDARD and not graph.exists():
        raise UsageError(f"Input graph file '{graph}' does not exist!")
    for target in filter(None, (dot_output, svg_output)):
        require_apart(target, graph)
    text = graph_to_dot(load(graph))
    if dot_output:
        _write(dot_output, text.encode())
        terminal.print_lines([f"Created DOT file '{dot_output}'."])
    if svg_output:
        _write(svg_output, _picture(text))
        terminal.print_lines([f"Created SVG file '{svg_output}'."])
    return 0


def _write(path: Path, content: bytes) -> None:
    with replacing(path) as out:
        out.write(content)


def _picture(text: str) -> bytes:
    try:
        import graphviz
    except ImportError:
        raise UsageError("--svg_output needs Graphviz and its Python package: pip install 'pbslim[graphviz]'") from None
    try:
        return bytes(graphviz.Source(text).pipe("svg"))
    except (graphviz.ExecutableNotFound, graphviz.CalledProcessError) as error:
        raise PbslimError(f"Graphviz cannot draw this graph: {error}") from None
