"""What is left to do where two conversions meet.

Before::  QuantizedConv2D ─► Requantize ─► Dequantize ─► QuantizeV2 ─► QuantizedRelu
After::   QuantizedConv2D ─► Requantize ─► QuantizedRelu
"""

from __future__ import annotations

from collections.abc import Sequence

from pbslim.analysis.constants import const_value
from pbslim.analysis.equality import same_tensor
from pbslim.dtypes import DType
from pbslim.errors import counted
from pbslim.ir import Graph, Node, Value
from pbslim.passes.registry import Context
from pbslim.rewrite import Match, Skip, anything, const, op, rewrite
from pbslim.rewrite.inner import must_be_inner
from pbslim.rewrite.pattern import match as match_at
from pbslim.transforms.quantization.nodes import quantized

_FIRST = op(
    "Requantize", anything(), anything(), anything(), op("RequantizationRange"), op("RequantizationRange"), name="first"
)
_FLOAT = op("Dequantize", _FIRST, op("Requantize"), op("Requantize"), name="float")
_AGAIN = op("QuantizeV2", _FLOAT, const(), const(), name="again")
_TWICE = op("Requantize", _AGAIN, op("QuantizeV2"), op("QuantizeV2"), const(), const(), name="last")


def merge_adjacent_requantizes(graph: Graph, context: Context) -> None:
    """Go from 32 to 8 bits at once where a given range (of a fake quantization) follows the one that is found."""

    def merge(match: Match) -> Sequence[Node]:
        first, between, again, last = (match[name] for name in ("first", "float", "again", "last"))
        low, high = last.inputs[3:]
        if (
            list(last.inputs[:3]) != quantized(again)
            or list(between.inputs) != quantized(first)
            or not all(map(_are_same, again.inputs[1:], (low, high)))
            or first.dtype_attr("Tinput") is not last.dtype_attr("Tinput")
        ):
            raise Skip("the two requantizations before it are not for the same tensor and range")
        dropped = list(dict.fromkeys([again, between, first, *(value.node for value in first.inputs[3:])]))
        must_be_inner(match, dropped, context.input_nodes, context.output_nodes)
        waits = [control for node in dropped for control in node.controls if control not in dropped]
        last.set_controls([*last.controls, *waits])
        wide, bounds = first.inputs[:3], [value.node for value in again.inputs[1:]]
        read = [node for node in bounds if node.readers != [again] or node.name in context.protected]
        last.set_inputs([*wide, low, high])
        return list(dict.fromkeys([*(value.node for value in wide), low.node, high.node, *read, last]))

    context.merge(rewrite(graph, _TWICE, merge))


def _are_same(a: Value, b: Value) -> bool:
    """Whether two constants are one, or have equal values."""
    return a == b or same_tensor(const_value(a.node), const_value(b.node))


_ROUND_TRIP = op("QuantizeV2", op("Dequantize", name="float"), op("Min", name="min"), op("Max", name="max"))


def remove_redundant_quantizations(graph: Graph, context: Context) -> None:
    """Read codes where they come from, not after a way to float and back.

    Where something else reads the float tensor, all nodes stay, as in the reference tool; the quantization among them
    has no reader any more.
    """
    dropped: list[Node] = []
    for node in graph:
        found = match_at(_ROUND_TRIP, node, set())
        if found is None or not node.readers:
            continue
        try:
            _check_round_trip(found, context)
        except Skip as skip:
            context.skip(node.name, str(skip))
            continue
        real = found["float"]
        for value in node.outputs:
            value.replace_all_uses_with(real.inputs[value.port])
        inside = {node, real, found["min"], found["max"]}
        if inside.issuperset(real.readers) and real.name not in context.protected:
            dropped += (n for n in inside if inside.issuperset(n.readers) and n.name not in context.protected)
    graph.erase(dropped)


def _check_round_trip(found: Match, context: Context) -> None:
    quantize, real = found.root, found["float"]
    if quantize.name in context.output_nodes:
        raise Skip("it is an output of the graph")
    for node in found:
        if node.name in context.input_nodes:
            raise Skip(f"'{node.name}' is an input of the graph")
    if quantize.control_readers:
        raise Skip(f"'{quantize.control_readers[0].name}' waits for it")
    kinds: dict[str, type] = {"T": DType, "axis": int}
    for key, kind in kinds.items():
        if quantize.attr(key, kind) != real.attr(key, kind):
            raise Skip(f"its {key} differs from that of '{real.name}'")
    if b"SCALED" in (quantize.attr("mode", bytes), real.attr("mode", bytes)):
        raise Skip("its codes, or those it comes from, are SCALED")
    if any(value.port >= len(real.inputs) for value in quantize.outputs):
        raise Skip(f"'{real.name}' has {counted(len(real.inputs), 'input')}, not 3")
    for bound in (found["min"], found["max"]):
        if not bound.inputs or _unshaped(bound.inputs[0]) is not quantize.inputs[0]:
            raise Skip(f"its range comes from another tensor by '{bound.name}'")


def _unshaped(value: Value) -> Value:
    while value.node.op == "Reshape" and value.node.inputs:
        value = value.node.inputs[0]
    return value
