"""Fold batch norms written as Sub, RealDiv, Mul, as converters of YOLO networks write them.

Before::  x ─► Conv2D(weights) ─► Sub(mean) ─► RealDiv(std) ─► Mul(gamma) ─► BiasAdd(beta) ─► y
After::   x ─► Conv2D(weights · gamma / std) ─► BiasAdd(beta − mean · gamma / std) ─► y
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from pbslim.analysis.constants import const_value
from pbslim.dtypes import FLOAT
from pbslim.ir import ArrayTensor, ElementwiseTensor, Graph, Node, Tensor
from pbslim.ir.tensors import Array
from pbslim.passes.registry import Context, transform
from pbslim.rewrite import Match, Skip, anything, const, op, rewrite
from pbslim.rewrite.inner import must_be_inner
from pbslim.transforms.batch_norms.linear_ops import scalable_channels

_CONV = op("Conv2D", anything("x"), const("weights"), name="conv")
_SUB = op("Sub", _CONV, const("mean"), name="sub")
_DIV = op("RealDiv", _SUB, const("std"), name="div")
_PATTERNS = [
    op("BiasAdd", op("Mul", *factors, name="mul"), const("beta"), name="bias")
    for factors in ((_DIV, const("gamma")), (const("gamma"), _DIV))
]


@transform(effect="reassociates", in_functions=True)
def fold_subdivmul_batch_norms(graph: Graph, context: Context) -> None:
    """Fold each batch norm that is written out with a standard deviation (the root is taken already, no epsilon).

    Operands must be float vectors, one value per channel. Convolution, weights and ``beta`` must have no other reader.
    ``fold_all_batch_norms`` folds these and other forms; only the rounding differs.
    """

    def fold(match: Match) -> Sequence[Node]:
        conv, weights, beta, bias = (match[name] for name in ("conv", "weights", "beta", "bias"))
        steps = [match[name] for name in ("mul", "div", "sub")]
        must_be_inner(match, [*steps, conv, weights, beta], context.input_nodes, context.output_nodes)
        for node in steps:
            if node.control_readers:
                raise Skip(f"'{node.control_readers[0].name}' waits for '{node.name}'")
        _check_layout(conv, bias)
        old = const_value(weights)
        vectors = {name: const_value(match[name]) for name in ("mean", "std", "gamma", "beta")}
        new, shift = _folded(conv, old, vectors)
        weights.set_attr("value", new)
        beta.set_attr("value", ArrayTensor(shift, FLOAT))
        bias.set_input(0, conv.output())
        bias.set_controls([*bias.controls, *(control for node in steps for control in node.controls)])
        kept = [match["x"], weights, conv, beta, bias]
        statistics = [match[name] for name in ("mean", "std", "gamma")]
        return [*kept, *(n for n in statistics if n.name in context.protected or set(n.readers).difference(steps))]

    for pattern in _PATTERNS:
        context.merge(rewrite(graph, pattern, fold))


def _check_layout(conv: Node, bias: Node) -> None:
    for node in (conv, bias):
        if node.attr("data_format", bytes, b"NHWC") != b"NHWC":
            raise Skip(f"the vectors run along the width, not along the channels of '{node.name}', which are first")


def _folded(conv: Node, weights: Tensor, vectors: dict[str, Tensor]) -> tuple[Tensor, Array]:
    """The weights and the bias that do what the batch norm did, in the order of operations of the reference."""
    for name, tensor in (("weights", weights), *vectors.items()):
        if tensor.dtype is not FLOAT:
            raise Skip(f"its {name} are {tensor.dtype}, not float")
    channels = scalable_channels(conv, weights)
    for name, tensor in vectors.items():
        if tensor.shape != (channels,):
            raise Skip(f"{name} has shape {list(tensor.shape)}, expected [{channels}]")
    mean, std, gamma, beta = (vectors[name].numpy() for name in ("mean", "std", "gamma", "beta"))
    with np.errstate(all="ignore"):
        shift: Array = (np.float32(0) - mean) * gamma / std + beta
        if not (np.isfinite(gamma / std).all() and np.isfinite(shift).all()):
            raise Skip("its scale or shift is not finite")

    def multiply(values: Array) -> Array:
        with np.errstate(all="ignore"):
            result: Array = values.reshape(-1, channels) * gamma / std
            return result.reshape(-1)

    return (ElementwiseTensor(weights, multiply, multiple_of=channels) if weights.size else weights), shift
