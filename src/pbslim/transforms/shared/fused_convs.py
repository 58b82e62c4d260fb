"""A convolution that resizes and pads its input itself: FusedResizeAndPadConv2D and FusedPadConv2D."""

from __future__ import annotations

import numpy as np

from pbslim.dtypes import INT32
from pbslim.ir import ArrayTensor, AttrValue, Graph, Node
from pbslim.rewrite import Skip

_TYPES = ("half", "float", "double")


def fuse_into_conv(graph: Graph, conv: Node, resize: Node | None, pad: Node | None) -> list[Node]:
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
    made: list[Node] = []
    attrs: dict[str, AttrValue] = {"mode": b"REFLECT"}
    if pad:
        paddings = pad.inputs[1]
        attrs = {"mode": pad.attrs["mode"]}
    else:
        zeros: dict[str, AttrValue] = {"dtype": INT32, "value": ArrayTensor(np.zeros((4, 2), np.int32))}
        made.append(graph.add(graph.unique_name(f"{conv.name}_dummy_paddings"), "Const", attrs=zeros))
        paddings = made[0].output()
    if resize and "align_corners" in resize.attrs:
        attrs["resize_align_corners"] = resize.attrs["align_corners"]
    attrs |= {key: conv.attrs[key] for key in ("T", "padding", "strides") if key in conv.attrs}
    controls = [control for node in (conv, pad, resize) if node for control in node.controls]
    source = first.inputs if resize else first.inputs[:1]
    op = "FusedResizeAndPadConv2D" if resize else "FusedPadConv2D"
    conv.become(op, [*source, paddings, conv.inputs[1]], attrs, controls=controls)
    return made


def _check(conv: Node, resize: Node | None, pad: Node | None) -> None:
    dtype = conv.dtype_attr("T")
    if dtype is None or dtype.name not in _TYPES:
        raise Skip(f"there is no fused op for {dtype}")
    if conv.attrs.get("data_format", b"NHWC") != b"NHWC":
        raise Skip("the fused op knows the data format NHWC only")
    if conv.attrs.get("padding") not in (b"SAME", b"VALID"):
        raise Skip("the fused op knows no explicit paddings")
    dilations = conv.attrs.get("dilations")
    if isinstance(dilations, tuple) and any(dilation != 1 for dilation in dilations):
        raise Skip("the fused op knows no dilations")
    if resize and resize.attrs.get("half_pixel_centers"):
        raise Skip(f"the fused op does not know half_pixel_centers of '{resize.name}'")
    if resize and resize.dtype_attr("T") is not dtype:
        raise Skip(f"'{resize.name}' turns {resize.dtype_attr('T')} into {dtype}")
    if pad and pad.dtype_attr("Tpaddings", INT32) is not INT32:
        raise Skip(f"the paddings of '{pad.name}' are no int32")
    if pad and pad.attrs.get("mode") not in (b"REFLECT", b"SYMMETRIC"):
        raise Skip(f"'{pad.name}' has no mode")
