"""Rewrite float ops into eight-bit ones: what quantize_graph does in mode eightbit.

Before::  x ─► Conv2D(w) ─► Relu ─► y
After::   x ─► Min, Max ─► QuantizeV2 ─► QuantizedConv2D(w: codes and range) ─► Requantize ─► QuantizedRelu
  ─► Dequantize ─► y

Each value between two such ops is a triple: codes, and the lowest and highest number that they stand for.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from pbslim import ops
from pbslim.dtypes import FLOAT, INT32, QINT32, QUINT8, DType
from pbslim.ir import ArrayTensor, AttrValue, Graph, Node, Use, Value
from pbslim.ir.order import depth_first
from pbslim.passes.registry import Context, node_name
from pbslim.quant.affine import op_quantizer, zero_range
from pbslim.rewrite import Skip
from pbslim.transforms.shared.loops import in_loops
from pbslim.transforms.shared.subgraphs import extract_sub_graph, remove_training_nodes
from pbslim.transforms.shared.weights import const_value, scalar, set_dequantize, usable_range
from pbslim.wire import input_text

Range = tuple[float, float]


class _Triple(NamedTuple):
    codes: Value
    low: Value
    high: Value

    @classmethod
    def of(cls, node: Node) -> _Triple:
        return cls(node.output(0), node.output(1), node.output(2))


Operands = Sequence[_Triple]
Arrange = Callable[[Operands, Sequence[Value]], list[Value]]


def _pairs(operands: Operands, plain: Sequence[Value]) -> list[Value]:
    return [*(o.codes for o in operands), *plain, *(bound for o in operands for bound in (o.low, o.high))]


def _columns(operands: Operands, plain: Sequence[Value]) -> list[Value]:
    return [*plain, *(o.codes for o in operands), *(o.low for o in operands), *(o.high for o in operands)]


def _rows(operands: Operands, _plain: Sequence[Value]) -> list[Value]:
    return [value for operand in operands for value in operand]


@dataclass(frozen=True)
class _Form:
    """How an op is written in eight bits.

    Attributes:
        op: the eight-bit op.
        suffix: what its name has behind the old one.
        types: its type attributes.
        copied: attributes that it takes over.
        plain: data inputs that are no numbers to be quantized.
        wide: whether its result has 32 bits and must be brought down to 8.
        arrange: the order of its inputs.
    """

    op: str
    suffix: str
    types: Mapping[str, DType]
    copied: tuple[str, ...] = ()
    plain: tuple[int, ...] = ()
    wide: bool = False
    arrange: Arrange = _pairs

    def slots(self, node: Node) -> list[int]:
        """The data inputs that are quantized."""
        return [slot for slot in range(len(node.inputs)) if slot not in self.plain]


_TWO = {"T1": QUINT8, "T2": QUINT8}
_INPUT = {"Tinput": QUINT8}
_POOL = ("ksize", "strides", "padding")
_BATCH_NORM = "BatchNormWithGlobalNormalization"
_FORMS = {
    "MatMul": _Form(
        "QuantizedMatMul",
        "_eightbit_quantized_mat_mul",
        {**_TWO, "Toutput": QINT32},
        copied=("transpose_a", "transpose_b"),
        wide=True,
    ),
    "Conv2D": _Form(
        "QuantizedConv2D",
        "_eightbit_quantized_conv",
        {**_INPUT, "Tfilter": QUINT8, "out_type": QINT32},
        copied=("strides", "padding"),
        wide=True,
    ),
    "BiasAdd": _Form("QuantizedBiasAdd", "_eightbit_quantized_bias_add", {**_TWO, "out_type": QINT32}, wide=True),
    _BATCH_NORM: _Form(
        f"Quantized{_BATCH_NORM}",
        "_eightbit_quantized_batch_norm",
        {**_INPUT, "out_type": QINT32},
        copied=("scale_after_normalization", "variance_epsilon"),
        wide=True,
        arrange=_rows,
    ),
    "MaxPool": _Form("QuantizedMaxPool", "_eightbit_quantized", {"T": QUINT8}, _POOL),
    "AvgPool": _Form("QuantizedAvgPool", "_eightbit_quantized", {"T": QUINT8}, _POOL),
    "Relu": _Form("QuantizedRelu", "_eightbit_quantized", _INPUT),
    "Relu6": _Form("QuantizedRelu6", "_eightbit_quantized", _INPUT),
    "Concat": _Form(
        "QuantizedConcat", "_eightbit_quantized_concat", {"T": QUINT8}, ("N",), plain=(0,), arrange=_columns
    ),
    "Reshape": _Form("QuantizedReshape", "_eightbit_quantized_reshape", {"T": QUINT8}, ("Tshape",), plain=(1,)),
}
_DEQUANTIZE: dict[str, AttrValue] = {"T": QUINT8, "mode": b"MIN_FIRST"}
_NEARLY_ZERO = np.float32(1e-6)
_FAKE_QUANT = "FakeQuantWithMinMaxVars"
_PLACEHOLDERS = frozenset({"Placeholder", "PlaceholderV2"})
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
        strip: read the codes behind a Dequantize rather than quantize what it gives.
        input_range: float placeholders take codes that stand for this range.
        fallback_range: the range of every 32-bit result; found when the graph runs if None.

    Raises:
        TransformError: a Const cannot be read.
    """
    remove_training_nodes(graph, context.output_nodes)
    met = depth_first(graph[node_name(name)] for name in context.outputs)
    graph.erase(node for node in graph if node not in met)
    rewriter = _Rewriter(graph, context, strip)
    if input_range:
        rewriter.input_range = _range_constants(graph, "quantized_input", input_range)
    if fallback_range:
        rewriter.fallback_range = _range_constants(graph, "fallback_quantization", fallback_range)
    fit = {node for node in met if rewriter.fits(node)}
    for node, use in met.items():
        rewriter.visit(node, use, fit)
    constants = [value.node for bounds in (rewriter.input_range, rewriter.fallback_range) for value in bounds or ()]
    order = [*rewriter.order, *constants]
    graph.erase(set(graph).difference(order))
    graph.reorder(order)
    if strip:
        extract_sub_graph(graph, sorted(context.output_nodes))


def _range_constants(graph: Graph, prefix: str, bounds: Range) -> tuple[Value, Value]:
    made = []
    for suffix, bound in zip(("min", "max"), bounds, strict=True):
        name = graph.unique_name(f"{prefix}_{suffix}_value")
        made.append(graph.add(name, "Const", attrs={"dtype": FLOAT, "value": scalar(bound)}).output())
    return made[0], made[1]


class _Rewriter:
    """One run over a graph.

    Attributes:
        order: the nodes of the result so far.
        input_range, fallback_range: constants that hold such a range, if there is one.
    """

    def __init__(self, graph: Graph, context: Context, strip: bool) -> None:
        self._graph, self._context, self._strip = graph, context, strip
        self._inside = in_loops(graph)
        self._merged: set[Node] = set()
        self.order: list[Node] = []
        self.input_range: tuple[Value, Value] | None = None
        self.fallback_range: tuple[Value, Value] | None = None

    def fits(self, node: Node) -> bool:
        """Whether `node` has an eight-bit form; where it only might have, the reason why not is told."""
        dtype = node.dtype_attr("T")
        if node.op not in _FORMS or dtype is None or not dtype.is_floating or _finds_range(node):
            return False
        try:
            self._require_form(node)
        except Skip as skip:
            self._context.skip(node.name, str(skip))
            return False
        return True

    def _require_form(self, node: Node) -> None:
        dtype, layout = node.dtype_attr("T"), node.attrs.get("data_format", b"NHWC")
        if dtype is not FLOAT:
            raise Skip(f"its type is {dtype}, only float has eight-bit ops")
        if layout != b"NHWC":
            raise Skip(f"its layout is {_text(layout)}, the eight-bit ops know NHWC only")
        if node.attrs.get("padding") == b"EXPLICIT":
            raise Skip("the eight-bit ops know no explicit padding")
        dilations = node.attrs.get("dilations")
        if isinstance(dilations, tuple) and any(step != 1 for step in dilations):
            raise Skip(f"{_FORMS[node.op].op} knows no dilations")
        strides = node.attrs.get("strides")
        if node.op == "Conv2D" and isinstance(strides, tuple) and len(set(strides[1:3])) > 1:
            raise Skip("its two strides differ")
        if len(node.inputs) != len(ops.input_dtypes(node.op, node.attrs) or ()):
            raise Skip("it has the wrong number of inputs")
        if node in self._inside:
            raise Skip("it is inside a loop")
        for slot in _FORMS[node.op].slots(node):
            source = node.inputs[slot].node
            if source.op == "Const":
                try:
                    usable_range(source)
                except Skip as skip:
                    raise Skip(f"'{source.name}': {skip}") from None

    def visit(self, node: Node, use: Use | None, fit: set[Node]) -> None:
        """Rewrite `node`, which was first met by `use`, after all that it reads."""
        if node in fit:
            self._rewrite(node)
        elif node.op == "Const" and use and use.node in fit and use.slot in _FORMS[use.node.op].slots(use.node):
            # The first operand is what kernels pad and clip with zero.
            self.order += [*quantize_const(self._graph, node, min_first=True, hold_zero=not use.slot), node]
        elif self.input_range and node.op in _PLACEHOLDERS:
            self._take_codes(node, self.input_range)
        elif node not in self._merged:
            self.order.append(node)

    def _take_codes(self, node: Node, bounds: tuple[Value, Value]) -> None:
        self.order.append(node)
        if (dtype := node.dtype_attr("dtype")) is not FLOAT:
            self._context.skip(node.name, f"its type is {dtype}, only float can be given as codes")
            return
        if node.name in self._context.output_nodes:
            self._context.skip(node.name, "it is an output of the graph")
            return
        readers = node.output().uses
        node.set_attr("dtype", QUINT8)
        floats = self._add(f"{node.name}_dequantize", "Dequantize", [node.output(), *bounds], _DEQUANTIZE)
        for use in readers:
            use.node.set_input(use.slot, floats.output())

    def _rewrite(self, node: Node) -> None:
        form, prefix = _FORMS[node.op], f"{node.name}_eightbit"
        operands = self._operands(node, prefix)
        plain = [node.inputs[slot] for slot in form.plain]
        types: dict[str, AttrValue] = {**form.types, **{k: node.attrs[k] for k in form.copied if k in node.attrs}}
        if types.get("Tshape") is INT32:  # its default
            del types["Tshape"]
        made = self._add(node.name + form.suffix, form.op, form.arrange(operands, plain), types, node.controls)
        result, fake_quant = _Triple.of(made), self._fake_quant_behind(node)
        if form.wide:
            bounds = fake_quant.inputs[1:] if fake_quant else self.fallback_range or self._found_range(result, prefix)
            narrow: dict[str, AttrValue] = {"Tinput": QINT32, "out_type": QUINT8}
            result = _Triple.of(self._add(f"{prefix}_requantize", "Requantize", [*result, *bounds], narrow))
        elif fake_quant:
            known = [_constant(value) for value in (result.low, result.high, *fake_quant.inputs[1:])]
            if None in known or known[:2] != known[2:]:
                self._context.skip(fake_quant.name, f"its range is not known to be that of '{node.name}' before it")
                fake_quant = None
            else:
                result = _Triple(result.codes, *fake_quant.inputs[1:])
        last = fake_quant or node
        last.become("Dequantize", result, _DEQUANTIZE, controls=last.controls if fake_quant else ())
        self._merged.add(last)
        self.order.append(last)

    def _found_range(self, wide: _Triple, prefix: str) -> tuple[Value, Value]:
        node = self._add(f"{prefix}_requant_range", "RequantizationRange", wide, {"Tinput": QINT32})
        return node.output(0), node.output(1)

    def _operands(self, node: Node, prefix: str) -> list[_Triple]:
        """The operands of `node` as codes; what is read twice is quantized once."""
        found: dict[Value, _Triple] = {}
        dims: list[Value] = []
        slots = _FORMS[node.op].slots(node)
        for slot in slots:
            value = node.inputs[slot]
            if value in found:
                continue
            if self._strip and _gives_codes(value.node):
                found[value] = _Triple(*value.node.inputs)
                continue
            if not dims:
                dims = [
                    self._int_constant(f"{prefix}_reshape_dims", -1),
                    self._int_constant(f"{prefix}_reduction_dims", 0),
                ]
            text = input_text(node, slot).replace(":", "__port__")
            flat = self._add(f"{prefix}_reshape_{text}", "Reshape", [value, dims[0]], {"T": FLOAT})
            bounds = [
                self._add(
                    f"{prefix}_{op.lower()}_{text}", op, [flat.output(), dims[1]], {"T": FLOAT, "keep_dims": False}
                )
                for op in ("Min", "Max")
            ]
            inputs = [value, *(bound.output() for bound in bounds)]
            found[value] = _Triple.of(self._add(f"{prefix}_quantize_{text}", "QuantizeV2", inputs, _DEQUANTIZE))
        return [found[node.inputs[slot]] for slot in slots]

    def _fake_quant_behind(self, node: Node) -> Node | None:
        """The FakeQuant that can take the place of the Dequantize behind `node`."""
        uses = node.output().uses
        reader = uses[0].node if uses else node
        if reader.op != _FAKE_QUANT or uses[0].slot:
            return None
        if len(uses) > 1 or node.control_readers or node.name in self._context.output_nodes:
            self._context.skip(reader.name, f"'{node.name}' before it is read elsewhere or an output")
            return None
        if reader.attrs.get("num_bits", 8) != 8 or reader.attrs.get("narrow_range"):
            self._context.skip(reader.name, "it has other levels than 0 to 255")
            return None
        low, high = (_constant(value) for value in reader.inputs[1:])
        if low is None or high is None or not low <= 0 <= high or low == high:
            self._context.skip(reader.name, "its range is not constant or does not hold zero")
            return None
        return reader

    def _int_constant(self, name: str, value: int) -> Value:
        tensor = ArrayTensor(np.array([value], np.int32))
        return self._add(name, "Const", [], {"dtype": INT32, "value": tensor}).output()

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


def _finds_range(node: Node) -> bool:
    """Whether `node` is a Reshape that an earlier run made."""
    readers = node.readers if node.op == "Reshape" else []
    bounds = [node for reader in readers for node in reader.readers]
    return all(r.op in ("Min", "Max") for r in readers) and {node.op for node in bounds} == {"QuantizeV2"}


def _gives_codes(node: Node) -> bool:
    """Whether `node` is a Dequantize of codes 0 to 255 with one range."""
    return (
        node.op == "Dequantize"
        and len(node.inputs) == len(_Triple._fields)
        and node.dtype_attr("T") is QUINT8
        and node.dtype_attr("dtype", FLOAT) is FLOAT
        and node.attrs.get("mode", b"MIN_COMBINED") in (b"MIN_COMBINED", b"MIN_FIRST")
        and node.attrs.get("axis", -1) == -1
    )


def _constant(bound: Value) -> float | None:
    """The end of a range, if it is known."""
    while bound.node.op in _PASS_RANGE and bound.port and len(bound.node.inputs) >= len(_Triple._fields):
        bound = bound.node.inputs[bound.port - len(_Triple._fields)]
    if bound.node.op != "Const" or (tensor := const_value(bound.node)).dtype is not FLOAT or tensor.size != 1:
        return None
    return float(tensor.numpy().reshape(()))


def _text(value: object) -> str:
    return value.decode(errors="replace") if isinstance(value, bytes) else str(value)
