"""``pbslim quantize_graph``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pbslim.errors import UsageError
from pbslim.legacy.quantize_graph import quantize_graph
from pbslim.report import terminal
from pbslim.wire import load, save
from pbslim.wire.outputs import require_apart


def run(
    source: Path,
    target: Path,
    output_node_names: tuple[str, ...],
    mode: str,
    bitdepth: int,
    strip_redundant_quantization: bool,
    quantized_input: bool,
    quantized_input_min: float,
    quantized_input_max: float,
    quantized_fallback_min: float | None,
    quantized_fallback_max: float | None,
    explain: bool,
    as_json: bool,
    **_without_effect: Any,
) -> int:
    """Load, quantize, write."""
    fallback = None
    if quantized_fallback_min is not None and quantized_fallback_max is not None:
        fallback = quantized_fallback_min, quantized_fallback_max
    elif quantized_fallback_min is not quantized_fallback_max:
        raise UsageError("give both --quantized_fallback_min and --quantized_fallback_max, or neither")
    require_apart(target, source)
    with terminal.progress("reading") as show:
        graph = load(source)
        show("quantizing")
        result = quantize_graph(
            graph,
            output_node_names,
            mode,
            bitdepth=bitdepth,
            strip_redundant_quantization=strip_redundant_quantization,
            quantized_input_range=(quantized_input_min, quantized_input_max) if quantized_input else None,
            fallback_quantization_range=fallback,
        )
        show("writing")
        size = save(graph, target)
    terminal.tell_steps([result], explain=explain)
    terminal.tell_size(size)
    if as_json:
        terminal.print_steps([result], size)
    return 0
