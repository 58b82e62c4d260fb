"""``pbslim optimize_for_inference``."""

from __future__ import annotations

from pathlib import Path

import click

from pbslim.cli.command import LegacyCommand
from pbslim.cli.options import FILE, NAMES, NUMBERS, OUTPUT, SETTINGS, bool_option, json_option
from pbslim.errors import UsageError
from pbslim.legacy.optimize_for_inference import optimize_for_inference
from pbslim.report import terminal
from pbslim.wire import load, save
from pbslim.wire.outputs import make_folder, require_apart


@click.command(
    "optimize_for_inference",
    cls=LegacyCommand,
    examples=[
        "pbslim optimize_for_inference --input=model.pb --output=optimized.pb --input_names=x --output_names=y",
    ],
)
@click.option("--input", "source", type=FILE, required=True, help="GraphDef file, binary or text.")
@click.option("--output", "target", type=OUTPUT, required=True, help="File to write.")
@click.option("--input_names", type=NAMES, required=True, help="Names of the inputs, separated by commas.")
@click.option("--output_names", type=NAMES, required=True, help="Names of the outputs, separated by commas.")
@bool_option("--frozen_graph", default=True, help="false: write the text form.")
@click.option("--placeholder_type_enum", type=NUMBERS, help="Type of all inputs, or of each; kept if not given.")
@bool_option("--toco_compatible", default=False, help="Leave resizing, padding and convolution apart.")
@click.option("--placeholder_to_const_names", type=SETTINGS, help="Placeholders to fix: is_training=False,keep_prob=1.")
@bool_option("--all_batch_norms", default=False, help="Fold all batch norms, however they are written.")
@click.option("--explain", is_flag=True, help="Say what could have been folded or fused and why it was not.")
@json_option
def command(
    source: Path,
    target: Path,
    input_names: tuple[str, ...],
    output_names: tuple[str, ...],
    frozen_graph: bool,
    placeholder_type_enum: tuple[int, ...] | None,
    toco_compatible: bool,
    placeholder_to_const_names: dict[str, str] | None,
    all_batch_norms: bool,
    explain: bool,
    as_json: bool,
) -> int:
    """Take out what only training needs and merge ops, by the command line of TensorFlow's optimize_for_inference."""
    types = placeholder_type_enum
    if not input_names:
        raise UsageError("name at least one input")
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
