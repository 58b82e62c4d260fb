"""``pbslim run``."""

from __future__ import annotations

from pathlib import Path

import click

from pbslim.cli.command import Command
from pbslim.cli.options import FILE, NAMES, OUTPUT, json_option
from pbslim.engines import ENGINES
from pbslim.report import terminal
from pbslim.wire.outputs import require_apart

_ENGINES = click.Choice(["auto", *ENGINES])


@click.command(
    "run",
    cls=Command,
    examples=[
        "pbslim run model.pb --feeds images.npz -o answers.npz",
    ],
)
@click.argument("source", metavar="IN.pb", type=FILE)
@click.option("--feeds", type=FILE, required=True, help="An .npz file (tensor name → array), or .npy for one input.")
@click.option("-o", "--out", type=OUTPUT, help="File to write, .npz or .npy; nothing is written if not given.")
@click.option("--outputs", type=NAMES, help="Tensors to compute, inner ones too; the outputs if not given.")
@click.option("--engine", type=_ENGINES, default="auto", show_default=True, help="What runs the graph.")
@json_option
def command(
    source: Path, feeds: Path, out: Path | None, outputs: tuple[str, ...] | None, engine: str, as_json: bool
) -> int:
    """Run a graph on inputs from a file, without TensorFlow."""
    from pbslim.engines.files import write_arrays
    from pbslim.engines.run import run

    if out is not None:
        require_apart(out, source, feeds)
    with terminal.progress("running"):
        results = run(source, feeds, outputs, engine=engine)
    if out is not None:
        write_arrays(out, results)
    if as_json:
        terminal.print_json({name: {"dtype": str(a.dtype), "shape": list(a.shape)} for name, a in results.items()})
    else:
        rows = [(name, _dtype(str(array.dtype)), str(list(array.shape))) for name, array in results.items()]
        terminal.stdout().print(terminal.table(("output", "type", "shape"), rows))
        if out is not None:
            terminal.stdout().print(f"{out} written", markup=False)
    return 0


def _dtype(name: str) -> str:
    return "string" if name == "object" else name
