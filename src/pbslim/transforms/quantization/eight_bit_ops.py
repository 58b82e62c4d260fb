"""Which float ops have an eight-bit form, what it takes over from them, and what it cannot do."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from pbslim import ops
from pbslim.analysis.constants import const_value
from pbslim.analysis.static_shapes import StaticShapes
from pbslim.dtypes import FLOAT, QINT32, QUINT8, DType, Shape
from pbslim.errors import PbslimError
from pbslim.ir import AttrValue, Node
from pbslim.ops.attributes import required
from pbslim.rewrite import Skip
from pbslim.transforms.quantization.weights import usable_range

_NO_MATTER = frozenset({"use_cudnn_on_gpu"})


@dataclass(frozen=True)
class EightBitOp:
    """The eight-bit form of an op; its name is the op's with ``Quantized`` before it.

    Attributes:
        codes: attributes that hold the type of its operands, always quint8.
        sums: the attribute that holds the type of its result where that is qint32; quint8 elsewhere.
        copied: attributes that are taken over as they are.
        plain: the operand that is not quantized.
        grouped: whether all lowest values come before all highest ones, and not pair by pair.
    """

    codes: tuple[str, ...] = ("T",)
    sums: str = ""
    copied: tuple[str, ...] = ()
    plain: int | None = None
    grouped: bool = False


_WINDOW = ("ksize", "strides", "padding")

EIGHT_BIT_OPS = {
    "Add": EightBitOp(("T1", "T2"), "Toutput"),
    "AvgPool": EightBitOp(copied=_WINDOW),
    "BiasAdd": EightBitOp(("T1", "T2"), "out_type"),
    "Concat": EightBitOp(copied=("N",), plain=0, grouped=True),
    "Conv2D": EightBitOp(("Tinput", "Tfilter"), "out_type", ("strides", "padding")),
    "MatMul": EightBitOp(("T1", "T2"), "Toutput", ("transpose_a", "transpose_b")),
    "MaxPool": EightBitOp(copied=_WINDOW),
    "Mul": EightBitOp(("T1", "T2"), "Toutput"),
    "Relu": EightBitOp(("Tinput",)),
    "Relu6": EightBitOp(("Tinput",)),
    "Reshape": EightBitOp(plain=1),
    "ResizeBilinear": EightBitOp(copied=("align_corners",), plain=1),
}
"""Float op → what its eight-bit form is like."""


def eight_bit_attrs(node: Node, form: EightBitOp, shapes: StaticShapes) -> dict[str, AttrValue]:
    """The attributes of the eight-bit `form` of `node`.

    Raises:
        Skip: the eight-bit form cannot do what `node` does.
    """
    _check_types(node, form)
    attrs: dict[str, AttrValue] = dict.fromkeys(form.codes, QUINT8)
    if form.sums:
        attrs[form.sums] = QINT32
    attrs.update(_kept_attrs(node, form))
    for slot, value in enumerate(node.inputs):
        if slot != form.plain:
            _check_operand(value.node, shapes.of(value))
    if node.op in _LIMITS:
        _LIMITS[node.op](node, shapes)
    return attrs


def _check_types(node: Node, form: EightBitOp) -> None:
    inputs, outputs = ops.input_dtypes(node.op, node.attrs), ops.output_dtypes(node.op, node.attrs)
    if inputs is None or outputs is None or len(inputs) != len(node.inputs):
        raise Skip(f"its attributes or inputs are not those of a {node.op}")
    for dtype in (*(t for slot, t in enumerate(inputs) if slot != form.plain), *outputs):
        if dtype is not FLOAT:
            raise Skip(f"it works on {dtype}, only float is quantized")


def _kept_attrs(node: Node, form: EightBitOp) -> Mapping[str, AttrValue]:
    known = _definitions(f"Quantized{node.op}")
    kept: dict[str, AttrValue] = {}
    for name, attr in _definitions(node.op).items():
        try:
            value = required(node.op, node.attrs, name, object)
        except LookupError:
            raise Skip(f"it has no '{name}'") from None
        if isinstance(value, DType) and attr.default is ops.MISSING:
            continue  # the type of its operands
        usual = name not in node.attrs or value == attr.default
        if name not in form.copied and (usual or name in _NO_MATTER):
            continue
        if name not in known or (known[name].allowed and value not in known[name].allowed):
            raise Skip(f"its {name} is {_shown(value)}, which Quantized{node.op} does not support")
        if name in node.attrs:
            kept[name] = node.attrs[name]
    return kept


def _definitions(op: str) -> Mapping[str, ops.AttrDef]:
    definition = ops.find(op)
    return definition.attrs if definition else {}


def _shown(value: object) -> str:
    if isinstance(value, bytes):
        return value.decode(errors="replace")
    return str(list(value) if isinstance(value, tuple) else value)


def _check_operand(node: Node, shape: Shape) -> None:
    if shape.size == 0:
        raise Skip(f"'{node.name}' is empty, so it has no range")
    if node.op != "Const":
        return
    try:
        usable_range(node)
    except (PbslimError, Skip) as problem:
        raise Skip(f"'{node.name}': {problem}") from None


def _check_conv(node: Node, shapes: StaticShapes) -> None:
    strides, dilations = (node.attr(name, tuple, ()) for name in ("strides", "dilations"))
    if len(strides) != 4 or strides[1] != strides[2]:
        raise Skip(f"its strides are {_shown(strides)}, QuantizedConv2D knows equal ones only")
    if dilations != (1, 1, 1, 1):
        raise Skip(f"its dilations are {_shown(dilations)}, QuantizedConv2D supports 1 only")
    x, weights = (shapes.of(value).dims for value in node.inputs)
    if x and weights and len(weights) == 4 and x[-1] >= 0 and 0 <= weights[2] != x[-1]:
        raise Skip(
            f"its weights are for groups of {weights[2]} channels of {x[-1]}, QuantizedConv2D does not support groups"
        )


def _check_concat(node: Node, _shapes: StaticShapes) -> None:
    axis = node.inputs[0].node
    if axis.op != "Const":
        return
    try:
        values = const_value(axis).numpy()
    except PbslimError as error:
        raise Skip(str(error)) from None
    if (values < 0).any():
        raise Skip(f"its axis is {values.item()}, QuantizedConcat does not support a negative one")


def _check_broadcast(node: Node, shapes: StaticShapes) -> None:
    a, b = (shapes.of(value).dims for value in node.inputs)
    if a is None or b is None:
        return
    rank = max(len(a), len(b))
    a, b = ((1,) * (rank - len(dims)) + dims for dims in (a, b))
    if not _may_repeat(a, b) and not _may_repeat(b, a):
        raise Skip(f"Quantized{node.op} cannot broadcast {Shape(a)} with {Shape(b)}: it repeats whole blocks only")


def _may_repeat(block: tuple[int, ...], dims: tuple[int, ...]) -> bool:
    """Whether `dims` may be the shape of `block` repeated as a whole (-1 may be any number)."""
    outer = 0
    while outer < len(block) and block[outer] in (1, -1):
        outer += 1
    fits = [d == e or -1 in (d, e) for d, e in zip(block, dims, strict=True)]
    return any(all(fits[start:]) for start in range(outer + 1))


_LIMITS: dict[str, Callable[[Node, StaticShapes], None]] = {
    "Add": _check_broadcast,
    "Concat": _check_concat,
    "Conv2D": _check_conv,
    "Mul": _check_broadcast,
}
