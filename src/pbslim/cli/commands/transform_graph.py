"""``pbslim transform_graph``."""

from __future__ import annotations

from pathlib import Path

import click

from pbslim.cli.command import Command
from pbslim.cli.options import FILE, NAMES, OUTPUT, TRANSFORMS, bool_option, json_option
from pbslim.errors import UsageError, counted
from pbslim.names import node_name
from pbslim.passes import pipeline, registry
from pbslim.report import terminal
from pbslim.wire import load, save
from pbslim.wire.outputs import require_apart


@click.command(
    "transform_graph",
    cls=Command,
    examples=[
        "pbslim transform_graph --in_graph=model.pb --out_graph=small.pb --inputs=x --outputs=y "
        "--transforms='fold_constants round_weights(num_steps=64)'",
    ],
)
@click.option("--in_graph", type=FILE, required=True, help="GraphDef file, binary or text.")
@click.option("--out_graph", type=OUTPUT, required=True, help="File to write.")
@click.option("--inputs", type=NAMES, default="", help="Names of the inputs, separated by commas.")
@click.option("--outputs", type=NAMES, default="", help="Names of the outputs, separated by commas.")
@click.option(
    "--transforms",
    type=TRANSFORMS,
    default="",
    help="What to do, for instance 'fold_constants round_weights(num_steps=64)', or @FILE that says so.",
)
@click.option("--functions", is_flag=True, help="Transform the bodies of functions as well.")
@bool_option("--output_as_text", default=False, help="Write the text form.")
@click.option("--explain", is_flag=True, help="Say where a transform could have fired and why it did not.")
@click.option("--dry_run", "--dry-run", is_flag=True, help="Say what would be done, write nothing.")
@json_option
def command(
    in_graph: Path,
    out_graph: Path,
    inputs: tuple[str, ...],
    outputs: tuple[str, ...],
    transforms: str,
    functions: bool,
    output_as_text: bool,
    explain: bool,
    dry_run: bool,
    as_json: bool,
) -> int:
    """Run transforms on a frozen graph, by the command line of TensorFlow's Graph Transform Tool."""
    plan = pipeline.plan(transforms)
    if not plan.steps:
        known = ", ".join(registry.names())
        raise UsageError(f"--transforms names no transform; known are {known}")
    require_apart(out_graph, in_graph)
    with terminal.progress("reading") as show:
        graph = load(in_graph)
        before = len(graph)
        results = pipeline.run(
            graph, plan.steps, inputs, outputs, functions=functions, on_step=lambda result: show(result.step)
        )
        show("writing")
        size = 0 if dry_run else save(graph, out_graph, as_text=output_as_text)
    for text in plan.notes:
        terminal.note(text)
    terminal.tell_steps(results, explain=explain)
    terminal.tell_size(size)
    if not len(graph):
        terminal.note("nothing is left in the result; name what is needed with --outputs")
    for name in (*inputs, *outputs):
        if node_name(name) not in graph:
            terminal.note(f"'{name}' is not in the result")
    if as_json:
        terminal.print_steps(results, size)
    elif dry_run:
        rows = [(r.step, str(r.nodes_before), str(r.nodes_after), str(len(r.changed))) for r in results]
        columns = ["transform", "nodes before", "after", "nodes touched"]
        terminal.stdout().print(terminal.table(columns, rows, right=(1, 2, 3)))
    else:
        terminal.tell_written(out_graph, size, f"{counted(len(graph), 'node')} ({before} before)")
    return 0
