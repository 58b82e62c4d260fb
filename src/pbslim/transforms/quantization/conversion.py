"""Eight-bit ops in place of float ones, each on its own.

Before::  x ─► Op ─► y
After::   x ─► QuantizeV2(Min(x), Max(x)) ─► QuantizedOp ─► Requantize(range) ─► Dequantize ─► y
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from pbslim.analysis.frames import in_loops
from pbslim.analysis.static_shapes import StaticShapes
from pbslim.dtypes import FLOAT, INT32, QINT32, QUINT8
from pbslim.ir import ArrayTensor, AttrValue, Graph, Node, Value
from pbslim.passes.registry import Context
from pbslim.rewrite import Skip
from pbslim.rewrite.replacing import put_before
from pbslim.transforms.quantization.eight_bit_ops import EIGHT_BIT_OPS, eight_bit_attrs
from pbslim.transforms.quantization.nodes import Range, add_requantize, add_scalar, become_dequantize, quantized


def convert_ops(graph: Graph, context: Context, ignored: Sequence[str], fallback: Range | None) -> None:
    """Convert every op that has an eight-bit form which can do the same.

    Args:
        ignored: op types that stay.
        fallback: the range of all 32-bit results, in place of the one that is found when the graph runs.
    """
    shapes, inside = StaticShapes(graph), in_loops(graph)
    suitable: dict[Node, dict[str, AttrValue]] = {}
    for node in graph:
        if node.op not in EIGHT_BIT_OPS or node.op in ignored or finds_range(node):
            continue
        try:
            suitable[node] = eight_bit_attrs(node, EIGHT_BIT_OPS[node.op], shapes)
        except Skip as skip:
            context.skip(node.name, str(skip))
    made = {node: _convert(graph, node, attrs, fallback, node in inside) for node, attrs in suitable.items()}
    put_before(graph, made)


def finds_range(node: Node) -> bool:
    """Whether `node` is a Reshape that an earlier run put before Min and Max."""
    return (
        node.op == "Reshape"
        and bool(node.readers)
        and all(
            reader.op in ("Min", "Max") and reader.readers and all(r.op == "QuantizeV2" for r in reader.readers)
            for reader in node.readers
        )
    )


def _convert(
    graph: Graph, node: Node, attrs: dict[str, AttrValue], fallback: Range | None, in_loop: bool
) -> list[Node]:
    """Turn `node` into the Dequantize after its eight-bit form; gives what now stands before it."""
    form = EIGHT_BIT_OPS[node.op]
    made: list[Node] = []
    parts: dict[Value, list[Value]] = {}
    for slot, value in enumerate(node.inputs):
        if slot != form.plain and value not in parts:
            chain = _quantization(graph, f"{node.name}_eightbit/{_tensor_name(value)}", value)
            parts[value] = quantized(chain[-1])
            made += chain
    codes = [value if slot == form.plain else parts[value][0] for slot, value in enumerate(node.inputs)]
    ranges = [parts[value][1:] for slot, value in enumerate(node.inputs) if slot != form.plain]
    bounds = [b for pair in (zip(*ranges, strict=True) if form.grouped else ranges) for b in pair]
    name, op = graph.unique_name(f"{node.name}/eightbit"), f"Quantized{node.op}"
    result = graph.add(name, op, [*codes, *bounds], attrs, controls=node.controls)
    made.append(result)
    if form.sums:
        low, high, sources = _result_range(graph, result, fallback, in_loop)
        result = add_requantize(graph, f"{name}/requantize", result, low, high)
        made += [*sources, result]
    become_dequantize(node, quantized(result))
    return made


def _tensor_name(value: Value) -> str:
    return f"{value.node.name}__port__{value.port}" if value.port else value.node.name


def _quantization(graph: Graph, prefix: str, value: Value) -> list[Node]:
    """Nodes that quantize `value` to the range of its elements, the QuantizeV2 last."""

    def add(name: str, op: str, inputs: Sequence[Value], attrs: dict[str, AttrValue]) -> Node:
        return graph.add(graph.unique_name(f"{prefix}/{name}"), op, inputs, attrs)

    def add_vector(name: str, number: int) -> Node:
        node = add(name, "Const", [], {"dtype": INT32, "value": ArrayTensor(np.array([number], np.int32))})
        node.set_controls([value.node])  # a constant has no frame of its own
        return node

    reduction: dict[str, AttrValue] = {"T": FLOAT, "keep_dims": False}
    dims, axis = add_vector("reshape_dims", -1), add_vector("reduction_dims", 0)
    flat = add("reshape", "Reshape", [value, dims.output()], {"T": FLOAT})
    low = add("min", "Min", [flat.output(), axis.output()], reduction)
    high = add("max", "Max", [flat.output(), axis.output()], reduction)
    codes = add("quantize", "QuantizeV2", [value, low.output(), high.output()], {"T": QUINT8, "mode": b"MIN_FIRST"})
    return [dims, axis, flat, low, high, codes]


def _result_range(graph: Graph, wide: Node, fallback: Range | None, in_loop: bool) -> tuple[Value, Value, list[Node]]:
    """Lowest and highest real number among the 32-bit results, and the nodes that give them."""
    if fallback is None:
        name = graph.unique_name(f"{wide.name}/requant_range")
        found = graph.add(name, "RequantizationRange", quantized(wide), {"Tinput": QINT32})
        return found.output(0), found.output(1), [found]
    controls = [wide] if in_loop else []
    low = add_scalar(graph, f"{wide.name}/fallback_min", fallback.low, controls)
    high = add_scalar(graph, f"{wide.name}/fallback_max", fallback.high, controls)
    return low.output(), high.output(), [low, high]
