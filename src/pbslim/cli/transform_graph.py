"""``pbslim transform_graph``."""

from __future__ import annotations

from pathlib import Path

import pbslim.transforms  # noqa: F401 - registers them
from pbslim.errors import UsageError
from pbslim.names import node_name
from pbslim.passes import pipeline, registry
from pbslim.report import terminal
from pbslim.wire import load, save
from pbslim.wire.outputs import require_apart


def run(
    in_graph: Path,
    out_graph: Path,
    inputs: tuple[str, ...],
    outputs: tuple[str, ...],
    transforms: str,
    output_as_text: bool,
    explain: bool,
    dry_run: bool,
    as_json: bool,
) -> int:
    """Plan, load, run, write."""
    plan = pipeline.plan(transforms)
    if not plan.steps:
        known = ", ".join(registry.names())
        raise UsageError(f"--transforms names no transform; known are {known}")
    require_apart(out_graph, in_graph)
    with terminal.progress("reading") as show:
        graph = load(in_graph)
        results = pipeline.run(graph, plan.steps, inputs, outputs, on_step=lambda result: show(result.step))
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
    return 0
