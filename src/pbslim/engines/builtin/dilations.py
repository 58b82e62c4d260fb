"""Depthwise convolutions with dilations, which constant folding leaves alone.

TensorFlow's own kernel refuses them, that of oneDNN follows them, and 1.x ignored them; they are followed here.
"""

from __future__ import annotations

from typing import Any

from pbslim.engines.builtin.actions import action, kernel_of
from pbslim.engines.builtin.scope import Action, Scope
from pbslim.ir import Node
from pbslim.kernels.convolutions import depthwise_conv_2d


@action("DepthwiseConv2dNative")
def _depthwise(node: Node, scope: Scope) -> Action:
    kernel, attrs = kernel_of(node, scope), scope.attributes(node)
    if set(attrs.integers("dilations", (1,))) == {1}:
        return kernel

    def run(values: list[Any]) -> list[Any]:
        return [depthwise_conv_2d(attrs, *values, dilated=True)]

    return run
