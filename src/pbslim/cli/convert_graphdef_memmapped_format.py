"""``pbslim convert_graphdef_memmapped_format``."""

from __future__ import annotations

import sys
from dataclasses import asdict
from pathlib import Path

from pbslim.cli import terminal
from pbslim.tools.convert_graphdef_memmapped_format import convert_graphdef_memmapped_format
from pbslim.wire import PROTOBUF_LIMIT


def run(
    in_graph: Path, out_graph: Path, min_conversion_tensor_size: int, reference: bool, explain: bool, as_json: bool
) -> int:
    """Convert, and say what was left and why; all but JSON goes to stderr, as the old tool's log did."""
    with terminal.progress("converting"):
        result = convert_graphdef_memmapped_format(
            in_graph, out_graph, min_conversion_tensor_size=min_conversion_tensor_size, reference=reference
        )
    _say(f"Converted {len(result.converted)} nodes")
    if result.converted:
        _say(f"{terminal.size_text(result.mapped_bytes)} in {result.regions} regions of {out_graph}")
    for reason, count in result.reasons.items():
        _say(f"{count} constants stay in the graph: {reason}")
    if result.endangered:
        first = result.endangered[0]
        terminal.note(
            f"{len(result.endangered)} mapped constants may be written to, which kills the process that runs the "
            f"graph, for instance '{first.node}' ({first.reason}); without --reference they stay in the graph"
        )
    if result.graph_bytes > PROTOBUF_LIMIT:
        terminal.note(f"the graph region has {result.graph_bytes} bytes, TensorFlow reads at most {PROTOBUF_LIMIT}")
    if explain:
        for remark in (*result.kept, *result.endangered):
            _say(f"'{remark.node}': {remark.reason}")
    if as_json:
        terminal.print_json(asdict(result) | {"reasons": result.reasons})
    return 0


def _say(text: str) -> None:
    print(text, file=sys.stderr)  # noqa: T201
