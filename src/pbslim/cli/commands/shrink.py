"""``pbslim shrink``."""

from __future__ import annotations

from dataclasses import asdict, replace
from pathlib import Path

import click

from pbslim.analysis.zipsize import ZipSize
from pbslim.cli.options import FILE, HELP, INPUTS, NAMES, PERCENT, SETTINGS, json_option
from pbslim.errors import UsageError, one_line
from pbslim.report import terminal, verification
from pbslim.shrinking.proof import Proof, advice, is_alarming
from pbslim.shrinking.recipes import RECIPES, SUMMARIES
from pbslim.shrinking.shrink import ShrinkResult, shrink


@click.command("shrink", context_settings=HELP)
@click.argument("source", metavar="IN.pb", type=FILE)
@click.option("-o", "--out", type=FILE, help="File to write; IN-small.pb if not given.")
@click.option(
    "--recipe",
    type=click.Choice(list(RECIPES)),
    default="round",
    show_default=True,
    help="; ".join(f"{name}: {what}" for name, what in SUMMARIES.items()) + ".",
)
@click.option(
    "--input",
    "--inputs",
    "inputs",
    metavar="NAME[:DTYPE][SHAPE]",
    type=INPUTS,
    multiple=True,
    help="Inputs, inner tensors too, such as images:float[?,224,224,3] or IteratorGetNext:1; found if not given.",
)
@click.option("--outputs", type=NAMES, help="Names of the outputs; found from the graph if not given.")
@click.option("--set", "values", type=SETTINGS, help="Placeholders to make constants: keep_prob=1.0,phase_train=false.")
@click.option("--keep", type=NAMES, default="", help="Names of nodes to keep as they are though no output needs them.")
@click.option(
    "--keep-constants", is_flag=True, help="Keep all constants that nothing reads: programs fetch some by name."
)
@click.option("--exact-zip", is_flag=True, help="Deflate large files whole to tell their zipped size.")
@click.option("--verify/--no-verify", "verify", default=True, help="Compare the result with the original (default).")
@click.option("--eval", "evaluation", type=FILE, help="An .npz file of inputs and 'labels' to verify with.")
@click.option("--min-snr", type=float, metavar="DB", help="Write nothing if an output has less signal to noise.")
@click.option("--max-drop", type=PERCENT, metavar="SHARE", help="Write nothing if accuracy (--eval) drops more: 1%.")
@click.option("--explain", is_flag=True, help="Say where a transform could have fired and why it did not.")
@json_option
def command(
    source: Path,
    out: Path | None,
    recipe: str,
    inputs: tuple[tuple[str, ...], ...],
    outputs: tuple[str, ...] | None,
    values: dict[str, str] | None,
    keep: tuple[str, ...],
    keep_constants: bool,
    exact_zip: bool,
    verify: bool,
    evaluation: Path | None,
    min_snr: float | None,
    max_drop: float | None,
    explain: bool,
    as_json: bool,
) -> int:
    """Make a frozen graph smaller by a well-known recipe."""
    target = out or source.with_name(f"{source.stem}-small.pb")
    if max_drop is not None and evaluation is None:
        raise UsageError("--max-drop needs inputs with labels: --eval FILE.npz")
    asked = evaluation is not None or min_snr is not None
    if asked and not verify:
        raise UsageError("--no-verify leaves nothing for --eval, --min-snr and --max-drop to look at")
    with terminal.progress("reading") as show:
        proof = Proof(evaluation, min_snr, max_drop, on_progress=lambda done, total: show(f"verifying {done}/{total}"))
        result = shrink(
            source,
            target,
            recipe,
            inputs=[name for names in inputs for name in names] or None,
            outputs=outputs,
            values=values,
            keep=keep,
            keep_constants=keep_constants,
            exact_zip=exact_zip,
            proof=proof if verify else None,
            on_step=lambda step: show(step.step),
        )
    for text in result.notes:
        terminal.note(text)
    terminal.tell_steps(result.steps, explain=explain)
    terminal.tell_size(result.after.size)
    _warn(result)
    if as_json:
        found = verification.content(result.verification) if result.verification else None
        content = asdict(replace(result, verification=None)) | {"verification": found}
        terminal.print_json(content | {"steps": terminal.step_rows(result.steps), "out": str(target)})
        return 0
    console = terminal.stdout()
    for label, endpoints in (("input", result.inputs), ("output", result.outputs)):
        for endpoint in endpoints:
            console.print(f"{label:7} {one_line(str(endpoint))}", markup=False)
    before, after = result.before, result.after
    rows = [
        ("nodes", str(before.nodes), str(after.nodes), ""),
        ("constants", str(before.constants), str(after.constants), ""),
        _size_row("bytes", before.size, after.size),
        _zip_row(before.zipped, after.zipped),
    ]
    console.print(terminal.table(["", "before", "after", "smaller"], rows, right=(1, 2, 3)))
    console.print(f"{target} written in {result.seconds:.2f} s (recipe {recipe})", markup=False)
    if result.verification:
        for line in verification.summary(result.verification):
            console.print(one_line(line), markup=False)
    return 0


def _warn(result: ShrinkResult) -> None:
    """Notes on stderr about a result that is worse than it should be, or that nobody knows."""
    found = result.verification
    if result.not_verified:
        terminal.note(f"not verified: {result.not_verified}")
    if found:
        for text in found.notes:
            terminal.note(text)
        if is_alarming(found, result.recipe):
            terminal.say(f"WARNING: the result is {verification.verdict_text(found)}{advice(result.recipe)}")


def _size_row(label: str, before: int, after: int) -> tuple[str, str, str, str]:
    return label, terminal.size_text(before), terminal.size_text(after), f"{before / max(after, 1):.2f}x"


def _zip_row(before: ZipSize, after: ZipSize) -> tuple[str, str, str, str]:
    label, *figures, ratio = _size_row("zipped", before.bytes, after.bytes)
    marked = [text if size.exact else f"≈ {text}" for text, size in zip(figures, (before, after), strict=True)]
    return label, marked[0], marked[1], ratio
