"""Rewrite float ops into eight-bit ones: what quantize_graph does in mode eightbit.

Before::  x ─► Conv2D(w) ─► Relu ─► y
After::   x ─► Min, Max ─► QuantizeV2 ─► QuantizedConv2D(w: codes and range) ─► Requantize ─► QuantizedRelu
  ─► Dequantize ─► y

Each value between two such ops is a triple: codes, and the lowest and highest number that they stand for.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple

import numpy as np

from pbslim.analysis.constants import const_value
from pbslim.analysis.frames import in_loops
from pbslim.analysis.static_shapes import StaticShapes
from pbslim.dtypes import FLOAT, INT32, QINT32, QUINT8
from pbslim.ir import ArrayTensor, AttrValue, Graph, Node, Use, Value
from pbslim.ir.extraction import extract_sub_graph
from pbslim.ir.order import depth_first
from pbslim.legacy.subgraphs import remove_training_nodes
from pbslim.ops.families import PLACEHOLDERS
from pbslim.passes.registry import Context
from pbslim.quant.affine import is_too_narrow, op_quantizer, zero_range
from pbslim.rewrite import Skip
from pbslim.transforms.quantization.conversion import finds_range
from pbslim.transforms.quantization.eight_bit_ops import EIGHT_BIT_OPS, EightBitOp, eight_bit_attrs
from pbslim.transforms.quantization.nodes import add_requantize, add_scalar, quantized, scalar_const
from pbslim.transforms.quantization.weights import set_dequantize, usable_range
from pbslim.wire import input_text

Range = tuple[float, float]


class _Triple(NamedTuple):
    codes: Value
    low: Value
    high: Value


_BATCH_NORM = EightBitOp(("Tinput",), "out_type", ("scale_after_normalization", "variance_epsilon"))
_FORMS = {
    **{op: form for op, form in EIGHT_BIT_OPS.items() if op not in ("Add", "Mul", "ResizeBilinear")},
    "BatchNormWithGlobalNormalization": _BATCH_NORM,
}
_SUFFIXES = {
    "BatchNormWithGlobalNormalization": "_batch_norm",
    "BiasAdd": "_bias_add",
    "Concat": "_concat",
    "Conv2D": "_conv",
    "MatMul": "_mat_mul",
    "Reshape": "_reshape",
}
_CODES: dict[str, AttrValue] = {"T": QUINT8, "mode": b"MIN_FIRST"}
_REDUCTION: dict[str, AttrValue] = {"T": FLOAT, "keep_dims": False}
_NEARLY_ZERO = np.float32(1e-6)
_FAKE_QUANT = "FakeQuantWithMinMaxVars"
# Ops whose last two inputs are the range of the result.
_PASS_RANGE = frozenset(
    {"Requantize", "QuantizedReshape", "QuantizedRelu", "QuantizedRelu6", "QuantizedMaxPool", "QuantizedAvgPool"}
)


def quantize_const(graph: Graph, node: Node, *, min_first: bool, hold_zero: bool = False) -> list[Node]:
    """Turn a float Const into a Dequantize of codes; gives the three new constants that it reads.

    Args:
        min_first: the mode of the Dequantize, MIN_FIRST or MIN_COMBINED.
        hold_zero: the range must hold zero. Otherwise that of one repeated negative value may end at half of it, as
            in the reference tool.

    Raises:
        Skip: it has no range that codes could stand for.
        TransformError: it cannot be read.
    """
    low, high = usable_range(node)
    bounds = zero_range(low, high)
    if low == high and low <= -_NEARLY_ZERO and not hold_zero:
        bounds = (low, low / 2)
    codes = const_value(node).mapped(op_quantizer(*bounds, min_first=min_first), QUINT8)
    mode = b"MIN_FIRST" if min_first else b"MIN_COMBINED"
    return set_dequantize(graph, node, codes, bounds, mode, ("_quint8_const", "_min", "_max"))


def to_eight_bits(
    graph: Graph, context: Context, *, strip: bool, input_range: Range | None, fallback_range: Range | None
) -> None:
    """Rewrite every op that has an eight-bit form and that an output of `context` needs; the rest goes.

    Args:
        strip: read the codes after a Dequantize rather than quantize what it gives.
        input_range: float placeholders take codes that stand for this range.
        fallback_range: the range of every 32-bit result; found when the graph runs if None.

    Raises:
        TransformError: a Const cannot be read.
    """
    remove_training_nodes(graph, context.output_nodes)
    needed = depth_first(graph[name] for name in context.outputs)
    graph.erase(node for node in graph if node not in needed)
    rewriter = _Rewriter(graph, context, strip, input_range, fallback_range)
    for node in needed:
        rewriter.look_at(node)
    for node, use in needed.items():
        rewriter.visit(node, use)
    order = [*rewriter.order, *rewriter.constants]
    graph.erase(set(graph).difference(order))
    graph.reorder(order)
    if strip:
        extract_sub_graph(graph, sorted(rewriter.wanted))


class _Rewriter:
    """One run over a graph.

    Attributes:
        order: the nodes of the result so far.
        constants: those that belong after all others.
        wanted: the names of outputs, and of the floats after one that is given as codes.
    """

    def __init__(
        self, graph: Graph, context: Context, strip: bool, input_range: Range | None, fallback_range: Range | None
    ) -> None:
        self._graph, self._context, self._strip = graph, context, strip
        self._shapes, self._inside = StaticShapes(graph), in_loops(graph)
        self._attrs: dict[Node, dict[str, AttrValue]] = {}
        self._spelled: dict[Node, list[str]] = {}
        self._merged: set[Node] = set()
        self._fallback = fallback_range
        self.order: list[Node] = []
        self.constants: list[Node] = []
        self.wanted = set(context.output_nodes)
        self._input_bounds = self._range_constants("quantized_input", input_range)
        self._fallback_bounds = self._range_constants("fallback_quantization", fallback_range)

    def _range_constants(self, prefix: str, bounds: Range | None) -> list[Value]:
        ends = zip(("min", "max"), bounds or (), strict=False)
        made = [add_scalar(self._graph, f"{prefix}_{suffix}_value", bound) for suffix, bound in ends]
        self.constants += made
        return [node.output() for node in made]

    def look_at(self, node: Node) -> None:
        """See whether `node` has an eight-bit form; where it only might have, the reason why not is reported."""
        dtype = node.dtype_attr("T")
        if node.op not in _FORMS or dtype is None or not dtype.is_floating or finds_range(node):
            return
        try:
            self._attrs[node] = eight_bit_attrs(node, _FORMS[node.op], self._shapes)
        except Skip as skip:
            self._context.skip(node.name, str(skip))
        else:  # the inputs give names to nodes, even if they are renamed until then
            self._spelled[node] = [input_text(node, slot) for slot in range(len(node.inputs))]

    def visit(self, node: Node, use: Use | None) -> None:
        """Rewrite `node`, which was first visited by `use`, after all that it reads."""
        if node in self._attrs:
            self._rewrite(node)
        elif node.op == "Const" and use and use.node in self._attrs and use.slot != _FORMS[use.node.op].plain:
            # The first operand is what kernels pad and clip with zero.
            self.order += [*quantize_const(self._graph, node, min_first=True, hold_zero=not use.slot), node]
        elif self._input_bounds and node.op in PLACEHOLDERS:
            self._take_codes(node)
        elif node not in self._merged:
            self.order.append(node)

    def _take_codes(self, node: Node) -> None:
        self.order.append(node)
        if (dtype := node.dtype_attr("dtype")) is not FLOAT:
            self._context.skip(node.name, f"its type is {dtype}, only float can be given as codes")
            return
        readers = node.output().uses
        node.set_attr("dtype", QUINT8)
        floats = self._add(f"{node.name}_dequantize", "Dequantize", [node.output(), *self._input_bounds], _CODES)
        for use in readers:
            use.node.set_input(use.slot, floats.output())
        if node.name in self.wanted:
            self.wanted.add(floats.name)

    def _rewrite(self, node: Node) -> None:
        prefix, form = f"{node.name}_eightbit", _FORMS[node.op]
        operands = self._operands(node, prefix)
        codes = [value if slot == form.plain else operands[value].codes for slot, value in enumerate(node.inputs)]
        ranges = [operands[value][1:] for slot, value in enumerate(node.inputs) if slot != form.plain]
        bounds = [bound for pair in (zip(*ranges, strict=True) if form.grouped else ranges) for bound in pair]
        inputs = [part for value in node.inputs for part in operands[value]] if form is _BATCH_NORM else codes + bounds
        name = f"{prefix}_quantized{_SUFFIXES.get(node.op, '')}"
        made = self._add(name, f"Quantized{node.op}", inputs, self._attrs[node], node.controls)
        fake_quant = self._fake_quant_behind(node)
        if form.sums:
            low, high = fake_quant.inputs[1:] if fake_quant else self._result_range(made, prefix, node in self._inside)
            made = add_requantize(self._graph, f"{prefix}_requantize", made, low, high)
            self.order.append(made)
        result = quantized(made)
        if fake_quant and not form.sums:
            known = [_constant(value) for value in (*result[1:], *fake_quant.inputs[1:])]
            if None not in known and known[:2] == known[2:]:
                result[1:] = fake_quant.inputs[1:]
            else:
                self._context.skip(fake_quant.name, f"its range is not known to be that of '{node.name}' before it")
                fake_quant = None
        last = fake_quant or node
        last.become("Dequantize", result, _CODES, controls=last.controls if fake_quant else ())
        self._merged.add(last)
        self.order.append(last)

    def _result_range(self, wide: Node, prefix: str, in_loop: bool) -> list[Value]:
        """Lowest and highest number among 32-bit results."""
        if not self._fallback:
            found = self._add(f"{prefix}_requant_range", "RequantizationRange", quantized(wide), {"Tinput": QINT32})
            return [found.output(0), found.output(1)]
        if not in_loop:
            return self._fallback_bounds
        ends = zip(("min", "max"), self._fallback, strict=True)
        made = [add_scalar(self._graph, f"{prefix}_fallback_{suffix}", bound, [wide]) for suffix, bound in ends]
        self.order += made
        return [node.output() for node in made]

    def _operands(self, node: Node, prefix: str) -> dict[Value, _Triple]:
        """The operands of `node` in eight bits; what is read twice is quantized once."""
        found: dict[Value, _Triple] = {}
        dims: list[Value] = []
        for slot, value in enumerate(node.inputs):
            if value in found or slot == _FORMS[node.op].plain:
                continue
            if self._strip and _gives_codes(value.node):
                found[value] = _Triple(*value.node.inputs)
                continue
            if not dims:
                frame = [value.node] if node in self._inside else []  # a constant has none of its own
                dims = [
                    self._int_constant(f"{prefix}_reshape_dims", -1, frame),
                    self._int_constant(f"{prefix}_reduction_dims", 0, frame),
                ]
            text = self._spelled[node][slot].replace(":", "__port__")
            flat = self._add(f"{prefix}_reshape_{text}", "Reshape", [value, dims[0]], {"T": FLOAT}).output()
            low = self._add(f"{prefix}_min_{text}", "Min", [flat, dims[1]], _REDUCTION).output()
            high = self._add(f"{prefix}_max_{text}", "Max", [flat, dims[1]], _REDUCTION).output()
            made = self._add(f"{prefix}_quantize_{text}", "QuantizeV2", [value, low, high], _CODES)
            found[value] = _Triple(*quantized(made))
        return found

    def _fake_quant_behind(self, node: Node) -> Node | None:
        """The FakeQuant that can take the place of the Dequantize after `node`."""
        uses = node.output().uses
        reader = uses[0].node if uses else node
        if reader.op != _FAKE_QUANT or uses[0].slot:
            return None
        if len(uses) > 1 or node.control_readers or node.name in self._context.output_nodes:
            self._context.skip(reader.name, f"'{node.name}' before it is read elsewhere or an output")
            return None
        if reader.attr("num_bits", int) != 8 or reader.attr("narrow_range", bool):
            self._context.skip(reader.name, "it has other levels than 0 to 255")
            return None
        bounds = [_constant(value) for value in reader.inputs[1:]]
        low, high = bounds if len(bounds) == 2 else (None, None)
        if low is None or high is None or not low <= 0 <= high or low == high:
            self._context.skip(reader.name, "its range is not constant or does not hold zero")
            return None
        if is_too_narrow(low, high):
            self._context.skip(reader.name, "its range is too narrow for codes")
            return None
        return reader

    def _int_constant(self, name: str, value: int, controls: Iterable[Node]) -> Value:
        tensor = ArrayTensor(np.array([value], np.int32))
        return self._add(name, "Const", [], {"dtype": INT32, "value": tensor}, controls).output()

    def _add(
        self,
        name: str,
        op: str,
        inputs: Iterable[Value],
        attrs: Mapping[str, AttrValue],
        controls: Iterable[Node] = (),
    ) -> Node:
        node = self._graph.add(self._graph.unique_name(name), op, inputs, attrs, controls=controls)
        self.order.append(node)
        return node


def _gives_codes(node: Node) -> bool:
    """Whether `node` is a Dequantize of codes 0 to 255 with one range."""
    return (
        node.op == "Dequantize"
        and len(node.inputs) == len(_Triple._fields)
        and node.dtype_attr("T") is QUINT8
        and node.dtype_attr("dtype") is FLOAT
        and node.attr("mode", bytes) in (b"MIN_COMBINED", b"MIN_FIRST")
        and node.attr("axis", int) == -1
    )


def _constant(bound: Value) -> float | None:
    """The end of a range, if it is known."""
    while bound.node.op in _PASS_RANGE and bound.port and len(bound.node.inputs) >= len(_Triple._fields):
        bound = bound.node.inputs[bound.port - len(_Triple._fields)]
    try:
        return scalar_const(bound.node)
    except Skip:
        return None
