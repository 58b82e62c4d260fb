"""A convolution that resizes and pads its input itself: FusedResizeAndPadConv2D and FusedPadConv2D."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from pbslim.analysis.constants import constant
from pbslim.analysis.static_shapes import StaticShapes
from pbslim.dtypes import INT32
from pbslim.ir import ArrayTensor, AttrValue, Graph, Node
from pbslim.passes.registry import Context
from pbslim.rewrite import Match, Skip, anything, op, rewrite, rewrite_all
from pbslim.rewrite.inner import beyond, must_be_inner

_TYPES = ("half", "float", "double")


def fuse_convs(graph: Graph, context: Context, *, resize: bool, pad: bool, repeat: bool = False) -> None:
    """Fuse each Conv2D of `graph` with the MirrorPad and the ResizeBilinear before it.

    Args:
        resize, pad: which of the two must be there; at least one.
        repeat: walk until all are found; a single walk leaves those that share a node with another one.
    """
    source = op("ResizeBilinear", name="resize") if resize else anything("x")
    if pad:
        source = op("MirrorPad", source, anything("paddings"), name="pad")
    pattern = op("Conv2D", source, anything("weights"), name="conv")
    leaves = ["weights", *([] if resize else ["x"]), *(["paddings"] if pad else [])]
    fuser = ConvFuser(graph, context)

    def fuse(match: Match) -> Sequence[Node]:
        inner = [match["pad"] if pad else None, match["resize"] if resize else None]
        must_be_inner(match, [node for node in inner if node], context.input_nodes, context.output_nodes)
        made = fuser.fuse(match["conv"], inner[1], inner[0])
        return [*dict.fromkeys(match[name] for name in leaves), *made, match["conv"]]

    context.merge((rewrite_all if repeat else rewrite)(graph, pattern, fuse))


class ConvFuser:
    """Makes fused convolutions, and warns of what TensorFlow cannot do with them."""

    def __init__(self, graph: Graph, context: Context) -> None:
        self._graph, self._context, self._shapes = graph, context, StaticShapes(graph)

    def fuse(self, conv: Node, resize: Node | None, pad: Node | None) -> list[Node]:
        """Let `conv` (Conv2D) do what `resize` (ResizeBilinear) and `pad` (MirrorPad) before it do; one may be None.

        They stay where they are, so that others can read them. What they wait for, `conv` waits for.

        Returns:
            New nodes that `conv` reads: the paddings ``<conv>_dummy_paddings`` when there is no `pad`.

        Raises:
            Skip: the fused op has no way to say what they do; nothing is changed.
        """
        first = resize or pad
        if first is None or len(conv.inputs) != 2 or any(len(node.inputs) != 2 for node in (resize, pad) if node):
            raise Skip("its inputs are not two")
        _check(conv, resize, pad)
        self._check_shapes(conv)
        made: list[Node] = []
        attrs: dict[str, AttrValue] = {"mode": b"REFLECT"}
        if pad:
            paddings = pad.inputs[1]
            attrs = {"mode": pad.attrs["mode"]}
        else:
            zeros: dict[str, AttrValue] = {"dtype": INT32, "value": ArrayTensor(np.zeros((4, 2), np.int32))}
            made.append(self._graph.add(self._graph.unique_name(f"{conv.name}_dummy_paddings"), "Const", attrs=zeros))
            paddings = made[0].output()
        if resize and "align_corners" in resize.attrs:
            attrs["resize_align_corners"] = resize.attrs["align_corners"]
        attrs |= {key: conv.attrs[key] for key in ("T", "padding", "strides") if key in conv.attrs}
        inputs = [*(first.inputs if resize else first.inputs[:1]), paddings, conv.inputs[1]]
        fused = [node for node in (conv, pad, resize) if node]
        controls = [control for node in fused for control in node.controls if control not in fused]
        op = "FusedResizeAndPadConv2D" if resize else "FusedPadConv2D"
        conv.become(op, inputs, attrs, controls=beyond(controls, inputs))
        return made

    def _check_shapes(self, conv: Node) -> None:
        shapes = [self._shapes.of(value) for value in conv.inputs]
        source, weights = ((shape.dims if shape.rank == 4 else None) or (-1,) * 4 for shape in shapes)
        if -1 != source[-1] != weights[2] != -1:
            raise Skip(
                f"the fused op does not support groups: it has {source[-1]} channels for weights of {weights[2]}"
            )
        if source[0] > 1:
            raise Skip(f"TensorFlow computes the fused op wrongly but for the first image of a batch ({source[0]})")
        if source[0] < 0:
            self._context.note(
                "TensorFlow computes FusedPadConv2D and FusedResizeAndPadConv2D wrongly but for the first image of a "
                "batch; feed one image at a time"
            )


def _check(conv: Node, resize: Node | None, pad: Node | None) -> None:
    dtype = conv.dtype_attr("T")
    if dtype is None or dtype.name not in _TYPES:
        raise Skip(f"there is no fused op for {dtype}")
    if conv.attr("data_format", bytes) != b"NHWC":
        raise Skip("the fused op supports the data format NHWC only")
    if conv.attr("padding", bytes) not in (b"SAME", b"VALID"):
        raise Skip("the fused op does not support explicit paddings")
    if any(dilation != 1 for dilation in conv.attr("dilations", tuple, ())):
        raise Skip("the fused op does not support dilations")
    if resize and resize.attr("half_pixel_centers", bool):
        raise Skip(f"the fused op does not support half_pixel_centers of '{resize.name}'")
    if resize and resize.dtype_attr("T") is not dtype:
        raise Skip(f"'{resize.name}' turns {resize.dtype_attr('T')} into {dtype}")
    if pad and pad.dtype_attr("Tpaddings", INT32) is not INT32:
        raise Skip(f"the paddings of '{pad.name}' are not int32")
    if pad and pad.attr("mode", bytes) not in (b"REFLECT", b"SYMMETRIC"):
        raise Skip(f"'{pad.name}' has no mode")
    paddings = constant(pad.inputs[1]) if pad else None
    if pad and paddings and paddings.shape == (4, 2) and paddings.numpy()[[0, 3]].any():
        raise Skip(f"'{pad.name}' pads more than height and width")
