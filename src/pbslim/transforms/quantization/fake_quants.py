"""Ranges that were learned in training, as FakeQuantWithMinMaxVars holds them.

Before::  x ─► BiasAdd ─► Relu ─► FakeQuant(min, max) ─► y
After::   x ─► BiasAdd ─► QuantizeV2(min, max) ─► Requantize(min, max) ─► Dequantize ─► Relu ─► y
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from pbslim.dtypes import QINT32
from pbslim.ir import Graph, Node
from pbslim.passes.registry import Context
from pbslim.quant.affine import is_too_narrow
from pbslim.rewrite import Match, Pattern, Skip, anything, const, op, rewrite
from pbslim.rewrite.inner import must_be_inner
from pbslim.transforms.quantization.nodes import add_requantize, become_dequantize, quantized, scalar_const

_FAKE_QUANT = "FakeQuantWithMinMaxVars"
_FARTHEST = 3
# Ops that only choose, move or clip values (AvgPool stays within their range): it makes no difference whether values
# are brought to the levels of a range, of which zero is one, before or after.
_PASSES = "|".join(
    (
        *("Relu", "Relu6", "MaxPool", "MaxPool3D", "AvgPool", "AvgPool3D"),
        *("Squeeze", "SpaceToDepth", "DepthToSpace"),
        *("Identity", "Snapshot", "StopGradient", "PreventGradient", "CheckNumerics"),
    )
)


def hoist_fake_quants(graph: Graph, context: Context) -> None:
    """Move each fake quantization up to the op whose results it is for, so that the two can become one.

    The steps between must have no other reader. The first of them takes over the name.
    """
    for distance in range(_FARTHEST, 0, -1):
        report = rewrite(graph, _behind(distance), partial(_hoist, graph, context, distance))
    context.merge(report)  # one that does not get far may still get one step far, so only the last walk counts


def _behind(distance: int) -> Pattern:
    chain = anything()
    for step in range(distance, 0, -1):
        chain = op(_PASSES, chain, name=f"step {step}")
    return op(_FAKE_QUANT, chain, const("min"), const("max"), name="fake quant")


def _hoist(graph: Graph, context: Context, distance: int, match: Match) -> Sequence[Node]:
    fake_quant = match["fake quant"]
    steps = [match[f"step {step}"] for step in range(1, distance + 1)]
    must_be_inner(match, steps, context.input_nodes, context.output_nodes)
    last, first = steps[0], steps[-1]
    source = first.inputs[0]
    name = graph.unique_name(f"{fake_quant.name}_hoisted")
    inputs = [source, *fake_quant.inputs[1:]]
    hoisted = graph.add(name, _FAKE_QUANT, inputs, fake_quant.attrs, device=fake_quant.device)
    first.set_input(0, hoisted.output())
    # What the fake quantization waited for may come after its new place, so its old place waits for that.
    controls = [*last.controls, *fake_quant.controls]
    fake_quant.become(last.op, last.inputs, last.attrs, controls=controls, device=last.device)
    return [hoisted, match["min"], match["max"], fake_quant, *steps[1:], source.node]


_PATTERN = op(_FAKE_QUANT, anything("x"), const("min"), const("max"))


def convert_fake_quants(graph: Graph, context: Context) -> None:
    """Put a quantization to the same range, and back, in place of each fake one; it has 8 bits whatever that had."""

    def convert(match: Match) -> Sequence[Node]:
        node, low, high = match.root, match["min"], match["max"]
        bounds = scalar_const(low), scalar_const(high)
        if not bounds[0] <= 0 <= bounds[1]:
            raise Skip(f"its range from {bounds[0]:g} to {bounds[1]:g} does not hold zero, as Requantize demands")
        if is_too_narrow(*bounds):
            raise Skip(f"its range from {bounds[0]:g} to {bounds[1]:g} is too narrow for codes")
        quantize = graph.add(
            graph.unique_name(f"{node.name}_eightbit/quantize"),
            "QuantizeV2",
            node.inputs,
            {"T": QINT32, "mode": b"MIN_FIRST"},
            controls=node.controls,
        )
        requantize = add_requantize(graph, f"{node.name}_eightbit/requantize", quantize, low.output(), high.output())
        become_dequantize(node, quantized(requantize))
        return [match["x"], low, high, quantize, requantize, node]

    report = rewrite(graph, _PATTERN, convert)
    context.merge(report)
    seen = {skipped.node for skipped in report.skipped}
    for node in graph:
        if node.op == _FAKE_QUANT and node.name not in seen:
            context.skip(node.name, _why_unmatched(node))


def _why_unmatched(node: Node) -> str:
    if all(value.node.op == "Const" for value in node.inputs[1:]):
        return "it shares its input or range with another one; run quantize_nodes again to convert it"
    return "its range is not constant; run fold_constants or remove_nodes(op=Identity) before"
