"""``pbslim quantize_graph``."""

from __future__ import annotations

from pathlib import Path

import click

from pbslim.cli.command import LegacyCommand
from pbslim.cli.options import FILE, NAMES, OUTPUT, bool_option, json_option
from pbslim.errors import UsageError
from pbslim.legacy.quantize_graph import MODES, quantize_graph
from pbslim.report import terminal
from pbslim.wire import load, save
from pbslim.wire.outputs import require_apart


@click.command(
    "quantize_graph",
    cls=LegacyCommand,
    examples=[
        "pbslim quantize_graph --input=model.pb --output=rounded.pb --output_node_names=y --mode=weights_rounded",
    ],
)
@click.option("--input", "source", type=FILE, required=True, help="GraphDef file, binary or text.")
@click.option("--output", "target", type=OUTPUT, required=True, help="File to write.")
@click.option("--output_node_names", type=NAMES, required=True, help="Names of the outputs, separated by commas.")
@click.option("--mode", default="round", help=f"One of {', '.join(MODES)}.", show_default=True)
@click.option("--bitdepth", type=int, default=8, help="2**bitdepth levels, for weights_rounded.", show_default=True)
@bool_option("--strip_redundant_quantization", default=True, help="Hand codes from op to op; for eightbit.")
@bool_option("--quantized_input", default=False, help="Placeholders take eight-bit codes; for eightbit.")
@click.option("--quantized_input_min", type=float, default=0, help="What code 0 of an input means.", show_default=True)
@click.option("--quantized_input_max", type=float, default=1, help="What code 255 means.", show_default=True)
@click.option("--quantized_fallback_min", type=float, help="Range of results, else found in each run; for eightbit.")
@click.option("--quantized_fallback_max", type=float, help="Its upper end.")
@bool_option("--print_nodes", default=False, help="No effect, as in the original.", expose_value=False)
@click.option("--test_input_dims", default="1,224,224,3", help="No effect, as in the original.", expose_value=False)
@click.option("--explain", is_flag=True, help="Say what could have been quantized and why it was not.")
@json_option
def command(
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
) -> int:
    """Round or quantize a frozen graph, by the command line of TensorFlow's quantize_graph."""
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
