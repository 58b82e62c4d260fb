"""Small trained-looking networks to compress."""

from __future__ import annotations

import numpy as np

from pbslim.dtypes import FLOAT, INT32, Shape
from pbslim.ir import ArrayTensor, AttrValue, Graph, Value
from tests.graphs import parse

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


def classifier(seed: int = 0, classes: int = 10) -> Graph:
    """Two convolutions, one of them depthwise, and a dense layer, on images of 16x16 in three colors."""
    build = Builder(seed)
    x = build.graph.add("x", "Placeholder", attrs={"dtype": FLOAT, "shape": Shape((-1, 16, 16, 3))}).output()
    y = build.op("conv", "Conv2D", x, build.const("conv/weights", (3, 3, 3, 24), 0.3), **CONV)
    y = build.op("conv/relu", "Relu", build.op("conv/add", "BiasAdd", y, build.const("conv/bias", (24,), 0.1)))
    y = build.op("deep", "DepthwiseConv2dNative", y, build.const("deep/weights", (5, 5, 24, 1), 0.2), **CONV)
    y = build.op("deep/add", "BiasAdd", y, build.const("deep/bias", (24,), 0.1))
    shape = build.graph.add("shape", "Const", attrs={"dtype": INT32, "value": ArrayTensor(np.array([-1, 384], "i4"))})
    y = build.op("flat", "Reshape", y, shape.output())
    y = build.op("dense", "MatMul", y, build.const("dense/weights", (384, classes), 0.05))
    y = build.op("logits", "BiasAdd", y, build.const("dense/bias", (classes,), 0.1))
    build.op("scores", "Softmax", y)
    return build.graph


def fully_convolutional(halvings: int) -> Graph:
    """Convolutions that halve images of any size so often."""
    build = Builder()
    y = build.graph.add("x", "Placeholder", attrs={"dtype": FLOAT, "shape": Shape((-1, -1, -1, 3))}).output()
    for number, channels in enumerate([3, *[16] * (halvings - 1)]):
        filters = build.const(f"conv{number}/weights", (3, 3, channels, 16), 0.3 if number == 0 else 0.12)
        y = build.op(f"conv{number}", "Conv2D", y, filters, **CONV)
        y = build.op(f"conv{number}/relu", "Relu", y) if number < halvings - 1 else y
    return build.graph


def recurrent() -> Graph:
    """A loop over the rows of its input, which it reads from an array of tensors, and a dense layer."""
    random, text = np.random.default_rng(0), _LOOP
    for name, shape in (("WEIGHTS", (32, 32)), ("LAST", (32, 16)), ("ROW", (32,))):
        text = text.replace(name, str((random.standard_normal(shape) / 4).round(3).tolist()))
    return parse(text)[0]


_LOOP = """
    x = Placeholder(dtype='float', shape=[3, 32])
    zero = Const(0, dtype='int32')
    one = Const(1, dtype='int32')
    three = Const(3, dtype='int32')
    array = TensorArrayV3(three, dtype='float')
    filled = TensorArrayScatterV3(array, rows, x, array:1)
    rows = Const([0, 1, 2], dtype='int32')
    weights = Const(WEIGHTS)
    start = Const([ROW])
    number = Enter(zero, T='int32', frame_name='loop')
    state = Enter(start, frame_name='loop')
    most = Enter(three, T='int32', frame_name='loop', is_constant=True)
    step = Enter(one, T='int32', frame_name='loop', is_constant=True)
    inner = Enter(weights, frame_name='loop', is_constant=True)
    handle = Enter(array, T='resource', frame_name='loop', is_constant=True)
    flow = Enter(filled, frame_name='loop', is_constant=True)
    turn = Merge(number, next_number, T='int32', N=2)
    now = Merge(state, next_state, N=2)
    more = Less(turn, most, T='int32')
    go = LoopCond(more)
    turns = Switch(turn, go, T='int32')
    states = Switch(now, go)
    row = TensorArrayReadV3(handle, turns:1, flow, dtype='float')
    product = MatMul(states:1, inner)
    sum = Add(product, row)
    new = Tanh(sum)
    later = Add(turns:1, step, T='int32')
    next_number = NextIteration(later, T='int32')
    next_state = NextIteration(new)
    done = Exit(states)
    last = Const(LAST)
    y = MatMul(done, last)
    -> y
"""
