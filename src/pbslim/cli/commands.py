"""The commands and their options; what they do is elsewhere and imported when they run."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from pbslim._version import __version__

_FILE = click.Path(path_type=Path)


class NameList(click.ParamType):  # type: ignore[type-arg, unused-ignore]  # generic in some releases
    """Names separated by commas; blanks around them do not count."""

    name = "names"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[str, ...]:
        """Split `value`; an empty name is a usage error, as the tool that it would reach cannot know what is meant."""
        if isinstance(value, tuple):
            return value
        if not value.strip():
            return ()
        names = tuple(name.strip() for name in value.split(","))
        if "" in names:
            self.fail(f"there is an empty name in '{value}'", param, ctx)
        return names


_NAMES = NameList()


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, message="pbslim %(version)s")
def pbslim() -> None:
    """Make frozen TensorFlow graphs (.pb) small, without TensorFlow."""


@pbslim.command("transform_graph", context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--in_graph", type=_FILE, required=True, help="GraphDef file, binary or text.")
@click.option("--out_graph", type=_FILE, required=True, help="File to write.")
@click.option("--inputs", type=_NAMES, default="", help="Names of the inputs, separated by commas.")
@click.option("--outputs", type=_NAMES, default="", help="Names of the outputs, separated by commas.")
@click.option("--transforms", default="", help="What to do, for instance 'fold_constants round_weights(num_steps=64)'.")
@click.option(
    "--output_as_text", type=bool, is_flag=False, flag_value="true", default="false", help="Write the text form."
)
@click.option("--explain", is_flag=True, help="Say where a transform could have fired and why it did not.")
@click.option("--dry_run", "--dry-run", is_flag=True, help="Say what would be done, write nothing.")
@click.option("--json", "as_json", is_flag=True, help="Report in JSON on stdout.")
def transform_graph(**options: Any) -> int:
    """Run transforms on a frozen graph, by the command line of TensorFlow's Graph Transform Tool."""
    from pbslim.cli.transform_graph import run

    return run(**options)


@pbslim.command()
@click.argument("source", metavar="IN.pb", type=_FILE)
@click.option("-o", "--out", type=_FILE, help="File to write; IN-small.pb if not given.")
@click.option(
    "--recipe",
    type=click.Choice(["optimize", "round", "eight-bit"]),
    default="round",
    show_default=True,
    help="optimize: same results, fewer ops; round: 256 levels a tensor, small when zipped; eight-bit: small as it is.",
)
@click.option("--inputs", type=_NAMES, help="Names of the inputs; found from the graph if not given.")
@click.option("--outputs", type=_NAMES, help="Names of the outputs; found from the graph if not given.")
@click.option("--exact-zip", is_flag=True, help="Deflate large files whole to tell their zipped size.")
@click.option("--explain", is_flag=True, help="Say where a transform could have fired and why it did not.")
@click.option("--json", "as_json", is_flag=True, help="Report in JSON on stdout.")
def shrink(**options: Any) -> int:
    """Make a frozen graph smaller by a well-known recipe."""
    from pbslim.cli.shrink import run

    return run(**options)


@pbslim.command()
@click.argument("source", metavar="IN.pb", type=_FILE)
@click.option("--json", "as_json", is_flag=True, help="Report in JSON on stdout.")
def inspect(**options: Any) -> int:
    """Tell what a graph file holds."""
    from pbslim.cli.inspect import run

    return run(**options)


@pbslim.command()
@click.argument("first", metavar="A.pb", type=_FILE)
@click.argument("second", metavar="B.pb", type=_FILE)
@click.option("--feeds", type=_FILE, help="An .npz file: tensor name → array. Generated if not given.")
@click.option("--inputs", type=_NAMES, help="Placeholders to generate values for.")
@click.option("--outputs", type=_NAMES, help="Outputs to compare; all if not given.")
@click.option("--atol", type=float, default=1e-5, show_default=True, help="Absolute difference that is allowed.")
@click.option("--rtol", type=float, default=1e-4, show_default=True, help="The same relative to the largest value.")
@click.option("--json", "as_json", is_flag=True, help="Report in JSON on stdout.")
def verify(**options: Any) -> int:
    """Run two graphs with TensorFlow on the same inputs and compare the outputs; exit code 1 if they differ."""
    from pbslim.cli.verify import run

    return run(**options)


@pbslim.command()
@click.argument("name", required=False)
def transforms(**options: Any) -> int:
    """List the transforms, or print the manual of one."""
    from pbslim.cli.transforms import run

    return run(**options)
