"""Let a convolution mirror the edges of its input itself.

Before::  x ─► MirrorPad(paddings) ─► Conv2D(weights) ─► y
After::   x ─► FusedPadConv2D(paddings, weights) ─► y
"""

from __future__ import annotations

from pbslim.ir import Graph
from pbslim.passes.registry import Context, transform
from pbslim.transforms.convolutions.fused_convs import fuse_convs


@transform(effect="reassociates")
def fuse_pad_and_conv(graph: Graph, context: Context) -> None:
    """Fuse each MirrorPad with the Conv2D that follows.

    The fused ops run in TensorFlow on a CPU only, take NHWC and do not support dilations. What they replace must have
    no other reader, and the convolution loses its device.

    Run fuse_resize_pad_and_conv before, which takes a ResizeBilinear along. In a chain of such pairs each run fuses
    every second one; fuse_convolutions fuses all.
    """
    fuse_convs(graph, context, resize=False, pad=True)
