"""Our shape inference against TensorFlow's on whole models, from the inputs to the outputs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pbslim.dtypes import DTYPES, Shape
from pbslim.ops import shape_inference as shapes

pytestmark = pytest.mark.tensorflow

tf = pytest.importorskip("tensorflow")

MODELS = Path(__file__).parents[3] / "shared" / "models"
NAMES = sorted(path.parent.name for path in MODELS.glob("*/model.pb"))
SMALL = 4096
OLD_PRODUCER = 24  # before this version a Placeholder of rank 0 had an unknown shape

pytestmark = pytest.mark.skipif(not NAMES, reason="the model collection is not here")


def imported(name: str) -> Any:
    graph_def = tf.compat.v1.GraphDef.FromString((MODELS / name / "model.pb").read_bytes())
    with tf.Graph().as_default() as graph:
        tf.graph_util.import_graph_def(graph_def, name="")
    return graph, graph_def.versions.producer


def attrs_of(op: Any) -> dict[str, object]:
    return {name: _value(value) for name, value in op.node_def.attr.items()}


def _value(value: Any) -> object:
    kind = value.WhichOneof("value")
    if kind == "list":
        for field in ("s", "i", "f", "b", "type", "shape"):
            items = getattr(value.list, field)
            if items:
                return tuple(_plain(field, item) for item in items)
        return ()
    return _plain(kind, getattr(value, kind))


def _plain(kind: str, value: Any) -> object:
    if kind == "type":
        return DTYPES[value]
    if kind == "shape":
        return _shape(tf.TensorShape(value))
    if kind == "tensor":
        return tf.make_ndarray(value)
    return value


def _shape(shape: Any) -> Shape:
    return Shape() if shape.rank is None else Shape(tuple(-1 if d is None else d for d in shape.as_list()))


def loop_ops(graph: Any) -> set[str]:
    """The names of all ops between Enter and Exit."""
    waiting = [op for op in graph.get_operations() if op.type == "Enter"]
    found = {op.name for op in waiting}
    while waiting:
        op = waiting.pop()
        if op.type == "Exit":
            continue
        for consumer in (c for output in op.outputs for c in output.consumers()):
            if consumer.name not in found:
                found.add(consumer.name)
                waiting.append(consumer)
    return found


def in_order(graph: Any) -> list[Any]:
    """The ops, each after those it reads; the edge that closes a loop does not count."""
    done: set[str] = set()
    order = []
    stack = list(reversed(graph.get_operations()))
    while stack:
        op = stack.pop()
        if op.name in done:
            continue
        sources = [] if op.type == "NextIteration" else [t.op for t in op.inputs]
        missing = [s for s in sources if s.name not in done and s.type != "NextIteration"]
        if missing:
            stack += [op, *missing]
        else:
            done.add(op.name)
            order.append(op)
    return order


def inferred(graph: Any, producer: int) -> dict[str, Shape]:
    """The shape we infer for each tensor."""
    found: dict[str, Shape] = {}
    values: dict[str, np.ndarray | None] = {}
    for op in in_order(graph):
        attrs = attrs_of(op)
        inputs = [found.get(t.name, Shape()) for t in op.inputs]
        operands = [values.get(t.name) for t in op.inputs]
        results = shapes.infer(op.type, attrs, inputs, operands)
        if op.type == "Placeholder" and producer < OLD_PRODUCER and results[0].rank == 0:
            results = (Shape(),)
        found |= {t.name: shape for t, shape in zip(op.outputs, results, strict=bool(op.outputs))}
        if op.type == "Const":
            value = attrs["value"]
            assert isinstance(value, np.ndarray)
            values[op.outputs[0].name] = value if value.size <= SMALL else None
        elif len(op.outputs) == 1:
            values[op.outputs[0].name] = shapes.infer_value(op.type, attrs, inputs, operands)
    return found


@pytest.mark.parametrize("name", NAMES)
def test_infers_the_shapes_of_a_model(name: str) -> None:
    graph, producer = imported(name)
    loops, found = loop_ops(graph), inferred(graph, producer)
    equal = []
    for op in graph.get_operations():
        for tensor in op.outputs:
            expected, ours = _shape(tensor.shape), found[tensor.name]
            shapes.merge(expected, ours)  # raises when they contradict each other
            if op.name not in loops:
                equal.append(_as_precise(ours, expected))
    share = sum(equal) / len(equal)
    assert share >= 0.9, f"{share:.1%} of {len(equal)} tensors"


def _as_precise(ours: Shape, expected: Shape) -> bool:
    """Whether we know whatever TensorFlow knows."""
    if expected.dims is None:
        return True
    return ours.dims is not None and all(o >= e for o, e in zip(ours.dims, expected.dims, strict=True))
