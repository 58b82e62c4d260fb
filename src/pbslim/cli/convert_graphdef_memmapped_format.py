"""``pbslim convert_graphdef_memmapped_format``."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

from pbslim.legacy.convert_graphdef_memmapped_format import convert_graphdef_memmapped_format
from pbslim.report import terminal
from pbslim.wire import PROTOBUF_LIMIT


def run(
    in_graph: Path, out_graph: Path, min_conversion_tensor_size: int, reference: bool, explain: bool, as_json: bool
) -> int:
    """Convert, and say what was left and why; all but JSON goes to stderr, as the old tool's log did."""
    with terminal.progress("reading") as show:
        result = convert_graphdef_memmapped_format(
            in_graph,
            out_graph,
            min_conversion_tensor_size=min_conversion_tensor_size,
            reference=reference,
            progress=terminal.bytes_written(show),
        )
    terminal.say(f"Converted {len(result.converted)} nodes")
    if result.converted:
        terminal.say(f"{terminal.size_text(result.mapped_bytes)} in {result.regions} regions of {out_graph}")
    for reason, count in result.reasons.items():
        terminal.say(f"constants that stay in the graph, {reason}: {count}")
    if result.endangered:
        first = result.endangered[0]
        terminal.note(
            f"whoever runs the graph may die of {len(result.endangered)} of the mapped constants, for instance of "
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
