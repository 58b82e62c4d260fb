"""``pbslim shrink``."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click
from click.core import ParameterSource

from pbslim.analysis.endpoints import Endpoint
from pbslim.cli.command import Command, typed
from pbslim.cli.many import require_single, shrink_all
from pbslim.cli.options import DECIBELS, FILE, INPUTS, NAMES, OUTPUT, PERCENT, SECONDS, SETTINGS, SIZE, json_option
from pbslim.compression.effort import EFFORTS
from pbslim.compression.estimate import VERIFYING, Progress
from pbslim.compression.plan import Plan
from pbslim.compression.promises import PROMISES, Promise, promise_of
from pbslim.compression.schemes import SCHEMES, Rule
from pbslim.compression.writing import GOALS, TARGETS
from pbslim.errors import UsageError, counted
from pbslim.freezing.wrapping import GraphFile, graph_of_model, signature_of
from pbslim.report import shrinking, terminal
from pbslim.report.reporting import EXAMPLES, Reporting
from pbslim.shrinking.levels import is_leveled
from pbslim.shrinking.options import CompressionOptions
from pbslim.shrinking.proof import Proof
from pbslim.shrinking.recipes import RECIPES, SUMMARIES
from pbslim.shrinking.scheme_file import read_rules
from pbslim.shrinking.shrink import shrink
from pbslim.verification.feeds import DEFAULT_SAMPLES
from pbslim.wire.models import model_of
from pbslim.wire.outputs import replacing, require_apart, require_distinct, require_writable
from pbslim.wire.paths import descriptor

_SAMPLES = 48
"""Inputs that an automatic compression is proven on."""


def _listed(known: Mapping[str, str]) -> str:
    return "; ".join(f"{name}: {what}" for name, what in known.items()) + "."


_SECTIONS = {
    "Files": ("out", "out_dir", "jobs", "form", "force", "reports", "plan", "save_plan"),
    "What to promise": ("quality", "min_snr", "min_agreement", "max_drop", "target_size"),
    "What goes in and out": ("inputs", "outputs", "values", "calibrate", "evaluation"),
    "How weights are stored": (
        "recipe",
        "goal",
        "target",
        "prefer",
        "keep",
        "keep_constants",
        "schemes",
        "scheme_file",
    ),
    "How to search and to verify": ("effort", "time_limit", "engine", "verify"),
}
"""The help, in the order in which people ask."""


class _Rule(click.ParamType):  # type: ignore[type-arg, unused-ignore]  # generic in some releases
    """How to store some weights."""

    name = "rule"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Rule:
        """Read `value`."""
        try:
            return value if isinstance(value, Rule) else Rule.parse(value)
        except UsageError as error:
            self.fail(str(error), param, ctx)


@click.command(
    "shrink",
    cls=Command,
    examples=[
        "pbslim shrink model.pb",
        "pbslim shrink model.pb -o small.pb --quality near-lossless --calibrate photos/",
        "pbslim shrink model.pb --recipe round --report report.html",
    ],
    sections=_SECTIONS,
)
@click.argument("sources", metavar="IN.pb...", type=FILE, nargs=-1, required=True)
@click.option("-o", "--out", type=OUTPUT, help="File to write; IN-small.pb if not given.")
@click.option("--out-dir", type=FILE, help="Folder for the results of several models, each under its own name.")
@click.option("--jobs", type=click.IntRange(min=1), default=1, show_default=True, help="Models to shrink at a time.")
@click.option(
    "--as",
    "form",
    type=click.Choice(["graph", "saved_model"]),
    default="graph",
    show_default=True,
    help="What to write: a GraphDef file, or the folder of a SavedModel with the signature of the input.",
)
@click.option("--force", is_flag=True, help="Replace a SavedModel that is there.")
@click.option(
    "--quality",
    type=click.Choice(list(PROMISES)),
    default="balanced",
    show_default=True,
    help="What to promise: "
    + "; ".join(f"{name}: {each.snr:g} dB, {each.agreement:.0%} of decisions" for name, each in PROMISES.items())
    + ".",
)
@click.option(
    "--recipe",
    type=click.Choice(list(RECIPES)),
    help="Run a fixed recipe instead. " + _listed(SUMMARIES),
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
@click.option("--calibrate", type=FILE, help="An .npz file or folder of typical inputs; photographs if not given.")
@click.option(
    "--keep",
    type=NAMES,
    default="",
    help="Nodes to keep as they are though no output needs them, and weights such as 'logits/*'.",
)
@click.option(
    "--scheme",
    "schemes",
    metavar="NAME=SCHEME",
    type=_Rule(),
    multiple=True,
    help="How to store some weights, such as 'conv*/weights=int8'; the last one that fits counts. " + _listed(SCHEMES),
)
@click.option("--scheme-file", type=FILE, metavar="FILE.yaml", help="The same from a file of lines NAME: SCHEME.")
@click.option(
    "--effort", type=click.Choice(list(EFFORTS)), default="normal", show_default=True, help="How hard to search."
)
@click.option(
    "--time-limit",
    type=SECONDS,
    metavar="SECONDS",
    help="Search in a cheaper way, and say so, where search and proof would take longer; no hard limit.",
)
@click.option(
    "--keep-constants", is_flag=True, help="Keep all constants that nothing reads: programs fetch some by name."
)
@click.option(
    "--target", type=click.Choice(list(TARGETS)), default="tf2", show_default=True, help="What reads the file."
)
@click.option("--for", "goal", type=click.Choice(list(GOALS)), default="raw", show_default=True, help=_listed(GOALS))
@click.option(
    "--prefer",
    type=click.Choice(["speed", "ram"]),
    help="Decode weights once when the graph is loaded, or anew in each run; time and memory are measured.",
)
@click.option(
    "--engine",
    type=click.Choice(["builtin", "tensorflow"]),
    default="builtin",
    show_default=True,
    help="What runs the model, to search and to verify.",
)
@click.option("--target-size", type=SIZE, metavar="SIZE", help="The best file of at most that size: 60kB, 2.5MB.")
@click.option("--plan", type=FILE, help="Replay the plan of an earlier run.")
@click.option("--save-plan", type=FILE, help="Write the plan, how each weight is stored, as JSON.")
@click.option("--exact-zip", is_flag=True, help="Deflate large files whole to measure their zipped size.")
@click.option("--verify/--no-verify", "verify", default=True, help="Compare the result with the original (default).")
@click.option("--eval", "evaluation", type=FILE, help="An .npz file of inputs and 'labels' to verify with.")
@click.option("--min-snr", type=DECIBELS, metavar="DB", help="Signal to noise to promise, for --quality's.")
@click.option("--min-agreement", type=PERCENT, metavar="SHARE", help="Equal decisions to promise, such as 99%.")
@click.option("--max-drop", type=PERCENT, metavar="SHARE", help="How much accuracy (--eval) may drop, such as 1%.")
@click.option(
    "--report",
    "reports",
    type=FILE,
    multiple=True,
    metavar="FILE",
    help="Write a full report: .html for a page, .md for a pull request, .json for programs; several are possible.",
)
@click.option("--explain", is_flag=True, help="Show each weight, and where a transform could have fired and did not.")
@json_option
@click.pass_context
def command(
    ctx: click.Context,
    /,
    sources: tuple[Path, ...],
    out_dir: Path | None,
    recipe: str | None,
    quality: str,
    **options: Any,
) -> int:
    """Make a frozen graph as small as a promise allows, and prove it."""
    is_asked = ctx.get_parameter_source("quality") is ParameterSource.COMMANDLINE  # else it is a default
    _check(recipe, options | {"quality": quality if is_asked else None})
    if len(sources) > 1 or out_dir:
        require_single(sources, out_dir, options)
        arguments = _arguments(recipe, quality, options, lambda _: None)
        return shrink_all(
            sources, out_dir or Path(), recipe, arguments, jobs=options["jobs"], as_json=options["as_json"]
        )
    reporting, source = Reporting(options["reports"], run=options["verify"]), sources[0]
    target = options["out"] or _beside(source, options["form"])
    _require_places(source, target, options)
    with terminal.progress("reading") as show:

        def tell(now: Progress) -> None:
            count = f" {now.done}/{now.total}" if now.total > 1 else ""
            left = "" if now.left is None else f", about {terminal.duration_text(now.left)} left"
            show(f"{now.what}{count}{left}", round(1000 * (now.share or 0)), 1000 if now.share else 0)

        arguments = _arguments(recipe, quality, options, tell)
        with _destination(source, target, options) as made:
            result = shrink(
                source, made.path, recipe, **arguments, on_step=lambda step: show(step.step), look=reporting.look
            )
            made.signature = signature_of(result.signature, _tensors(result.inputs), _tensors(result.outputs))
        how = f"recipe {result.recipe}" if result.recipe else _asked(quality, options)
        reporting.write(result, source, target, how, typed(ctx))
    if options["save_plan"] and result.plan:
        with replacing(options["save_plan"]) as file:
            file.write(result.plan.to_json().encode())
    elif options["save_plan"]:
        terminal.note(f"no plan to write to '{options['save_plan']}': no weight is stored in fewer bits")
    terminal.tell_steps(result.steps, explain=options["explain"])
    terminal.tell_size(result.after.size)
    shrinking.warn(result)
    if options["as_json"]:
        terminal.print_json(shrinking.content(result, target))
    elif not terminal.is_quiet():
        shrinking.show(result, target, how, explain=options["explain"])
    return 0


def _asked(quality: str, options: Mapping[str, Any]) -> str:
    """What the weights were to keep, in words."""
    if options["plan"]:
        return f"plan {options['plan']}"
    if options["target_size"]:
        return f"at most {counted(options['target_size'], 'byte')}"
    if options["min_snr"] is None and options["min_agreement"] is None:
        return f"quality {quality}"
    promise = promise_of(quality, options["min_snr"], options["min_agreement"])
    return f"at least {promise.snr:g} dB, {100 * promise.agreement:g} % of decisions"


def _arguments(
    recipe: str | None, quality: str, options: dict[str, Any], tell: Callable[[Progress], None]
) -> dict[str, Any]:
    """Those of `shrink` that do not depend on the model."""
    promise = promise_of(quality, options["min_snr"], options["min_agreement"])
    plain = ("outputs", "values", "keep", "keep_constants", "exact_zip")
    return {
        **{name: options[name] for name in plain},
        "inputs": [name for names in options["inputs"] for name in names] or None,
        "options": _compression(promise, options, tell),
        "proof": _proof(recipe, options, tell) if options["verify"] else None,
    }


def _compression(promise: Promise, options: dict[str, Any], tell: Callable[[Progress], None]) -> CompressionOptions:
    return CompressionOptions(
        promise,
        options["calibrate"],
        schemes=_rules(options["schemes"], options["scheme_file"]),
        target=options["target"],
        goal=options["goal"],
        prefer=options["prefer"],
        target_size=options["target_size"],
        effort=options["effort"],
        time_limit=options["time_limit"],
        plan=Plan.read(options["plan"]) if options["plan"] else None,
        engine=options["engine"],
        tell=tell,
        say=terminal.note_meanwhile,
    )


@contextmanager
def _destination(source: Path, target: Path, options: Mapping[str, Any]) -> Iterator[GraphFile]:
    """The graph file to write, which is the result or becomes it."""
    if options["form"] == "graph":
        yield GraphFile(target)
    else:
        with graph_of_model(target, given=source, replace=options["force"]) as file:
            yield file


def _require_places(source: Path, target: Path, options: Mapping[str, Any]) -> None:
    """Make sure that what is written beside the result finds its place, so that an error leaves no result."""
    beside = [*options["reports"], *([options["save_plan"]] if options["save_plan"] else [])]
    given = [source, *(options[name] for name in ("calibrate", "evaluation", "scheme_file", "plan") if options[name])]
    for path in (*beside, *([target] if options["form"] == "graph" else [])):
        require_writable(path)
    for path in (target, *beside):
        require_apart(path, *given)
    require_distinct(target, *beside)


def _tensors(endpoints: Sequence[Endpoint]) -> list[str]:
    return [each.name for each in endpoints]


def _beside(source: Path, form: str) -> Path:
    """Where the result goes when --out is not given."""
    if descriptor(source, 0) is not None:
        raise UsageError("the input is a stream; name the file to write with -o (- for standard output)")
    ending, model = ".pb" if form == "graph" else "", model_of(source)
    named = model if model.name not in ("", "..") else model.resolve()
    return named.with_name(f"{named.stem}-small{ending}")


def _rules(said: Sequence[Rule], file: Path | None) -> tuple[Rule, ...]:
    """What is said of some weights; the command line goes before a file."""
    return (*(read_rules(file) if file else ()), *said)


_AUTOMATIC = (
    "quality",
    "calibrate",
    "prefer",
    "time_limit",
    "schemes",
    "scheme_file",
    "target_size",
    "plan",
    "save_plan",
)
_PROVING = ("evaluation", "min_snr", "min_agreement", "max_drop")


def _check(recipe: str | None, options: dict[str, Any]) -> None:
    """Refuse options that mean nothing together."""
    for name in _AUTOMATIC if recipe else ():
        if options[name] and not (name == "calibrate" and is_leveled(recipe)):
            option = name.replace("_", "-").removesuffix("s")
            raise UsageError(f"--{option} has no effect with a recipe; leave out --recipe")
    for name in ("target_size", "plan"):
        if options["quality"] and options[name]:
            raise UsageError(
                f"--quality has no effect with --{name.replace('_', '-')}; for a floor use --min-snr or --min-agreement"
            )
    if options["max_drop"] is not None and options["evaluation"] is None:
        raise UsageError("--max-drop needs inputs with labels: --eval FILE.npz")
    asked = any(options[name] is not None for name in _PROVING)
    if asked and recipe and not options["verify"]:
        raise UsageError("--eval, --min-snr, --min-agreement and --max-drop need verification: leave out --no-verify")


def _proof(recipe: str | None, options: dict[str, Any], tell: Callable[[Progress], None]) -> Proof:
    """How the result is verified."""

    def on_progress(done: int, total: int) -> None:
        tell(Progress(VERIFYING, done, total))

    given = options["evaluation"], options["min_snr"], options["max_drop"], options["min_agreement"]
    samples = DEFAULT_SAMPLES if recipe else _SAMPLES
    cautious = not any([*given, options["calibrate"]])
    examples = EXAMPLES if options["reports"] else 0
    return Proof(
        *given,
        samples=samples,
        engine=options["engine"],
        cautious=cautious,
        examples=examples,
        on_progress=on_progress,
    )
