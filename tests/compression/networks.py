"""Small trained-looking networks to compress."""

from __future__ import annotations

import numpy as np

from pbslim.dtypes import FLOAT, INT32, Shape
from pbslim.ir import ArrayTensor, AttrValue, Graph, Value

CONV: dict[str, AttrValue] = {"T": FLOAT, "strides": (1, 2, 2, 1), "padding": b"SAME"}


class Builder:
    """Adds ops with seeded weights."""

    def __init__(self, seed: int = 0) -> None:
        self.graph, self._random = Graph(), np.random.default_rng(seed)

    def const(self, name: str, shape: tuple[int, ...], scale: float = 1.0) -> Value:
        values = self._random.standard_normal(shape).astype(np.float32) * np.float32(scale)
        return self.graph.add(name, "Const", attrs={"dtype": FLOAT, "value": ArrayTensor(values)}).output()

    def op(self, name: str, op: str, *inputs: Value, **attrs: AttrValue) -> Value:
        return self.graph.add(name, op, inputs, {"T": FLOAT, **attrs}).output()


def classifier(seed: int = 0) -> Graph:
    """Two convolutions, one of them depthwise, and a dense layer, on images of 16x16 in three colors."""
    build = Builder(seed)
    x = build.graph.add("x", "Placeholder", attrs={"dtype": FLOAT, "shape": Shape((-1, 16, 16, 3))}).output()
    y = build.op("conv", "Conv2D", x, build.const("conv/weights", (3, 3, 3, 24), 0.3), **CONV)
    y = build.op("conv/relu", "Relu", build.op("conv/add", "BiasAdd", y, build.const("conv/bias", (24,), 0.1)))
    y = build.op("deep", "DepthwiseConv2dNative", y, build.const("deep/weights", (5, 5, 24, 1), 0.2), **CONV)
    y = build.op("deep/add", "BiasAdd", y, build.const("deep/bias", (24,), 0.1))
    shape = build.graph.add("shape", "Const", attrs={"dtype": INT32, "value": ArrayTensor(np.array([-1, 384], "i4"))})
    y = build.op("flat", "Reshape", y, shape.output())
    y = build.op("dense", "MatMul", y, build.const("dense/weights", (384, 10), 0.05))
    y = build.op("logits", "BiasAdd", y, build.const("dense/bias", (10,), 0.1))
    build.op("scores", "Softmax", y)
    return build.graph
