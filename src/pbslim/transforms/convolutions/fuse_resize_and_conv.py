"""Let a convolution resize its input itself.

Before::  x ─► ResizeBilinear(size) ─► Conv2D(weights) ─► y
After::   x ─► FusedResizeAndPadConv2D(size, y_dummy_paddings, weights) ─► y
"""

from __future__ import annotations

from pbslim.ir import Graph
from pbslim.passes.registry import Context, transform
from pbslim.transforms.convolutions.fused_convs import fuse_convs


@transform(effect="reassociates")
def fuse_resize_and_conv(graph: Graph, context: Context) -> None:
    """Fuse each ResizeBilinear with the Conv2D that follows.

    The fused ops run in TensorFlow on a CPU only, take NHWC and do not support dilations. What they replace must have
    no other reader, and the convolution loses its device.
    """
    fuse_convs(graph, context, resize=True, pad=False)
