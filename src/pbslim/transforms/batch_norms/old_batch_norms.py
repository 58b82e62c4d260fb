"""The rules that fold FusedBatchNorm and BatchNormWithGlobalNormalization the way the reference tools do."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from pbslim.analysis.constants import const_value, integer
from pbslim.dtypes import FLOAT, DType
from pbslim.ir import ArrayTensor, Graph, Node
from pbslim.ir.tensors import Array
from pbslim.passes.registry import Context
from pbslim.rewrite import Match, Pattern, Skip, anything, const, op
from pbslim.rewrite.engine import read_elsewhere
from pbslim.rewrite.replacing import set_const
from pbslim.transforms.batch_norms.forms import BatchNorm, batch_norm, check_inference
from pbslim.transforms.batch_norms.linear_ops import (
    MAX_CHANNELS,
    channel_axes,
    channel_count,
    scalable_channels,
    scaled,
)
from pbslim.transforms.quantization.weights import check_not_coarse


def _conv(suffix: str = "") -> Pattern:
    x, weights = anything(f"x{suffix}"), const(f"weights{suffix}")
    return op("Conv2D|DepthwiseConv2dNative", x, weights, name=f"conv{suffix}")


def _norm(source: Pattern) -> Pattern:
    statistics = [const(f"statistic{i}") for i in range(4)]
    return op("BatchNormWithGlobalNormalization|FusedBatchNorm", source, *statistics, name="norm")


DIRECT = _norm(_conv())
BATCH_TO_SPACE = _norm(op("BatchToSpaceND", _conv(), const("block"), const("crops"), name="space"))
CONCAT = _norm(op("ConcatV2|Concat", _conv("0"), _conv("1"), const("axis"), name="concat"))
"""Where the batch norm stands: right after the convolution, or with one of these in between."""


@dataclass(frozen=True)
class Scale:
    """What goes into the weights and into the bias, one value per channel each; both are written as `dtype`."""

    scale: Array
    offset: Array
    dtype: DType = FLOAT

    def part(self, start: int, stop: int) -> Scale:
        """That of the channels from `start` to `stop`."""
        return Scale(self.scale[start:stop], self.offset[start:stop], self.dtype)


class Folder:
    """The three rules; they share how one convolution takes a scale and an offset.

    Args:
        scale: the arithmetic, given the name of the batch norm and its statistics.
        keep_coarse: leave weights with few different values alone.
    """

    def __init__(
        self, graph: Graph, context: Context, scale: Callable[[str, BatchNorm], Scale], *, keep_coarse: bool = False
    ) -> None:
        self.graph, self.outputs, self._scale = graph, context.output_nodes, scale
        self._keep_coarse = keep_coarse

    def direct(self, match: Match) -> Sequence[Node]:
        """Convolution, batch norm."""
        folded = self._checked(match, ["conv"], [])
        norm = match["norm"]
        self._check_columns(match["conv"], match["weights"], folded)
        block = self._fold(match["conv"], match["weights"], folded, norm)
        return [*block, norm, *self._shared(match)]

    def behind_batch_to_space(self, match: Match) -> Sequence[Node]:
        """Convolution, BatchToSpaceND, batch norm."""
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
        """Two convolutions, their concatenation, batch norm."""
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

    def _checked(self, match: Match, convs: list[str], between: list[str]) -> Scale:
        norm = match["norm"]
        check_inference(norm)
        weights = [match[name.replace("conv", "weights")] for name in convs]
        nodes = [match[name] for name in convs]
        if len(set(nodes)) < len(nodes) or len(set(weights)) < len(weights):
            raise Skip("both branches share a convolution or its weights")
        read_elsewhere(match, [*nodes, *weights], self.outputs, controls=False)
        read_elsewhere(match, [match[name] for name in between], self.outputs)
        for conv in nodes:
            formats = [n.attr("data_format", bytes, b"NHWC") for n in (conv, norm)]
            if formats[0] != formats[1]:
                raise Skip("convolution and batch norm have different data formats")
        if self._keep_coarse:
            for node in weights:
                check_not_coarse(const_value(node))
        found = batch_norm(norm)
        if found.mean.size > MAX_CHANNELS:
            raise Skip(f"its statistics have {found.mean.size} elements")
        return self._scale(norm.name, found)

    def _check_columns(self, conv: Node, weights: Node, folded: Scale) -> None:
        tensor = const_value(weights)
        if tensor.dtype is not folded.dtype:
            raise Skip(f"its weights are {tensor.dtype}, not {folded.dtype}")
        if scalable_channels(conv, tensor) != folded.scale.size:
            raise Skip(f"{folded.scale.size} statistics for {channel_count(conv, tensor)} channels")

    def _concat_parts(self, match: Match, folded: Scale) -> list[Scale]:
        concat = match["concat"]
        if concat.op == "Concat":
            raise Skip("Concat takes its axis first, this pattern is ConcatV2's")
        axis = integer(match["axis"].output())
        if axis is None:
            raise Skip("the axis of the concatenation is not one whole number")
        channel_axis = 1 if match["norm"].attr("data_format", bytes) == b"NCHW" else 3
        along_channels = axis in (channel_axis, channel_axis - 4)
        first = channel_count(match["conv0"], const_value(match["weights0"]))
        split = [folded.part(0, first), folded.part(first, folded.scale.size)]
        parts = split if along_channels else [folded, folded]
        for i, part in enumerate(parts):
            self._check_columns(match[f"conv{i}"], match[f"weights{i}"], part)
        return parts

    def _fold(self, conv: Node, weights: Node, folded: Scale, bias: Node) -> list[Node]:
        """Scale `weights` and make `bias` the BiasAdd that follows `conv`; gives the nodes before it, in order."""
        set_const(weights, scaled(const_value(weights), channel_axes(conv), folded.scale))
        name = self.graph.unique_name(f"{conv.name}_bn_offset")
        value = ArrayTensor(folded.offset, folded.dtype)
        offset = self.graph.add(name, "Const", attrs={"dtype": folded.dtype, "value": value})
        attrs = {key: conv.attrs[key] for key in ("T", "data_format") if key in conv.attrs}
        bias.become("BiasAdd", [conv.output(), offset.output()], attrs)
        return [weights, conv.inputs[0].node, conv, offset]

    def _shared(self, match: Match) -> list[Node]:
        """Statistics that something else needs as well."""
        statistics = [match[f"statistic{i}"] for i in range(4)]
        return [n for n in statistics if n.readers or n.name in self.outputs]
