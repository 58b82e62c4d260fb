"""``pbslim freeze_graph``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from pbslim.cli.command import LegacyCommand
from pbslim.cli.options import FILE, OUTPUT, WORDS, bool_option, json_option
from pbslim.errors import UsageError
from pbslim.legacy.freeze_graph import freeze_graph
from pbslim.report import freezing, terminal
from pbslim.wire import save
from pbslim.wire.outputs import require_apart


@click.command(
    "freeze_graph",
    cls=LegacyCommand,
    examples=[
        "pbslim freeze_graph --input_saved_model_dir=exported --output_node_names=y --output_graph=frozen.pb",
        "pbslim freeze_graph --input_graph=g.pb --input_checkpoint=m --output_node_names=y --output_graph=frozen.pb",
    ],
)
@click.option("--input_graph", type=FILE, help="GraphDef file, binary or text.")
@click.option("--input_saver", type=FILE, expose_value=False, help="No effect: the graph or the names have the keys.")
@click.option("--input_checkpoint", type=FILE, help="What the names of the checkpoint's files begin with.")
@click.option("--checkpoint_version", type=click.Choice(["1", "2"]), expose_value=False, help="No effect: detected.")
@bool_option("--input_binary", default=False, help="No effect: the format is detected.", expose_value=False)
@click.option("--input_meta_graph", type=FILE, help="MetaGraphDef file (.meta).")
@click.option("--input_saved_model_dir", type=FILE, help="Folder of a SavedModel.")
@click.option("--saved_model_tags", type=WORDS, default="serve", show_default=True, help="Tags of the graph to take.")
@click.option("--output_graph", type=OUTPUT, help="File to write; nothing is written if not given.")
@click.option("--output_node_names", type=WORDS, default="", help="Names of the outputs, separated by commas.")
@click.option("--restore_op_name", expose_value=False, help="No effect, as in TensorFlow.")
@click.option("--filename_tensor_name", expose_value=False, help="No effect, as in TensorFlow.")
@bool_option("--clear_devices", default=True, help="Forget on which devices nodes are asked to run.")
@click.option("--initializer_nodes", type=WORDS, default="", help="Not supported; no effect for a SavedModel.")
@click.option("--variable_names_whitelist", type=WORDS, default="", help="Variables to freeze; all if not given.")
@click.option(
    "--variable_names_blacklist", "--variable_names_denylist", type=WORDS, default="", help="Variables to leave."
)
@json_option
def command(
    input_graph: Path | None,
    input_meta_graph: Path | None,
    input_saved_model_dir: Path | None,
    input_checkpoint: Path | None,
    output_graph: Path | None,
    initializer_nodes: tuple[str, ...],
    as_json: bool,
    **options: Any,
) -> int:
    """Make constants of the variables in a graph, by the command line of TensorFlow's freeze_graph."""
    if initializer_nodes and not input_saved_model_dir:
        raise UsageError("nodes cannot be run here (--initializer_nodes); the values must be in the checkpoint")
    if output_graph:
        given = input_graph, input_meta_graph, input_saved_model_dir, input_checkpoint
        require_apart(output_graph, *(path for path in given if path))
    with terminal.progress("freezing"):
        found = freeze_graph(
            input_graph=input_graph,
            input_meta_graph=input_meta_graph,
            input_saved_model_dir=input_saved_model_dir,
            input_checkpoint=input_checkpoint,
            **options,
        )
        size = save(found.graph, output_graph) if output_graph else 0
    for text in found.notes:
        terminal.note(text)
    terminal.tell_size(size)
    if as_json:
        terminal.print_json({**freezing.content(found), "bytes": size})
    else:
        terminal.tell(f"{len(found.graph)} ops in the final graph.")
    return 0
