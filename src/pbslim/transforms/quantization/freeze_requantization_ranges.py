"""Replace the ranges that are found on each run by ones that were logged on sample inputs.

Before::  QuantizedConv2D ─► RequantizationRange ─► Requantize
After::   QuantizedConv2D ─► Requantize(frozen_min, frozen_max)

The log is what a graph prints after insert_logging(op=RequantizationRange, show_name=true,
message="__requant_min_max:"); the ranges are frozen in the same graph without the logging.
"""

from __future__ import annotations

from pathlib import Path

from pbslim.analysis.frames import in_loops
from pbslim.errors import TransformError
from pbslim.ir import Graph, Node
from pbslim.passes.registry import Context, transform
from pbslim.quant.affine import is_too_narrow
from pbslim.quant.ranges import logged_range
from pbslim.transforms.quantization.nodes import add_scalar
from pbslim.transforms.quantization.range_log import Records, read_ranges

_RANGE = "RequantizationRange"


@transform(effect="lossy")
def freeze_requantization_ranges(
    graph: Graph,
    context: Context,
    *,
    min_max_log_file: str,
    min_percentile: float = 5.0,
    max_percentile: float = 5.0,
) -> None:
    """Give each RequantizationRange that the log mentions constants ``<name>/frozen_min`` and ``<name>/frozen_max``.

    Args:
        min_max_log_file: what the logging graph wrote to stderr; other lines do no harm.
        min_percentile, max_percentile: how many of the lowest lower bounds and of the highest upper bounds are left
            out, of 100. With few records that is none or one more than expected: the reference tool rounds so.

    Raises:
        TransformError: the file cannot be read or holds no range, or names a node that is not a RequantizationRange.
    """
    if not (min_percentile == min_percentile and max_percentile == max_percentile):
        raise TransformError("min_percentile and max_percentile must be numbers")
    records = _read(min_max_log_file, context)
    for name in records:
        node = graph.get(name)
        if node is None:
            raise TransformError(f"{min_max_log_file} has ranges of '{name}', which is not in the graph")
        if node.op != _RANGE:
            raise TransformError(f"{min_max_log_file} has ranges of '{name}', which is a {node.op}, not a {_RANGE}")
    inside = in_loops(graph)
    order: list[Node] = []
    frozen: list[Node] = []
    for node in graph:
        if node.name in records:
            low, high = logged_range(*records[node.name], min_percentile, max_percentile)
            problem = _problem(node, float(low), float(high), context)
            if not problem:
                order += _freeze(graph, node, float(low), float(high), node in inside)
                frozen.append(node)
                continue
            context.skip(node.name, problem)
        elif node.op == _RANGE:
            context.skip(node.name, f"{min_max_log_file} has no range of it")
        order.append(node)
    graph.erase(frozen)
    graph.reorder(order)


def _read(path: str, context: Context) -> Records:
    try:
        text = Path(path).read_text(encoding="utf-8", errors="replace")
    except OSError as error:
        raise TransformError(f"min_max_log_file '{path}' cannot be read: {error.strerror}") from None
    records, unusable = read_ranges(text)
    if unusable:
        context.note(f"{path}: {unusable} ranges with NaN or infinity are left out")
    if not records:
        raise TransformError(
            f"{path} holds no range; log it by insert_logging(op=RequantizationRange, show_name=true, "
            'message="__requant_min_max:")'
        )
    return records


def _problem(node: Node, low: float, high: float, context: Context) -> str:
    if node.name in context.protected:
        return "it is an input or output of the graph"
    if any(value.uses for value in node.outputs if value.port > 1):
        return "more outputs are read than it has"
    if not low <= min(high, 0):
        return f"Requantize refuses its range from {low:g} to {high:g}"
    if is_too_narrow(low, high):
        return f"its range from {low:g} to {high:g} is too narrow for codes"
    return ""


def _freeze(graph: Graph, node: Node, low: float, high: float, in_loop: bool) -> list[Node]:
    controls = [value.node for value in node.inputs[:1]] if in_loop else []
    made = [
        add_scalar(graph, f"{node.name}/frozen_{which}", bound, controls)
        for which, bound in (("min", low), ("max", high))
    ]
    for value in node.outputs:
        value.replace_all_uses_with(made[value.port].output())
    node.replace_control_uses_with(made[:1])
    return made
