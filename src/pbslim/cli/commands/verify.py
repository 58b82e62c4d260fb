"""``pbslim verify``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from pbslim.cli.command import Command
from pbslim.cli.options import DECIBELS, FILE, NAMES, PERCENT, PIXELS, SECONDS, TOLERANCE, json_option
from pbslim.engines import ENGINES
from pbslim.report import terminal, verification
from pbslim.verification.compare import compare_files
from pbslim.verification.feeds import DEFAULT_SAMPLES
from pbslim.verification.running import DEFAULT_TIMEOUT

_ENGINES = click.Choice(["auto", *ENGINES])
_COUNT = click.IntRange(min=1)


@click.command(
    "verify",
    cls=Command,
    examples=[
        "pbslim verify model.pb model-small.pb --min-snr 30 --per-layer",
        "pbslim verify model.pb model-small.pb --eval test.npz --max-drop 1%",
        "pbslim verify released.pb candidate.pb --min-agreement 99% --max-growth 0%",
    ],
)
@click.argument("first", metavar="A.pb", type=FILE)
@click.argument("second", metavar="B.pb", type=FILE)
@click.option(
    "--feeds",
    type=FILE,
    help="An .npz file (tensor name → array), an .npy file, or a folder of images. Generated if not given.",
)
@click.option("--eval", "evaluation", type=FILE, help="An .npz file of inputs and 'labels': compare the accuracy too.")
@click.option("--inputs", type=NAMES, help="Placeholders to generate values for.")
@click.option("--outputs", type=NAMES, help="Outputs to compare; all if not given.")
@click.option("--samples", type=_COUNT, default=DEFAULT_SAMPLES, show_default=True, help="How many inputs to try.")
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True, help="Seed of generated inputs.")
@click.option("--image-range", type=PIXELS, metavar="LOW,HIGH", help="Pixel values; found from the graph if not given.")
@click.option("--engine", type=_ENGINES, default="auto", show_default=True, help="What runs the graphs.")
@click.option("--min-snr", type=DECIBELS, metavar="DB", help="Signal to noise that every output must have.")
@click.option("--min-agreement", type=PERCENT, metavar="SHARE", help="Equal decisions that are demanded, such as 99%.")
@click.option("--max-drop", type=PERCENT, metavar="SHARE", help="How much accuracy may drop with --eval, such as 1%.")
@click.option("--max-growth", type=PERCENT, metavar="SHARE", help="How much larger the second file may be, such as 1%.")
@click.option("--atol", type=TOLERANCE, help="Absolute difference that is allowed.")
@click.option("--rtol", type=TOLERANCE, help="The same relative to the largest value.")
@click.option("--per-layer", is_flag=True, help="Find the layers in which the difference arises.")
@click.option(
    "--timeout",
    type=SECONDS,
    metavar="SECONDS",
    default=DEFAULT_TIMEOUT,
    show_default=True,
    help="Give up when one run takes longer.",
)
@json_option
def command(first: Path, second: Path, as_json: bool, **options: Any) -> int:
    """Run two graphs on the same inputs and compare the outputs.

    Exit code 1 if they differ by more than float rounding, or by more than the options allow.
    """
    with terminal.progress_bar("running both graphs") as advance:
        found = compare_files(first, second, on_progress=advance, **options)
    if as_json:
        terminal.print_json(verification.content(found))
    else:
        verification.show(found, (first, second))
    for text in found.failures:
        terminal.say(f"failed: {text}")
    return 0 if found.agrees else 1
