"""``pbslim print_selective_registration_header``."""

from __future__ import annotations

from pathlib import Path

import click

from pbslim.cli.command import LegacyCommand
from pbslim.cli.options import WORDS, json_option
from pbslim.errors import UsageError
from pbslim.legacy.print_selective_registration_header import DEFAULT_OPS, selective_registration_header
from pbslim.ops.kernel_classes import KERNEL_RELEASES
from pbslim.report import terminal
from pbslim.wire import load

kernels_option = click.option(
    "--kernels",
    type=click.Choice(KERNEL_RELEASES),
    default=KERNEL_RELEASES[0],
    show_default=True,
    help="The TensorFlow that is built with the header.",
)
default_ops_option = click.option(
    "--default_ops",
    default=DEFAULT_OPS,
    show_default=True,
    help="Pairs of op and kernel also included in the header; 'all' for every op.",
)


@click.command(
    "print_selective_registration_header",
    cls=LegacyCommand,
    examples=[
        "pbslim print_selective_registration_header --graphs=a.pb,b.pb > ops_to_register.h",
    ],
)
@click.option("--graphs", type=WORDS, required=True, help="GraphDef files, separated by commas.")
@click.option("--proto_fileformat", expose_value=False, help="No effect: the format is detected.")
@default_ops_option
@kernels_option
@json_option
def command(graphs: tuple[str, ...], default_ops: str, kernels: str, as_json: bool) -> int:
    """Print the header ops_to_register.h for a TensorFlow that is built with the ops of some graphs only."""
    if not graphs:
        raise UsageError("name the graphs with --graphs")
    author = "print_selective_registration_header"
    loaded = [load(Path(path)) for path in graphs]
    text, unknown = selective_registration_header(loaded, default_ops=default_ops, release=kernels, author=author)
    for op in unknown:
        terminal.note(f"no kernel found for op {op}")
    if as_json:
        terminal.print_json({"header": text, "ops_without_kernel": list(unknown)})
    else:
        terminal.print_lines(text.splitlines())
    return 0
