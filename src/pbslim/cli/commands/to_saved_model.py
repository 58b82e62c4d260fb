"""``pbslim to-saved-model``."""

from __future__ import annotations

from pathlib import Path

import click

from pbslim.cli.command import Command
from pbslim.cli.options import FILE, NAMES, json_option
from pbslim.freezing.wrapping import SavedModelResult, to_saved_model
from pbslim.report import terminal
from pbslim.wire.saved_models import TensorInfo


@click.command(
    "to-saved-model",
    cls=Command,
    examples=[
        "pbslim to-saved-model frozen.pb served/1",
        "pbslim to-saved-model frozen.pb served/1 --input image=input:0 --output scores=Softmax:0",
    ],
)
@click.argument("graph", metavar="GRAPH", type=FILE)
@click.argument("folder", metavar="FOLDER", type=FILE)
@click.option(
    "--input",
    "inputs",
    metavar="[KEY=]TENSOR",
    multiple=True,
    type=NAMES,
    help="An input of the signature; may be repeated. The placeholders that the outputs need, if not given.",
)
@click.option(
    "--output",
    "outputs",
    metavar="[KEY=]TENSOR",
    multiple=True,
    type=NAMES,
    help="An output of the signature; may be repeated. What the graph ends in, if not given.",
)
@click.option("--signature", help="What the signature is called: serving_default if nothing else is known.")
@click.option("--tag", "tags", multiple=True, default=("serve",), show_default=True, help="What the graph is for.")
@click.option(
    "--asset",
    "assets",
    metavar="FILE",
    multiple=True,
    type=FILE,
    help="A file from which a lookup table is filled, to be taken along; may be repeated.",
)
@click.option("--force", is_flag=True, help="Replace a SavedModel that is in the folder.")
@json_option
def command(
    graph: Path,
    folder: Path,
    inputs: tuple[tuple[str, ...], ...],
    outputs: tuple[tuple[str, ...], ...],
    signature: str | None,
    tags: tuple[str, ...],
    assets: tuple[Path, ...],
    force: bool,
    as_json: bool,
) -> int:
    """Write a frozen graph as a SavedModel, for servers and converters that take nothing else."""
    with terminal.progress("reading") as show:
        found = to_saved_model(
            graph,
            folder,
            inputs=[name for names in inputs for name in names],
            outputs=[name for names in outputs for name in names],
            signature=signature,
            tags=tags,
            assets=assets,
            replace=force,
            progress=terminal.bytes_written(show),
        )
    if as_json:
        terminal.print_json(_row(found, tags))
        return 0
    terminal.tell_written(folder, found.size, f"signature '{found.signature}'")
    for what, infos in (("input", found.inputs), ("output", found.outputs)):
        for key, info in infos.items():
            terminal.tell(f"  {what} {key} = {_shown(info)}")
    for note in found.notes:
        terminal.note(note)
    return 0


def _shown(info: TensorInfo) -> str:
    return f"{info.name} {info.dtype or '?'} {info.shape}"


def _row(found: SavedModelResult, tags: tuple[str, ...]) -> dict[str, object]:
    return {
        "folder": str(found.folder),
        "bytes": found.size,
        "signature": found.signature,
        "tags": list(tags),
        "inputs": {key: info.name for key, info in found.inputs.items()},
        "outputs": {key: info.name for key, info in found.outputs.items()},
        "initializers": found.initializers,
        "notes": found.notes,
    }
