"""``pbslim graph_to_dot``."""

from __future__ import annotations

from pathlib import Path

import click

from pbslim.cli.command import LegacyCommand
from pbslim.cli.options import FILE, OUTPUT, bool_option, json_option
from pbslim.errors import PbslimError, UsageError
from pbslim.legacy.graph_to_dot import graph_to_dot
from pbslim.report import terminal
from pbslim.wire import load
from pbslim.wire.outputs import replacing, require_apart
from pbslim.wire.paths import STANDARD


@click.command(
    "graph_to_dot",
    cls=LegacyCommand,
    examples=[
        "pbslim graph_to_dot --graph=model.pb --dot_output=model.dot",
    ],
)
@click.option("--graph", type=FILE, required=True, help="GraphDef file, binary or text.")
@bool_option("--input_binary", default=True, help="No effect: the format is detected.", expose_value=False)
@click.option("--dot_output", type=OUTPUT, help="DOT file to write.")
@click.option("--svg_output", type=OUTPUT, help="Picture to write; needs Graphviz and pip install 'pbslim[graphviz]'.")
@json_option
def command(graph: Path, dot_output: Path | None, svg_output: Path | None, as_json: bool) -> int:
    """Draw a graph in Graphviz's DOT language; control edges are dashed."""
    if dot_output is None and svg_output is None:
        raise UsageError("name the file to write with --dot_output")
    if graph != STANDARD and not graph.exists():
        raise UsageError(f"Input graph file '{graph}' does not exist!")
    for target in filter(None, (dot_output, svg_output)):
        require_apart(target, graph)
    loaded = load(graph)
    text = graph_to_dot(loaded)
    if dot_output:
        _write(dot_output, text.encode())
    if svg_output:
        _write(svg_output, _picture(text))
    written = {kind: str(path) for kind, path in (("DOT", dot_output), ("SVG", svg_output)) if path}
    if as_json:
        terminal.print_json({"nodes": len(loaded), **{kind.lower(): path for kind, path in written.items()}})
    else:
        terminal.tell(*(f"Created {kind} file '{path}'." for kind, path in written.items()))
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
