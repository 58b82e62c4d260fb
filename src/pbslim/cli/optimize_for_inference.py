"""``pbslim optimize_for_inference``."""

from __future__ import annotations

from pathlib import Path

from pbslim.legacy.optimize_for_inference import optimize_for_inference
from pbslim.report import terminal
from pbslim.wire import load, save
from pbslim.wire.outputs import make_folder, require_apart


def run(
    source: Path,
    target: Path,
    input_names: tuple[str, ...],
    output_names: tuple[str, ...],
    frozen_graph: bool,
    placeholder_type_enum: tuple[int, ...] | None,
    toco_compatible: bool,
    placeholder_to_const_names: dict[str, bool] | None,
    all_batch_norms: bool,
    explain: bool,
    as_json: bool,
) -> int:
    """Load, optimize, write."""
    types = placeholder_type_enum
    require_apart(target, source)
    with terminal.progress("reading") as show:
        graph = load(source)
        show("optimizing")
        results = optimize_for_inference(
            graph,
            input_names,
            output_names,
            types[0] if types and len(types) == 1 else types,
            toco_compatible,
            placeholder_to_const_names=placeholder_to_const_names,
            all_batch_norms=all_batch_norms,
        )
        show("writing")
        if not frozen_graph:
            make_folder(target)  # as the original does, for text only
        size = save(graph, target, as_text=not frozen_graph)
    terminal.tell_steps(results, explain=explain)
    terminal.tell_size(size)
    if as_json:
        terminal.print_steps(results, size)
    return 0
