"""``pbslim report``."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click
from click.core import ParameterSource

from pbslim.cli.command import Command, typed
from pbslim.cli.options import FILE, NAMES, OUTPUT, json_option
from pbslim.engines import ENGINES
from pbslim.errors import UsageError
from pbslim.report import documents, facts, terminal
from pbslim.verification.feeds import DEFAULT_SAMPLES
from pbslim.wire.outputs import require_apart

_ENGINES = click.Choice(["auto", *ENGINES])
_COMPARING = frozenset({"feeds", "evaluation", "inputs", "outputs", "samples", "engine"})


@click.command(
    "report",
    cls=Command,
    examples=[
        "pbslim report model.pb model-small.pb -o report.html",
        "pbslim report model.pb model-small.pb > comment.md",
        "pbslim report report.json -o report.html",
    ],
)
@click.argument("files", metavar="BEFORE.pb AFTER.pb | REPORT.json", nargs=-1, required=True, type=FILE)
@click.option("-o", "--out", type=OUTPUT, help="File to write, .html, .md or .json; Markdown on stdout if not given.")
@click.option("--feeds", type=FILE, help="An .npz or .npy file or folder of images to compare with; else generated.")
@click.option("--eval", "evaluation", type=FILE, help="An .npz file of inputs and 'labels': the accuracy too.")
@click.option("--inputs", type=NAMES, help="Placeholders to generate values for.")
@click.option("--outputs", type=NAMES, help="Outputs to compare; all if not given.")
@click.option(
    "--samples", type=click.IntRange(min=1), default=DEFAULT_SAMPLES, show_default=True, help="How many inputs."
)
@click.option("--engine", type=_ENGINES, default="auto", show_default=True, help="What runs the graphs.")
@json_option
@click.pass_context
def command(ctx: click.Context, /, files: tuple[Path, ...], out: Path | None, as_json: bool, **options: Any) -> int:
    """Compare two models and write the findings as one page, as Markdown, or as JSON.

    A report in JSON, such as 'pbslim shrink --report' writes, can be made into the others.
    """
    _require_places(out, [*files, options["feeds"], options["evaluation"]])
    if len(files) == 2:
        with terminal.progress_bar("running both graphs") as advance:
            found = facts.of_files(*files, typed(ctx), {**options, "on_progress": advance})
    elif len(files) == 1:
        _refuse_comparing(ctx)
        found = documents.read(files[0])
    else:
        raise UsageError("name the model before and the model after, or one report in JSON")
    if out is not None:
        documents.write(found, out)
    if as_json:
        terminal.print_json(found)
    elif out is None:
        terminal.print_lines(documents.markdown(found).splitlines())
    else:
        terminal.tell(f"{out} written")
    return 0


def _require_places(out: Path | None, given: Sequence[Path | None]) -> None:
    """Make sure that the report finds its place, and replaces nothing that it is made of."""
    if out is not None:
        documents.require_writable(out)
        require_apart(out, *filter(None, given))


def _refuse_comparing(ctx: click.Context) -> None:
    """Refuse options about a comparison where there is none."""
    for param in ctx.command.params:
        name = param.name or ""
        if name in _COMPARING and ctx.get_parameter_source(name) is ParameterSource.COMMANDLINE:
            raise UsageError(f"a report in JSON is not compared anew; name both models, or leave out {param.opts[0]}")
