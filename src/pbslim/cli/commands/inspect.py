"""``pbslim inspect``."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import click

from pbslim.analysis.inspection import inspect_file
from pbslim.cli.command import Command
from pbslim.cli.options import FILE, json_option
from pbslim.errors import one_line
from pbslim.report import terminal
from pbslim.wire.packages import GRAPH_REGION

_MOST_REGIONS = 1000


@click.command(
    "inspect",
    cls=Command,
    examples=[
        "pbslim inspect model.pb",
        "pbslim inspect model.pb --json",
    ],
)
@click.argument("source", metavar="IN.pb", type=FILE)
@json_option
def command(source: Path, as_json: bool) -> int:
    """Summarize what a graph file contains."""
    found = inspect_file(source)
    if as_json:
        terminal.print_json(asdict(found))
        return 0
    console = terminal.stdout()
    for label, endpoints in (("input", found.inputs), ("output", found.outputs)):
        for endpoint in endpoints:
            console.print(f"{label:7} {one_line(str(endpoint))}", markup=False)
    rows = [
        ("nodes", str(found.nodes)),
        ("constants", str(found.constants)),
        ("parameters", f"{found.parameters:,}"),
        ("bytes", terminal.size_text(found.size)),
        (
            "dtypes",
            ", ".join(f"{name} {terminal.size_text(size)}" for name, size in found.dtype_bytes.items()) or "none",
        ),
        ("producer", str(found.producer or "not given")),
        ("functions", ", ".join(found.functions) or "none"),
        ("loops and branches", str(found.control_flow) if found.control_flow else "none"),
        ("not frozen", ", ".join(found.variables[:5]) + (" …" if len(found.variables) > 5 else "") or "nothing"),
        ("training leftovers", ", ".join(f"{n} {op}" for op, n in found.leftovers.items()) or "none"),
    ]
    console.print(terminal.table(["", ""], rows))
    ops = [(op, str(count)) for op, count in found.ops.items()]
    console.print(terminal.table(["op", "nodes"], ops, right=(1,)))
    constants = [(c.name, c.dtype, c.shape, terminal.size_text(c.size)) for c in found.biggest]
    console.print(terminal.table(["biggest constants", "dtype", "shape", "bytes"], constants, right=(3,)))
    if found.regions:
        regions = [
            (
                r.name,
                str(r.offset),
                str(r.alignment),
                str(r.length),
                r.dtype,
                r.shape,
                ", ".join(r.nodes) or ("the graph" if r.name == GRAPH_REGION else "none"),
            )
            for r in found.regions[:_MOST_REGIONS]
        ]
        columns = ["region", "offset", "aligned to", "bytes", "dtype", "shape", "nodes"]
        console.print(terminal.table(columns, regions, right=(1, 2, 3)))
        if len(found.regions) > len(regions):
            terminal.note(f"the file has {len(found.regions)} regions; --json lists them all")
    for text in found.advice:
        terminal.note(text)
    return 0
