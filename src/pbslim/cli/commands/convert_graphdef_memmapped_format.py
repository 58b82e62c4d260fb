"""``pbslim convert_graphdef_memmapped_format``."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import click

from pbslim.cli.command import Command
from pbslim.cli.options import FILE, OUTPUT, json_option
from pbslim.errors import counted
from pbslim.legacy.convert_graphdef_memmapped_format import convert_graphdef_memmapped_format
from pbslim.report import terminal
from pbslim.wire import PROTOBUF_LIMIT


@click.command(
    "convert_graphdef_memmapped_format",
    cls=Command,
    examples=[
        "pbslim convert_graphdef_memmapped_format --in_graph=model.pb --out_graph=model.mmap",
    ],
)
@click.option("--in_graph", type=FILE, required=True, help="GraphDef file, binary or text.")
@click.option("--out_graph", type=OUTPUT, required=True, help="Package to write.")
@click.option(
    "--min_conversion_tensor_size",
    "--min_conversion_size_bytes",
    "min_conversion_tensor_size",
    type=int,
    default=10000,
    show_default=True,
    help="Constants of fewer bytes stay in the graph.",
)
@click.option("--reference", is_flag=True, help="Convert exactly what TensorFlow's tool did, unsafe places too.")
@click.option("--explain", is_flag=True, help="Say for each constant that stays why it does.")
@json_option
def command(
    in_graph: Path, out_graph: Path, min_conversion_tensor_size: int, reference: bool, explain: bool, as_json: bool
) -> int:
    """Write a package in which a runtime maps the weights from the file instead of loading them."""
    with terminal.progress("reading") as show:
        result = convert_graphdef_memmapped_format(
            in_graph,
            out_graph,
            min_conversion_tensor_size=min_conversion_tensor_size,
            reference=reference,
            progress=terminal.bytes_written(show),
        )
    told = [f"Converted {len(result.converted)} nodes"]
    if result.converted:
        told.append(f"{terminal.size_text(result.mapped_bytes)} in {counted(result.regions, 'region')} of {out_graph}")
    told += [f"constants that stay in the graph, {reason}: {count}" for reason, count in result.reasons.items()]
    for line in [] if terminal.is_quiet() else told:
        terminal.say(line)
    if result.endangered:
        first = result.endangered[0]
        terminal.note(
            f"running the graph may crash on {len(result.endangered)} of the mapped constants, for instance of "
            f"'{first.node}' ({first.reason}); without --reference they stay in the graph"
        )
    if result.graph_bytes > PROTOBUF_LIMIT:
        terminal.note(f"the graph region has {result.graph_bytes} bytes, TensorFlow reads at most {PROTOBUF_LIMIT}")
    if explain:
        for remark in (*result.kept, *result.endangered):
            terminal.say(f"'{remark.node}': {remark.reason}")
    if as_json:
        terminal.print_json(asdict(result) | {"reasons": result.reasons})
    return 0
