"""``pbslim shrink``."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import click

from pbslim.analysis.zipsize import ZipSize
from pbslim.cli.options import FILE, HELP, INPUTS, NAMES, json_option
from pbslim.errors import one_line
from pbslim.report import terminal
from pbslim.shrinking.recipes import RECIPES, SUMMARIES
from pbslim.shrinking.shrink import shrink


@click.command("shrink", context_settings=HELP)
@click.argument("source", metavar="IN.pb", type=FILE)
@click.option("-o", "--out", type=FILE, help="File to write; IN-small.pb if not given.")
@click.option(
    "--recipe",
    type=click.Choice(list(RECIPES)),
    default="round",
    show_default=True,
    help="; ".join(f"{name}: {what}" for name, what in SUMMARIES.items()) + ".",
)
@click.option(
    "--input",
    "--inputs",
    "inputs",
    metavar="NAME[:DTYPE][SHAPE]",
    type=INPUTS,
    multiple=True,
    help="Inputs, inner tensors too, such as images:float[?,224,224,3] or IteratorGetNext:1; found if not given.",
)
@click.option("--outputs", type=NAMES, help="Names of the outputs; found from the graph if not given.")
@click.option("--exact-zip", is_flag=True, help="Deflate large files whole to tell their zipped size.")
@click.option("--explain", is_flag=True, help="Say where a transform could have fired and why it did not.")
@json_option
def command(
    source: Path,
    out: Path | None,
    recipe: str,
    inputs: tuple[tuple[str, ...], ...],
    outputs: tuple[str, ...] | None,
    exact_zip: bool,
    explain: bool,
    as_json: bool,
) -> int:
    """Make a frozen graph smaller by a well-known recipe."""
    target = out or source.with_name(f"{source.stem}-small.pb")
    with terminal.progress("reading") as show:
        result = shrink(
            source,
            target,
            recipe,
            inputs=[name for names in inputs for name in names] or None,
            outputs=outputs,
            exact_zip=exact_zip,
            on_step=lambda step: show(step.step),
        )
    terminal.tell_steps(result.steps, explain=explain)
    terminal.tell_size(result.after.size)
    if as_json:
        content = asdict(result) | {"steps": terminal.step_rows(result.steps), "out": str(target)}
        terminal.print_json(content)
        return 0
    console = terminal.stdout()
    for label, endpoints in (("input", result.inputs), ("output", result.outputs)):
        for endpoint in endpoints:
            console.print(f"{label:7} {one_line(str(endpoint))}", markup=False)
    before, after = result.before, result.after
    rows = [
        ("nodes", str(before.nodes), str(after.nodes), ""),
        ("constants", str(before.constants), str(after.constants), ""),
        _size_row("bytes", before.size, after.size),
        _zip_row(before.zipped, after.zipped),
    ]
    console.print(terminal.table(["", "before", "after", "smaller"], rows, right=(1, 2, 3)))
    console.print(f"{target} written in {result.seconds:.2f} s (recipe {recipe})", markup=False)
    return 0


def _size_row(label: str, before: int, after: int) -> tuple[str, str, str, str]:
    return label, terminal.size_text(before), terminal.size_text(after), f"{before / max(after, 1):.2f}x"


def _zip_row(before: ZipSize, after: ZipSize) -> tuple[str, str, str, str]:
    label, *figures, ratio = _size_row("zipped", before.bytes, after.bytes)
    marked = [text if size.exact else f"≈ {text}" for text, size in zip(figures, (before, after), strict=True)]
    return label, marked[0], marked[1], ratio
