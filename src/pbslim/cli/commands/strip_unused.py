"""``pbslim strip_unused``."""

from __future__ import annotations

from pathlib import Path

import click

from pbslim.cli.command import LegacyCommand
from pbslim.cli.options import FILE, NAMES, OUTPUT, bool_option, json_option
from pbslim.errors import UsageError
from pbslim.legacy.strip_unused import strip_unused
from pbslim.report import terminal
from pbslim.wire import load, save
from pbslim.wire.outputs import require_apart


@click.command(
    "strip_unused",
    cls=LegacyCommand,
    examples=[
        "pbslim strip_unused --input_graph=model.pb --output_graph=s.pb --input_node_names=x --output_node_names=y",
    ],
)
@click.option("--input_graph", type=FILE, required=True, help="GraphDef file, binary or text.")
@bool_option("--input_binary", default=False, help="No effect: the format is detected.", expose_value=False)
@click.option("--output_graph", type=OUTPUT, required=True, help="File to write.")
@bool_option("--output_binary", default=True, help="Write the binary form.")
@click.option("--input_node_names", type=NAMES, required=True, help="Names of the inputs, separated by commas.")
@click.option("--output_node_names", type=NAMES, required=True, help="Names of the outputs, separated by commas.")
@click.option("--placeholder_type_enum", type=int, help="Number of the inputs' type (1: float); kept if not given.")
@json_option
def command(
    input_graph: Path,
    output_graph: Path,
    output_binary: bool,
    input_node_names: tuple[str, ...],
    output_node_names: tuple[str, ...],
    placeholder_type_enum: int | None,
    as_json: bool,
) -> int:
    """Cut a graph at its inputs and keep what the outputs need, by the command line of TensorFlow's strip_unused."""
    if not input_node_names:
        raise UsageError("name at least one input")
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
        terminal.tell(f"{len(graph)} ops in the final graph.")
    return 0
