"""``pbslim freeze``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from pbslim.cli.command import Command
from pbslim.cli.options import FILE, OUTPUT, WORDS, json_option
from pbslim.errors import counted
from pbslim.freezing.freeze import freeze
from pbslim.freezing.naming import NAMINGS
from pbslim.report import freezing, terminal
from pbslim.wire import save
from pbslim.wire.outputs import require_apart
from pbslim.wire.read import sources_of
from pbslim.wire.sources import InputFile


@click.command(
    "freeze",
    cls=Command,
    examples=[
        "pbslim freeze exported/ -o frozen.pb",
        "pbslim freeze model.ckpt-20.meta -o frozen.pb --outputs out/BiasAdd",
        "pbslim freeze graph.pb --checkpoint model.ckpt -o frozen.pb --outputs y",
    ],
)
@click.argument("model", metavar="MODEL", type=FILE)
@click.option("-o", "--out", type=OUTPUT, required=True, help="File to write.")
@click.option("--tag", "--tags", "tags", type=WORDS, help="Tags of the graph to take, where a SavedModel has several.")
@click.option("--signature", help="The signature to take; serving_default, or the only one, if not given.")
@click.option("--outputs", type=WORDS, help="Keys of the signature, or tensor names; all of them if not given.")
@click.option("--checkpoint", type=FILE, help="Where the values of variables are, if they are not beside the graph.")
@click.option(
    "--names",
    type=click.Choice(NAMINGS),
    default="function",
    show_default=True,
    help="What inputs and outputs of a TensorFlow 2 model are called: function: x and Identity; signature: their keys; "
    "graph: serving_default_x and StatefulPartitionedCall.",
)
@click.option("--lower", is_flag=True, help="Make If and While of Switch, Merge ... as TensorFlow 1 has them.")
@click.option("--drop-updates", is_flag=True, help="Leave out what changes variables while the model runs.")
@click.option("--keep-devices", is_flag=True, help="Leave the devices on which nodes are asked to run.")
@json_option
def command(model: Path, out: Path, as_json: bool, **options: Any) -> int:
    """Make one frozen graph of a SavedModel, or of a checkpoint and its graph."""
    with terminal.progress("freezing"):
        require_apart(out, model, *([options["checkpoint"]] if options["checkpoint"] else []))
        found = freeze(model, **options)
        require_apart(out, *(each.path for each in sources_of(found.graph) if isinstance(each, InputFile)))
        size = save(found.graph, out)
    for text in found.notes:
        terminal.note(text)
    terminal.tell_size(size)
    if as_json:
        terminal.print_json({**freezing.content(found), "bytes": size, "out": str(out)})
    elif not terminal.is_quiet():
        freezing.show(found)
        become = "a constant" if found.variables == 1 else "constants"
        terminal.tell_written(
            out,
            size,
            f"{counted(found.variables, 'variable')} turned into {become}",
            counted(len(found.graph), "node"),
        )
    return 0
