"""Turn a dilated convolution written with SpaceToBatchND into a plain one whose filter has zeros between.

Before::  x ─► SpaceToBatchND(block) ─► Conv2D(filter) ─► BatchToSpaceND(block) ─► y
After::   x ─► Conv2D(filter with zeros between) ─► y

The same for DepthwiseConv2dNative.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from pbslim.analysis.constants import const_value
from pbslim.analysis.evaluation import CannotFold, Evaluator
from pbslim.analysis.frames import frame_controls
from pbslim.analysis.static_shapes import StaticShapes
from pbslim.dtypes import Shape
from pbslim.ir import AttrValue, DeferredTensor, Graph, Node, Tensor, Value
from pbslim.ir.tensors import Array
from pbslim.passes.registry import Context, transform
from pbslim.rewrite import Match, Skip, anything, near_misses, op, rewrite_all
from pbslim.rewrite.engine import read_elsewhere
from pbslim.rewrite.inner import beyond
from pbslim.rewrite.replacing import set_const

_MAX_SIZE = 1 << 30
_MAX_SMALL = 1 << 24  # for whatever filter; beyond that, it may become
_MAX_GROWTH = 1 << 10  # times as large
_TRIALS = 12
_SPATIAL = 2
_SPACE = op("SpaceToBatchND", anything("x"), anything("block"), anything("paddings"), name="space")
_CONV = op("Conv2D|DepthwiseConv2dNative", _SPACE, anything("filter"), name="conv")
_PATTERN = op("BatchToSpaceND", _CONV, anything("block again"), anything("crops"), name="batch")
_COPIED = ("T", "strides", "data_format", "use_cudnn_on_gpu")


@transform(effect="reassociates")
def flatten_atrous_conv(graph: Graph, context: Context, *, dilations: bool = False, shared: bool = False) -> None:
    """Make one convolution of each SpaceToBatchND, Conv2D or DepthwiseConv2dNative, and BatchToSpaceND.

    Run fold_constants before: block shape and filter must be constants. Paddings and crops may follow from the size of
    the image; together they must make the convolution one of padding SAME or VALID.

    Args:
        dilations: let Conv2D say its dilations instead of storing the zeros, which make the filter up to block height
            times block width as large. DepthwiseConv2dNative is not meant: TensorFlow 1.x ignores its dilations.
        shared: also where the block shape, the paddings or the SpaceToBatchND have other readers, as in a pyramid of
            dilated convolutions on one image.
    """
    flattener = _Flattener(graph, context, dilations=dilations, shared=shared)
    # One on the result of another, and those on one image, are found one at a time.
    context.merge(rewrite_all(graph, _PATTERN, flattener.flatten))
    context.skipped += near_misses(graph, _PATTERN, anywhere=True)


class _Flattener:
    def __init__(self, graph: Graph, context: Context, *, dilations: bool, shared: bool) -> None:
        self._graph, self._context = graph, context
        self._dilations, self._shared = dilations, shared
        self._shapes = StaticShapes(graph)

    def flatten(self, match: Match) -> Sequence[Node]:
        batch, conv, space, weights = (match[name] for name in ("batch", "conv", "space", "filter"))
        # Readers stand before what they read: paddings may be computed from the block shape.
        inner = list(dict.fromkeys([conv, space, *(match[n] for n in ("paddings", "crops", "block", "block again"))]))
        self._check_readers(match, conv, inner)
        block = self._block(match)
        _check(conv)
        attrs: dict[str, AttrValue] = {key: conv.attrs[key] for key in _COPIED if key in conv.attrs}
        attrs["padding"] = self._padding(match, block)
        upsampled = None
        if self._dilations and conv.op == "Conv2D":
            attrs["dilations"] = (1, *block, 1)
        else:
            upsampled = self._upsampled(weights, block)
        read = conv.inputs[1]
        made: list[Node] = []
        if upsampled and (weights.data_readers == [conv] and weights.name not in self._context.protected):
            set_const(weights, upsampled, frame_controls(weights))
        elif upsampled:
            constant: dict[str, AttrValue] = {"dtype": upsampled.dtype, "value": upsampled}
            name = self._graph.unique_name(f"{weights.name}/upsampled")
            made.append(self._graph.add(name, "Const", attrs=constant, controls=frame_controls(weights)))
            read = made[0].output()
        controls = [control for node in (batch, conv, space) for control in node.controls if control not in inner]
        inputs = [space.inputs[0], read]
        batch.become(conv.op, inputs, attrs, controls=beyond(controls, inputs), device=conv.device)
        gone: list[Node] = []
        for node in inner:
            if node.name not in self._context.protected and all(reader in gone for reader in node.readers):
                gone.append(node)
        return list(dict.fromkeys([*(node for node in inner if node not in gone), match["x"], weights, *made, batch]))

    def _check_readers(self, match: Match, conv: Node, inner: Sequence[Node]) -> None:
        read_elsewhere(match, [conv], self._context.output_nodes)
        if self._shared:
            return
        try:
            read_elsewhere(match, inner, self._context.output_nodes)
        except Skip as skip:
            raise Skip(f"{skip}; shared=true allows that") from None

    def _block(self, match: Match) -> tuple[int, int]:
        found = []
        for reader, node in ((match["space"], match["block"]), (match["batch"], match["block again"])):
            if node.op != "Const":
                raise Skip(f"the block shape of '{reader.name}' is not a constant; run fold_constants before")
            if (size := const_value(node).size) != _SPATIAL:
                raise Skip(f"the block shape of '{reader.name}': expected {_SPATIAL} numbers, got {size}")
            found.append(tuple(map(int, const_value(node).numpy().reshape(-1))))
        if found[0] != found[1] or min(found[0]) < 1:
            raise Skip(f"the block shapes are {list(found[0])} and {list(found[1])}, expected the same two numbers")
        return found[0][0], found[0][1]

    def _padding(self, match: Match, block: tuple[int, int]) -> bytes:
        """SAME or VALID: what the convolution on the whole image needs to give the same."""
        conv, space, batch = match["conv"], match["space"], match["batch"]
        kernel = self._shapes.of(conv.inputs[1]).dims or ()
        if len(kernel) != 4 or min(kernel[:2]) < 1:
            raise Skip("the size of its filter is not known")
        reach = (np.array(kernel[:2]) - 1) * block
        same = np.stack([reach // 2, reach - reach // 2], axis=1)
        padding = self._paddings_less_crops(space.inputs[2], batch.inputs[2])
        if conv.attr("padding", bytes) == b"SAME":  # within each block, and zeros there are zeros between blocks
            before = (np.array(kernel[:2]) - 1) // 2 * block
            padding = padding + np.stack([before, reach - before], axis=1)
        if (padding == same).all():
            return b"SAME"
        if not padding.any():
            return b"VALID"
        raise Skip(f"it pads height and width by {padding.tolist()}, which is neither SAME ({same.tolist()}) nor VALID")

    def _paddings_less_crops(self, paddings: Value, crops: Value) -> Array:
        """Their difference, int64 of shape [2, 2].

        Where they are computed from the size of the image, their difference has to be the same for images of many
        sizes, whatever remainders by the block those leave.
        """
        found = self._difference(paddings, crops, 0)
        if not paddings.node.op == crops.node.op == "Const":
            for trial in range(1, _TRIALS):
                if (self._difference(paddings, crops, trial) != found).any():
                    raise Skip("paddings less crops depend on the size of the image")
        return found

    def _difference(self, paddings: Value, crops: Value, trial: int) -> Array:
        evaluator = Evaluator(_AssumedShapes(self._graph, self._shapes, trial))
        try:
            pads, cuts = (evaluator.value(value).numpy().astype(np.int64) for value in (paddings, crops))
        except CannotFold as problem:
            raise Skip(f"its paddings cannot be computed: '{problem.node.name}': {problem}") from None
        if pads.shape != (2, 2) or cuts.shape != (2, 2):
            raise Skip(f"paddings and crops have shapes {list(pads.shape)} and {list(cuts.shape)}")
        difference: Array = pads - cuts
        return difference

    def _upsampled(self, node: Node, block: tuple[int, int]) -> Tensor:
        if node.op != "Const":
            raise Skip(f"its filter '{node.name}' is not a constant; run fold_constants before")
        old = const_value(node)
        if not old.dtype.is_floating:
            raise Skip(f"its filter is {old.dtype}")
        height, width, *rest = old.shape
        shape = ((height - 1) * block[0] + 1, (width - 1) * block[1] + 1, *rest)
        size = math.prod(shape) * old.dtype.itemsize
        if size > min(max(_MAX_SMALL, _MAX_GROWTH * old.stored_nbytes), _MAX_SIZE):
            raise Skip(f"the filter would have {size} bytes")

        def compute() -> Array:
            new = np.zeros(shape, old.dtype.numpy)
            new[:: block[0], :: block[1]] = old.numpy()
            return new

        return DeferredTensor(compute, old.dtype, shape)


class _AssumedShapes(StaticShapes):
    """What is known of the shapes, and made-up numbers for the rest: an image of some size."""

    def __init__(self, graph: Graph, known: StaticShapes, seed: int) -> None:
        super().__init__(graph)
        self._known = known
        self._random = np.random.default_rng(seed)
        self._assumed: dict[Value, Shape] = {}

    def of(self, value: Value) -> Shape:
        """The shape of `value`, always a whole one; four dimensions if nothing is known."""
        if value not in self._assumed:
            dims = self._known.of(value).dims
            dims = (-1,) * 4 if dims is None else dims
            self._assumed[value] = Shape(tuple(int(self._random.integers(64, 512)) if d < 0 else d for d in dims))
        return self._assumed[value]


def _check(conv: Node) -> None:
    if conv.attr("data_format", bytes) != b"NHWC":
        raise Skip("its channels come first, where SpaceToBatchND takes them for the height")
    if conv.attr("padding", bytes) not in (b"SAME", b"VALID"):
        raise Skip("it has explicit paddings")
    for name, what in (("strides", "strides"), ("dilations", "dilations of its own")):
        numbers = conv.attr(name, tuple, ())
        if any(number != 1 for number in numbers):
            raise Skip(f"it has {what}: {list(numbers)}")
