"""Fold the batch norms that are a single op into the convolution before them.

Before::  x ─► Conv2D(weights) ─► FusedBatchNorm(gamma, beta, mean, variance) ─► y
After::   x ─► Conv2D(weights · s) ─► BiasAdd(beta − mean · s) ─► y        s = gamma / √(variance + ε)

The batch norm may also stand behind a BatchToSpaceND, or behind the concatenation of two convolutions.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from pbslim.dtypes import FLOAT
from pbslim.errors import TransformError
from pbslim.ir import ArrayTensor, Graph, Node
from pbslim.ir.tensors import Array
from pbslim.passes.registry import Context, transform
from pbslim.rewrite import Match, Pattern, Skip, anything, const, op, rewrite
from pbslim.rewrite.engine import read_elsewhere
from pbslim.transforms.shared.batch_norms import batch_norm
from pbslim.transforms.shared.linear_ops import channel_axes, channel_count, scaled
from pbslim.transforms.shared.weights import const_value, set_const


def _conv(suffix: str = "") -> Pattern:
    x, weights = anything(f"x{suffix}"), const(f"weights{suffix}")
    return op("Conv2D|DepthwiseConv2dNative", x, weights, name=f"conv{suffix}")


def _norm(source: Pattern) -> Pattern:
    statistics = [const(f"statistic{i}") for i in range(4)]
    return op("BatchNormWithGlobalNormalization|FusedBatchNorm", source, *statistics, name="norm")


_DIRECT = _norm(_conv())
_BATCH_TO_SPACE = _norm(op("BatchToSpaceND", _conv(), const("block"), const("crops"), name="space"))
_CONCAT = _norm(op("ConcatV2|Concat", _conv("0"), _conv("1"), const("axis"), name="concat"))


@transform(effect="reassociates")
def fold_old_batch_norms(graph: Graph, context: Context) -> None:
    """Fold each FusedBatchNorm and BatchNormWithGlobalNormalization with constant statistics.

    Convolution and weights must have no other reader. One that trains, or of which the batch statistics are read,
    stays.

    Raises:
        TransformError: the statistics of a batch norm have different lengths.
    """
    folder = _Folder(graph, context)
    for pattern, rule in (
        (_DIRECT, folder.direct),
        (_BATCH_TO_SPACE, folder.behind_batch_to_space),
        (_CONCAT, folder.behind_concat),
    ):
        while (report := rewrite(graph, pattern, rule)).applied:
            pass
        context.merge(report)


@dataclass(frozen=True)
class _Scale:
    scale: Array
    offset: Array

    def part(self, start: int, stop: int) -> _Scale:
        return _Scale(self.scale[start:stop], self.offset[start:stop])


def _statistics(node: Node) -> _Scale:
    norm = batch_norm(node)
    named = {"mean": norm.mean, "variance": norm.variance, "beta": norm.beta, "gamma": norm.gamma}
    tensors = {name: tensor for name, tensor in named.items() if tensor is not None}
    if any(tensor.dtype is not FLOAT for tensor in tensors.values()):
        raise Skip("its statistics are not float")
    count = norm.mean.shape[0] if len(norm.mean.shape) == 1 else -1
    for name, tensor in tensors.items():
        if tensor.shape != (count,):
            shapes = f"{name} has shape {list(tensor.shape)}, the mean {list(norm.mean.shape)}"
            raise TransformError(f"'{node.name}': {shapes}")
    with np.errstate(all="ignore"):
        scale = np.float32(1) / np.sqrt(norm.variance.numpy() + np.float32(norm.epsilon))
        if norm.gamma is not None:
            scale = scale * norm.gamma.numpy()
        offset = (-norm.mean.numpy() * scale) + norm.beta.numpy()
    return _Scale(scale, offset)


class _Folder:
    """The three rules; they share how one convolution takes a scale and an offset."""

    def __init__(self, graph: Graph, context: Context) -> None:
        self.graph, self.outputs = graph, context.output_nodes

    def direct(self, match: Match) -> Sequence[Node]:
        folded = self._checked(match, ["conv"], [])
        norm = match["norm"]
        self._check_columns(match["conv"], match["weights"], folded)
        block = self._fold(match["conv"], match["weights"], folded, norm)
        return [*block, norm, *self._shared(match)]

    def behind_batch_to_space(self, match: Match) -> Sequence[Node]:
        folded = self._checked(match, ["conv"], ["space"])
        norm, space, conv = match["norm"], match["space"], match["conv"]
        self._check_columns(conv, match["weights"], folded)
        bias = self.graph.add(self.graph.unique_name(f"{conv.name}/biasadd"), "BiasAdd")
        block = self._fold(conv, match["weights"], folded, bias)
        norm.become(
            space.op, [bias.output(), *space.inputs[1:]], space.attrs, controls=space.controls, device=space.device
        )
        return [*block, bias, match["block"], match["crops"], norm, *self._shared(match)]

    def behind_concat(self, match: Match) -> Sequence[Node]:
        folded = self._checked(match, ["conv0", "conv1"], ["concat"])
        norm, concat = match["norm"], match["concat"]
        parts = self._concat_parts(match, folded)
        kept: list[Node] = []
        inputs = list(concat.inputs)
        for i, part in enumerate(parts):
            bias = self.graph.add(self.graph.unique_name(f"{concat.name}_bn_in{i}"), "BiasAdd")
            kept += [*self._fold(match[f"conv{i}"], match[f"weights{i}"], part, bias), bias]
            inputs[i] = bias.output()
        norm.become(concat.op, inputs, concat.attrs, controls=concat.controls, device=concat.device)
        return [*kept, match["axis"], norm, *self._shared(match)]

    def _checked(self, match: Match, convs: list[str], between: list[str]) -> _Scale:
        norm = match["norm"]
        weights = [match[name.replace("conv", "weights")] for name in convs]
        nodes = [match[name] for name in convs]
        if len(set(nodes)) < len(nodes) or len(set(weights)) < len(weights):
            raise Skip("both branches share a convolution or its weights")
        read_elsewhere(match, [*nodes, *weights, *(match[name] for name in between)], self.outputs)
        for conv in nodes:
            formats = [n.attrs.get("data_format", b"NHWC") for n in (conv, norm)]
            if formats[0] != formats[1]:
                raise Skip("convolution and batch norm have different data formats")
        return _statistics(norm)

    def _check_columns(self, conv: Node, weights: Node, folded: _Scale) -> None:
        tensor = const_value(weights)
        if tensor.dtype is not FLOAT:
            raise Skip(f"its weights are {tensor.dtype}, not float")
        if channel_count(conv, tensor) != folded.scale.size:
            raise Skip(f"{folded.scale.size} statistics for {channel_count(conv, tensor)} channels")

    def _concat_parts(self, match: Match, folded: _Scale) -> list[_Scale]:
        concat = match["concat"]
        if concat.op == "Concat":
            raise Skip("Concat takes its axis first, this pattern is ConcatV2's")
        axis = const_value(match["axis"])
        if axis.size != 1 or axis.dtype.name not in ("int32", "int64"):
            raise Skip("the axis of the concatenation is not one whole number")
        channel_axis = 1 if match["norm"].attrs.get("data_format") == b"NCHW" else 3
        along_channels = int(axis.numpy().reshape(()).astype(np.int64)) in (channel_axis, channel_axis - 4)
        first = channel_count(match["conv0"], const_value(match["weights0"]))
        split = [folded.part(0, first), folded.part(first, folded.scale.size)]
        parts = split if along_channels else [folded, folded]
        for i, part in enumerate(parts):
            self._check_columns(match[f"conv{i}"], match[f"weights{i}"], part)
        return parts

    def _fold(self, conv: Node, weights: Node, folded: _Scale, bias: Node) -> list[Node]:
        """Scale `weights` and make `bias` the BiasAdd behind `conv`; gives the nodes before it, in order."""
        set_const(weights, scaled(const_value(weights), channel_axes(conv), folded.scale))
        name = self.graph.unique_name(f"{conv.name}_bn_offset")
        offset = self.graph.add(name, "Const", attrs={"dtype": FLOAT, "value": ArrayTensor(folded.offset, FLOAT)})
        attrs = {key: conv.attrs[key] for key in ("T", "data_format") if key in conv.attrs}
        bias.become("BiasAdd", [conv.output(), offset.output()], attrs)
        return [weights, conv.inputs[0].node, conv, offset]

    def _shared(self, match: Match) -> list[Node]:
        """Statistics that something else needs as well."""
        statistics = [match[f"statistic{i}"] for i in range(4)]
        return [n for n in statistics if n.readers or n.name in self.outputs]
