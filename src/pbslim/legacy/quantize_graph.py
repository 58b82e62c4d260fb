"""Fewer levels for weights, or a whole graph in eight bits: ``quantize_graph``."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from pbslim.analysis.constants import const_value
from pbslim.analysis.endpoints import require_nodes
from pbslim.analysis.frames import frame_controls
from pbslim.dtypes import FLOAT, INT32
from pbslim.errors import UsageError
from pbslim.ir import ArrayTensor, Graph, Node
from pbslim.ir.extraction import extract_sub_graph
from pbslim.ir.order import check, depth_first
from pbslim.legacy.eight_bits import Range, quantize_const, to_eight_bits
from pbslim.passes import pipeline
from pbslim.passes.pipeline import StepResult
from pbslim.passes.registry import Context, Transform
from pbslim.quant.rounding import bucket_rounder
from pbslim.rewrite import Skip
from pbslim.rewrite.replacing import put_before, set_const
from pbslim.transforms.quantization.weights import usable_range
from pbslim.wire.given import Names, changes_graph, names

MODES = ("round", "weights", "weights_rounded", "eightbit")
_ROUNDED_OPS = ("Conv2D", "BiasAdd", "MatMul")
_MOST_BITS = 30  # 2 to this power is an int32


@changes_graph
def quantize_graph(
    graph: Graph,
    output_node_names: Names,
    mode: str = "round",
    *,
    bitdepth: int = 8,
    strip_redundant_quantization: bool = True,
    quantized_input_range: Range | None = None,
    fallback_quantization_range: Range | None = None,
) -> StepResult:
    """Quantize `graph` for these outputs, in place; what they do not need goes.

    A ``GraphDef`` message, bytes or a path instead of a `Graph` stays as it is, and the changed graph is given
    back.

    Args:
        output_node_names: names of nodes.
        mode: ``weights_rounded``: every float constant on ``2**bitdepth`` levels, same type and ops. ``weights``: every
            float constant as eight-bit codes and a Dequantize. ``eightbit``: eight-bit ops where there are some.
            ``round``: RoundToSteps after convolutions and the like, an op that no TensorFlow has.
        bitdepth: 0 to 30; for the modes ``weights_rounded`` and ``round``.
        strip_redundant_quantization: in mode ``eightbit``, hand codes from op to op without turning them into floats
            and back.
        quantized_input_range: in mode ``eightbit``, float placeholders take codes, which stand for this range.
        fallback_quantization_range: in mode ``eightbit``, the range of results that is otherwise found when the
            graph runs. It must not begin above 0.

    Raises:
        UsageError: an unknown mode, an impossible number or range, or an output that is not in the graph
            or names a tensor.
        PbslimError: the graph is broken.
    """
    _check_mode(mode)
    _check_numbers(mode, bitdepth, quantized_input_range, fallback_quantization_range)
    outputs = require_nodes(graph, names(output_node_names, "outputs"), "output")

    def eightbit(graph: Graph, context: Context) -> None:
        to_eight_bits(
            graph,
            context,
            strip=strip_redundant_quantization,
            input_range=quantized_input_range,
            fallback_range=fallback_quantization_range,
        )

    work: dict[str, Callable[[Graph, Context], None]] = {
        "round": lambda graph, context: _round(graph, context, bitdepth),
        "weights": _weights,
        "weights_rounded": lambda graph, context: _weights_rounded(graph, context, bitdepth),
        "eightbit": eightbit,
    }

    def run(graph: Graph, context: Context) -> None:
        check(graph)
        work[mode](graph, context)

    return pipeline.run(graph, [Transform("quantize_graph", run, "lossy")()], (), outputs)[0]


def _check_mode(mode: str) -> None:
    if mode == "quantize":
        raise UsageError(
            "mode 'quantize' never worked in the reference tool; mode 'eightbit' does what it was meant to"
        )
    if mode not in MODES:
        raise UsageError(f"mode is '{mode}', not one of {', '.join(MODES)}")


def _check_numbers(mode: str, bitdepth: int, input_range: Range | None, fallback_range: Range | None) -> None:
    if not 0 <= bitdepth <= _MOST_BITS:
        raise UsageError(f"bitdepth must be 0 to {_MOST_BITS}, not {bitdepth}")
    for what, bounds in (
        ("quantized_input_range", input_range),
        ("fallback_quantization_range", fallback_range),
    ):
        if bounds:
            _check_range(what, bounds, mode)
    if fallback_range and fallback_range[0] > 0:
        raise UsageError(f"fallback_quantization_range must not begin above 0, as at {fallback_range[0]}")


def _check_range(what: str, bounds: Range, mode: str) -> None:
    if mode != "eightbit":
        raise UsageError(f"{what} goes with mode eightbit only, not with {mode}")
    low, high = bounds
    if not (math.isfinite(low) and math.isfinite(high) and np.float32(low) < np.float32(high)):
        raise UsageError(f"{what}: {low} is not below {high}")


def _replace_constants(graph: Graph, context: Context, replace: Callable[[Node], list[Node]]) -> None:
    """Let `replace` change every float constant that is needed; it gives the new nodes that belong before it."""
    extract_sub_graph(graph, sorted(context.output_nodes))
    places = {}
    for node in graph:
        if node.op == "Const" and const_value(node).dtype is FLOAT:
            try:
                places[node] = replace(node)
            except Skip as skip:
                context.skip(node.name, str(skip))
    put_before(graph, places)
    extract_sub_graph(graph, sorted(context.output_nodes))  # what the old constants waited for


def _weights(graph: Graph, context: Context) -> None:
    _replace_constants(graph, context, lambda node: quantize_const(graph, node, min_first=False))


def _weights_rounded(graph: Graph, context: Context, bitdepth: int) -> None:
    def round_to_buckets(node: Node) -> list[Node]:
        to_middle = bucket_rounder(*usable_range(node), 2**bitdepth)
        set_const(node, const_value(node).mapped(to_middle), frame_controls(node))
        return []

    _replace_constants(graph, context, round_to_buckets)


def _round(graph: Graph, context: Context, bitdepth: int) -> None:
    context.note(
        "mode round puts in the op RoundToSteps, which no TensorFlow has: the result cannot be run; "
        "mode weights_rounded rounds the weights instead, and its result runs everywhere"
    )
    order: list[Node] = []
    for node in depth_first(graph[name] for name in context.outputs):
        if node.op and any(node.op in op for op in _ROUNDED_OPS):  # so Add and Mul count as well, as they always did
            order += _round_behind(graph, node, 2**bitdepth)
        order.append(node)
    graph.erase(set(graph).difference(order))
    graph.reorder(order)


def _round_behind(graph: Graph, node: Node, levels: int) -> list[Node]:
    original = graph.add(
        graph.unique_name(f"{node.name}_original"),
        node.op,
        node.inputs,
        node.attrs.copy(),
        controls=node.controls,
        device=node.device,
    )
    name, tensor = graph.unique_name(f"{node.name}_round_depth"), ArrayTensor(np.array(levels, np.int32))
    depth = graph.add(name, "Const", attrs={"dtype": INT32, "value": tensor})
    node.become("RoundToSteps", [original.output(), depth.output()])
    return [original, depth]
