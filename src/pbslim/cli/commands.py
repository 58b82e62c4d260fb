"""The commands and their options; what they do is elsewhere and imported when they run."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

import click

from pbslim._version import __version__

_TOLERANCE = click.FloatRange(min=0)
_F = TypeVar("_F", bound=Callable[..., Any])


class FileName(click.Path):  # type: ignore[type-arg, unused-ignore]  # generic in some releases
    """The name of a file."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Refuse an empty name, as a variable that is not set leaves it: it would mean the current folder."""
        return super().convert(value or self.fail("a file name cannot be empty", param, ctx), param, ctx)


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


class NumberList(NameList):
    """Whole numbers separated by commas."""

    name = "numbers"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Split `value` and read each part."""
        try:
            return tuple(int(text) for text in super().convert(value, param, ctx))
        except ValueError:
            self.fail(f"'{value}' is not a whole number, nor several with commas between them", param, ctx)


class SwitchList(NameList):
    """Names with true or false each, ``name=False,other=True``."""

    name = "switches"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Split `value` into a mapping."""
        if isinstance(value, dict):
            return value
        pairs = [text.partition("=") for text in super().convert(value, param, ctx)]
        for name, _, text in pairs:
            if not name or text.strip().lower() not in ("true", "false"):
                self.fail(f"'{name}' needs =True or =False behind it", param, ctx)
        return {name.strip(): text.strip().lower() == "true" for name, _, text in pairs}


class OldCommand(click.Command):
    """A command whose flags can be spelled as argparse and absl took them: ``--out`` for ``--output``, ``--noflag``.

    Neither is tried where it could mean several flags.
    """

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Read the arguments."""
        flags = {name: param for param in self.params for name in param.opts}
        return super().parse_args(ctx, [_spelled_out(argument, flags) for argument in args])


def _spelled_out(argument: str, flags: Mapping[str, click.Parameter]) -> str:
    name, equals, value = argument.partition("=")
    if not name.startswith("--") or name in flags:
        return argument
    meant = [flag for flag in flags if flag.startswith(name)]
    if len(meant) == 1:
        return f"{meant[0]}{equals}{value}"
    denied = flags.get(f"--{name.removeprefix('--no')}")
    if denied and not equals and isinstance(denied.type, click.types.BoolParamType):
        return f"{denied.opts[0]}=false"
    return argument


_FILE = FileName(path_type=Path)
_NAMES = NameList()
_NUMBERS = NumberList()
_SWITCHES = SwitchList()


def _bool(*names: str, default: bool, help: str) -> Callable[[_F], _F]:  # noqa: A002 - click's name
    """An option that is true alone and takes true or false behind ``=``, as the tools of old have it."""
    return click.option(*names, type=bool, is_flag=False, flag_value="true", default=str(default).lower(), help=help)


_HELP = {"help_option_names": ["-h", "--help"]}
_JSON = click.option("--json", "as_json", is_flag=True, help="Report in JSON on stdout.")


@click.group(context_settings=_HELP)
@click.version_option(__version__, message="pbslim %(version)s")
def pbslim() -> None:
    """Make frozen TensorFlow graphs (.pb) small, without TensorFlow."""


@pbslim.command("transform_graph", context_settings=_HELP)
@click.option("--in_graph", type=_FILE, required=True, help="GraphDef file, binary or text.")
@click.option("--out_graph", type=_FILE, required=True, help="File to write.")
@click.option("--inputs", type=_NAMES, default="", help="Names of the inputs, separated by commas.")
@click.option("--outputs", type=_NAMES, default="", help="Names of the outputs, separated by commas.")
@click.option("--transforms", default="", help="What to do, for instance 'fold_constants round_weights(num_steps=64)'.")
@_bool("--output_as_text", default=False, help="Write the text form.")
@click.option("--explain", is_flag=True, help="Say where a transform could have fired and why it did not.")
@click.option("--dry_run", "--dry-run", is_flag=True, help="Say what would be done, write nothing.")
@_JSON
def transform_graph(**options: Any) -> int:
    """Run transforms on a frozen graph, by the command line of TensorFlow's Graph Transform Tool."""
    from pbslim.cli.transform_graph import run

    return run(**options)


@pbslim.command("optimize_for_inference", cls=OldCommand, context_settings=_HELP)
@click.option("--input", "source", type=_FILE, required=True, help="GraphDef file, binary or text.")
@click.option("--output", "target", type=_FILE, required=True, help="File to write.")
@click.option("--input_names", type=_NAMES, required=True, help="Names of the inputs, separated by commas.")
@click.option("--output_names", type=_NAMES, required=True, help="Names of the outputs, separated by commas.")
@_bool("--frozen_graph", default=True, help="false: write the text form.")
@click.option("--placeholder_type_enum", type=_NUMBERS, help="Type of all inputs, or of each; kept if not given.")
@_bool("--toco_compatible", default=False, help="Leave resizing, padding and convolution apart.")
@click.option("--placeholder_to_const_names", type=_SWITCHES, help="Bool placeholders to fix, as is_training=False.")
@_bool("--all_batch_norms", default=False, help="Fold all batch norms, however they are written.")
@click.option("--explain", is_flag=True, help="Say what could have been folded or fused and why it was not.")
@_JSON
def optimize_for_inference(**options: Any) -> int:
    """Take out what only training needs and merge ops, by the command line of TensorFlow's optimize_for_inference."""
    from pbslim.cli.optimize_for_inference import run

    return run(**options)


@pbslim.command("quantize_graph", cls=OldCommand, context_settings=_HELP)
@click.option("--input", "source", type=_FILE, required=True, help="GraphDef file, binary or text.")
@click.option("--output", "target", type=_FILE, required=True, help="File to write.")
@click.option("--output_node_names", type=_NAMES, required=True, help="Names of the outputs, separated by commas.")
@click.option("--mode", default="round", help="weights_rounded, weights, eightbit or round.", show_default=True)
@click.option("--bitdepth", type=int, default=8, help="2**bitdepth levels, for weights_rounded.", show_default=True)
@_bool("--strip_redundant_quantization", default=True, help="Hand codes from op to op; for eightbit.")
@_bool("--quantized_input", default=False, help="Placeholders take eight-bit codes; for eightbit.")
@click.option("--quantized_input_min", type=float, default=0, help="What code 0 of an input means.", show_default=True)
@click.option("--quantized_input_max", type=float, default=1, help="What code 255 means.", show_default=True)
@click.option("--quantized_fallback_min", type=float, help="Range of results, else found in each run; for eightbit.")
@click.option("--quantized_fallback_max", type=float, help="Its upper end.")
@_bool("--print_nodes", default=False, help="No effect, as in the original.")
@click.option("--test_input_dims", default="1,224,224,3", help="No effect, as in the original.")
@click.option("--explain", is_flag=True, help="Say what could have been quantized and why it was not.")
@_JSON
def quantize_graph(**options: Any) -> int:
    """Round or quantize a frozen graph, by the command line of TensorFlow's quantize_graph."""
    from pbslim.cli.quantize_graph import run

    return run(**options)


@pbslim.command("strip_unused", cls=OldCommand, context_settings=_HELP)
@click.option("--input_graph", type=_FILE, required=True, help="GraphDef file, binary or text.")
@_bool("--input_binary", default=False, help="No effect: the form is found out.")
@click.option("--output_graph", type=_FILE, required=True, help="File to write.")
@_bool("--output_binary", default=True, help="Write the binary form.")
@click.option("--input_node_names", type=_NAMES, required=True, help="Names of the inputs, separated by commas.")
@click.option("--output_node_names", type=_NAMES, required=True, help="Names of the outputs, separated by commas.")
@click.option("--placeholder_type_enum", type=int, help="Number of the inputs' type (1: float); kept if not given.")
@_JSON
def strip_unused(**options: Any) -> int:
    """Cut a graph at its inputs and keep what the outputs need, by the command line of TensorFlow's strip_unused."""
    from pbslim.cli.strip_unused import run

    return run(**options)


@pbslim.command("convert_graphdef_memmapped_format", context_settings=_HELP)
@click.option("--in_graph", type=_FILE, required=True, help="GraphDef file, binary or text.")
@click.option("--out_graph", type=_FILE, required=True, help="Package to write.")
@click.option(
    "--min_conversion_tensor_size",
    "--min_conversion_size_bytes",
    "min_conversion_tensor_size",
    type=int,
    default=10000,
    show_default=True,
    help="Constants of fewer bytes stay in the graph.",
)
@click.option("--reference", is_flag=True, help="Convert exactly what TensorFlow's tool did, unsafe places too.")
@click.option("--explain", is_flag=True, help="Say for each constant that stays why it does.")
@_JSON
def convert_graphdef_memmapped_format(**options: Any) -> int:
    """Write a package in which a runtime maps the weights from the file instead of loading them."""
    from pbslim.cli.convert_graphdef_memmapped_format import run

    return run(**options)


@pbslim.command()
@click.argument("package", metavar="PACKAGE", type=_FILE)
@click.option("-o", "--out", type=_FILE, required=True, help="GraphDef file to write.")
def unmap(**options: Any) -> int:
    """Turn a memory-mapped package back into an ordinary graph."""
    from pbslim.cli.unmap import run

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
@_JSON
def shrink(**options: Any) -> int:
    """Make a frozen graph smaller by a well-known recipe."""
    from pbslim.cli.shrink import run

    return run(**options)


@pbslim.command()
@click.argument("source", metavar="IN.pb", type=_FILE)
@_JSON
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
@_JSON
def verify(**options: Any) -> int:
    """Run two graphs with TensorFlow on the same inputs and compare the outputs; exit code 1 if they differ."""
    from pbslim.cli.verify import run

    return run(**options)


@pbslim.command()
@click.argument("first", metavar="A.pb", type=_FILE)
@click.argument("second", metavar="B.pb", type=_FILE)
@click.option("--by-op", is_flag=True, help="Sum up by op instead of listing the nodes.")
@click.option("--atol", type=_TOLERANCE, default=0.0, help="How far apart floats in tensors may be; 0 if not given.")
@click.option("--ignore-defaults", is_flag=True, help="An attribute at its default value is the same as none.")
@_JSON
def diff(**options: Any) -> int:
    """Tell what was added, removed and changed from A to B; exit code 1 if anything was."""
    from pbslim.cli.diff import run

    return run(**options)


@pbslim.command()
@click.argument("name", required=False)
def transforms(**options: Any) -> int:
    """List the transforms, or print the manual of one."""
    from pbslim.cli.transforms import run

    return run(**options)


@pbslim.command("summarize_graph", context_settings=_HELP)
@click.option("--in_graph", help="GraphDef file, binary or text.")
@_bool("--print_structure", default=False, help="List the nodes with their inputs, in execution order.")
@_JSON
def summarize_graph(**options: Any) -> int:
    """Tell what a graph holds, in the words of TensorFlow's summarize_graph."""
    from pbslim.cli.summarize_graph import run

    return run(**options)


@pbslim.command("compare_graphs", context_settings=_HELP)
@click.argument("files", metavar="ACTUAL.pb EXPECTED.pb", nargs=-1, type=_FILE)
@click.option("--all", "show_all", is_flag=True, help="List every difference, not the first only.")
@click.option("--atol", type=_TOLERANCE, default=0.0, help="How far apart floats in tensors may be; 0 if not given.")
@click.option("--library", is_flag=True, help="Compare the function libraries too.")
@_JSON
def compare_graphs(**options: Any) -> int:
    """Compare two graphs node by node, as TensorFlow's compare_graphs; exit code 1 if they differ."""
    from pbslim.cli.compare_graphs import run

    return run(**options)


@pbslim.command("graph_to_dot", cls=OldCommand, context_settings=_HELP)
@click.option("--graph", type=_FILE, required=True, help="GraphDef file, binary or text.")
@_bool("--input_binary", default=True, help="No effect: the form is found out.")
@click.option("--dot_output", type=_FILE, help="DOT file to write.")
@click.option("--svg_output", type=_FILE, help="Picture to write; needs Graphviz and pip install 'pbslim[graphviz]'.")
def graph_to_dot(**options: Any) -> int:
    """Draw a graph in Graphviz's DOT language; control edges are dashed."""
    from pbslim.cli.graph_to_dot import run

    return run(**options)


_KERNELS = click.option(
    "--kernels",
    type=click.Choice(["1.15", "2.21"]),
    default="1.15",
    show_default=True,
    help="The TensorFlow that is built with the header.",
)
_DEFAULT_OPS = click.option(
    "--default_ops",
    default="NoOp:NoOp,_Recv:RecvOp,_Send:SendOp",
    show_default=True,
    help="Pairs of op and kernel that the header has besides; 'all' for every op.",
)


@pbslim.command()
@click.argument("models", metavar="MODEL.pb...", nargs=-1, type=_FILE)
@click.option(
    "--header",
    type=_FILE,
    is_flag=False,
    flag_value="ops_to_register.h",
    help="Write the header for TensorFlow's selective registration; - for stdout, ops_to_register.h if not named.",
)
@_DEFAULT_OPS
@_KERNELS
@click.option("--since", metavar="RELEASE", help="Hold the graphs against what this TensorFlow accepts, such as 1.4.")
@click.option("--nodes", is_flag=True, help="With --since: name every node.")
@_JSON
def ops(**options: Any) -> int:
    """List the ops that graphs need; exit code 1 if --since names a TensorFlow that does not accept them."""
    from pbslim.cli.ops import run

    return run(**options)


@pbslim.command("print_selective_registration_header", cls=OldCommand, context_settings=_HELP)
@click.option("--graphs", type=_NAMES, required=True, help="GraphDef files, separated by commas.")
@click.option("--proto_fileformat", expose_value=False, help="No effect: the form is found out.")
@_DEFAULT_OPS
@_KERNELS
def print_selective_registration_header(**options: Any) -> int:
    """Print the header ops_to_register.h for a TensorFlow that is built with the ops of some graphs only."""
    from pbslim.cli.print_selective_registration_header import run

    return run(**options)
