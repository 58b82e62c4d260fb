"""``pbslim summarize_graph``: the text of TensorFlow's tool."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import click

from pbslim.analysis.debug_text import shape_text
from pbslim.cli.command import Command
from pbslim.cli.options import bool_option, json_option
from pbslim.dtypes import Shape
from pbslim.errors import UsageError
from pbslim.legacy.summarize_graph import Summary, Terminal, summarize_graph
from pbslim.report import terminal
from pbslim.wire import load

_TOOL = "tensorflow/tools/benchmark:benchmark_model"


@click.command(
    "summarize_graph",
    cls=Command,
    examples=[
        "pbslim summarize_graph --in_graph=model.pb --print_structure",
    ],
)
@click.option("--in_graph", help="GraphDef file, binary or text.")
@bool_option("--print_structure", default=False, help="List the nodes with their inputs, in execution order.")
@json_option
def command(in_graph: str | None, print_structure: bool, as_json: bool) -> int:
    """Summarize a graph in the words of TensorFlow's summarize_graph."""
    if not in_graph:
        raise UsageError("in_graph graph can't be empty; name the file with --in_graph")
    found = summarize_graph(load(in_graph), structure=print_structure)
    for name, reason in found.unreadable.items():
        terminal.note(f"Decoding Tensor failed for node {name}: {reason}")
    if as_json:
        terminal.print_json(_content(found, in_graph))
    else:
        terminal.print_lines(lines(found, in_graph))
    return 0


def lines(found: Summary, path: str) -> Iterator[str]:
    """The text, line by line; `path` is repeated in the last one."""
    yield from _terminals(found.inputs, "inputs", "possible inputs")
    yield from _terminals(found.variables, "variables", "variables")
    outputs = "".join(f"(name={name}, op={op}) " for name, op in found.outputs)
    yield f"Found {len(found.outputs)} possible outputs: {outputs}" if outputs else "No outputs spotted."
    yield (
        f"Found {_counted(found.const_parameters)} const parameters, {_counted(found.variable_parameters)} "
        f"variable parameters, and {found.control_edges} control_edges"
    )
    for device, count in found.devices.items():
        yield f"{count} nodes assigned to device '{device}'"
    yield f"Op types used: {', '.join(f'{count} {op}' for op, count in found.ops.items())}"
    yield f"To use with {_TOOL} try these arguments:"
    yield benchmark_command(found, path)
    yield from found.structure


def benchmark_command(found: Summary, path: str) -> str:
    """What starts TensorFlow's benchmark of this graph; a variable that is a handle cannot be fed."""
    fed = [*found.inputs, *(each for each in found.variables if each.op != "VarHandleOp")]
    shapes = ":".join(",".join(map(str, (each.shape or Shape()).dims or ())) for each in fed)
    return (
        f"bazel run {_TOOL} -- --graph={path} --show_flops --input_layer={_list(each.name for each in fed)} "
        f"--input_layer_type={_list(_type(each) for each in fed)} --input_layer_shape={shapes} "
        f"--output_layer={_list(name for name, _ in found.outputs)}"
    )


def _list(items: Iterable[str]) -> str:
    return ",".join(items)


def _type(each: Terminal) -> str:
    return each.dtype.name if each.dtype else "INVALID"


def _terminals(found: Sequence[Terminal], none: str, some: str) -> Iterator[str]:
    infos = "".join(
        f"(name={each.name}, type={_type(each)}({each.dtype.number if each.dtype else 0}), "
        f"shape={'None' if each.shape is None else shape_text(each.shape)}) "
        for each in found
    )
    yield f"Found {len(found)} {some}: {infos}" if found else f"No {none} spotted."


def _counted(count: int) -> str:
    return f"{count} ({human(count)})"


def human(count: int) -> str:
    """A number with a unit, cut as the original cuts it: ``999999`` is ``1000.00k``."""
    if count < 1000:
        return str(count)
    if count >= 10**15:
        return f"{count:.3G}"
    unit = 0
    while count >= 10**6:
        count //= 1000
        unit += 1
    return f"{count / 1000:.2f}{'kMBT'[unit]}"


def _content(found: Summary, path: str) -> dict[str, Any]:
    def endpoint(each: Terminal) -> dict[str, Any]:
        return {
            "name": each.name,
            "op": each.op,
            "type": each.dtype.name if each.dtype else None,
            "shape": list(each.shape.dims) if each.shape and each.shape.dims is not None else None,
        }

    content = {
        "inputs": [endpoint(each) for each in found.inputs],
        "variables": [endpoint(each) for each in found.variables],
        "outputs": [{"name": name, "op": op} for name, op in found.outputs],
        "const_parameters": found.const_parameters,
        "variable_parameters": found.variable_parameters,
        "control_edges": found.control_edges,
        "devices": found.devices,
        "ops": found.ops,
        "unreadable": found.unreadable,
        "benchmark_command": benchmark_command(found, path),
    }
    return content | ({"structure": found.structure} if found.structure else {})
