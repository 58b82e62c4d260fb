"""What constant folding leaves alone although it can be computed."""

from __future__ import annotations

from typing import Any

import numpy as np

from pbslim.engines.builtin.actions import action, kernel_of
from pbslim.engines.builtin.scope import Action, Scope
from pbslim.ir import Node
from pbslim.kernels.convolutions import depthwise_conv_2d
from pbslim.kernels.normalization import normalized_by_itself


@action("DepthwiseConv2dNative")
def _depthwise(node: Node, scope: Scope) -> Action:
    """Dilations are followed, as oneDNN does; TensorFlow's own kernel refuses them, and that of 1.x ignored them."""
    kernel, attrs = kernel_of(node, scope), scope.attributes(node)
    if set(attrs.integers("dilations", (1,))) == {1}:
        return kernel

    def run(values: list[Any]) -> list[Any]:
        return [depthwise_conv_2d(attrs, *values, dilated=True)]

    return run


@action("FusedBatchNorm", "FusedBatchNormV2", "FusedBatchNormV3")
def _batch_norm(node: Node, scope: Scope) -> Action:
    """In training form, as in generators of images that keep it, the statistics are those of the batch."""
    kernel, attrs = kernel_of(node, scope), scope.attributes(node)
    if not attrs.flag("is_training", True):
        return kernel
    reserve = [np.zeros((), np.float32)] * (node.op == "FusedBatchNormV3")

    def run(values: list[Any]) -> list[Any]:
        return [*normalized_by_itself(attrs, *values), *reserve]

    return run
