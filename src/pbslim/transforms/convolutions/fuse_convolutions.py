"""Let convolutions resize their input and mirror its edges themselves.

Before::  x ─► ResizeBilinear(size) ─► MirrorPad(paddings) ─► Conv2D(weights) ─► y
After::   x ─► FusedResizeAndPadConv2D(size, paddings, weights) ─► y

Either of the two may be missing.
"""

from __future__ import annotations

from pbslim.ir import Graph
from pbslim.passes.registry import Context, transform
from pbslim.transforms.convolutions.fused_convs import fuse_convs


@transform(effect="reassociates")
def fuse_convolutions(graph: Graph, context: Context) -> None:
    """Do what fuse_resize_pad_and_conv, fuse_resize_and_conv and fuse_pad_and_conv do, each as often as it finds some.

    The fused ops run in TensorFlow on a CPU only, take NHWC and do not support dilations. What they replace must have
    no other reader, and the convolution loses its device.
    """
    for resize, pad in ((True, True), (True, False), (False, True)):
        fuse_convs(graph, context, resize=resize, pad=pad, repeat=True)
