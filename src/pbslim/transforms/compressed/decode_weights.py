"""Make plain floats of weights that are stored as codes, as half floats or compressed: the way back.

Before::  w = Dequantize(w_quantized_const: quint8, w_quantized_min, w_quantized_max)
          v = Mul(Cast(z/1: int8), z/3: one step per channel)
After::   w = Const(float)
          v = Const(float)
"""

from __future__ import annotations

from collections.abc import Iterator

from pbslim.analysis.constant_nodes import ConstantNodes, Constants, awaited
from pbslim.analysis.evaluation import CannotFold
from pbslim.dtypes import BOOL, FLOAT, STRING, DType
from pbslim.ir import ArrayTensor, AttrValue, Graph, Node, Tensor, Value
from pbslim.passes.registry import Context, transform
from pbslim.transforms.constants.ends import ends_of

_DECODING = frozenset({"DecodeRaw", "DecodeCompressed", "Dequantize", "Cast", "Bitcast"})
_ARRANGING = frozenset({"Concat", "ConcatV2", "Pack", "Reshape", "Slice", "Split", "SplitV", "Squeeze", "Transpose"})
_COMPUTING = frozenset({"Add", "AddV2", "Gather", "GatherV2", "Mul", "Sub"})
_PASSING = frozenset({"PlaceholderWithDefault"})  # what keeps codes small while a graph runs
_ALL = _DECODING | _ARRANGING | _COMPUTING | _PASSING
_LEAST = 256  # elements of a weight


@transform(effect="exact", in_functions=True)
def decode_weights(graph: Graph, context: Context) -> None:
    """Compute the float constants that are decoded from constants of one or two bytes, or from compressed ones.

    The names of the decoding nodes stay on the constants. Other transforms of weights then see them. Nothing changes
    where there is no decoded weight of two or more dimensions and 256 or more elements.
    """
    ends = ends_of(graph, context)
    nodes = ConstantNodes(graph, ends.fed, ends.roots)
    constant = nodes.find()
    evaluator, found = nodes.evaluator(), dict[Value, Tensor]()
    for value in _decoded(constant, nodes):
        try:
            tensor = evaluator.value(value)
        except CannotFold as problem:
            context.skip(value.node.name, str(problem))
            continue
        if tensor.dtype is FLOAT and value.node.name not in context.protected:
            found[value] = tensor
    if any(len(tensor.shape) > 1 and tensor.size >= _LEAST for tensor in found.values()):
        for value, tensor in found.items():
            _replace(graph, value, ArrayTensor(tensor.numpy()), awaited(value.node, constant))
        _drop_unread(graph, nodes, constant)
    evaluator.finish()


def _decoded(constant: Constants, nodes: ConstantNodes) -> Iterator[Value]:
    """The values at which decoding ends."""
    region = set[Node]()
    for node in constant:  # in order
        if node.op == "Const":
            coded = _is_code(node.dtype_attr("dtype"))
        else:
            coded = node.op in _ALL and any(value.node in region for value in node.inputs)
        if coded:
            region.add(node)
    for node in constant:
        if node in region and node.op != "Const":
            for value in node.outputs:
                if any(use.node not in region and use.node in nodes.needed for use in value.uses):
                    yield value


def _is_code(dtype: DType | None) -> bool:
    return dtype is not None and (dtype is STRING or (dtype is not BOOL and dtype.itemsize in (1, 2)))


def _replace(graph: Graph, value: Value, tensor: Tensor, controls: list[Node]) -> None:
    attrs: dict[str, AttrValue] = {"dtype": FLOAT, "value": tensor}
    if len([each for each in value.node.outputs if each.is_used]) == 1 and value.port == 0:
        value.node.become("Const", attrs=attrs, controls=controls)
        return
    name = graph.unique_name(f"{value.node.name}/{value.port}")
    value.replace_all_uses_with(graph.add(name, "Const", attrs=attrs, controls=controls).output())


def _drop_unread(graph: Graph, nodes: ConstantNodes, constant: Constants) -> None:
    """Erase what only served to decode."""
    nodes.restrict()
    graph.erase([node for node in constant if node not in nodes.needed])
