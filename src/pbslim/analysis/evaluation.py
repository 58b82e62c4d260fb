"""Values of constant nodes, computed with the numpy kernels.

Those that only look at a constant in another way (Identity, Reshape) share its bytes, and one value for a whole shape
stays one; others are computed when they are read.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from pbslim import ops
from pbslim.analysis.results import ComputedTensor, ResultStore, Step, text_bytes
from pbslim.analysis.static_shapes import StaticShapes
from pbslim.dtypes import STRING, DType
from pbslim.errors import DecodeError, GraphError
from pbslim.ir import ArrayTensor, AttrValue, Node, SplatTensor, StringTensor, Tensor, Value
from pbslim.ir.tensors import Array
from pbslim.kernels import KernelError, evaluate
from pbslim.ops.families import ALIASES, SHAPES

_HELD_BYTES = 1 << 10
_MOST_DIMENSIONS = 1 << 10
_SAME = ALIASES | {"PlaceholderWithDefault"}
_UNIFORM = frozenset({"Fill", "ZerosLike", "OnesLike"})
_VIEWS = frozenset({"EnsureShape", "ExpandDims", "Reshape", "Squeeze"})
_OF_SHAPE = _VIEWS | {"ZerosLike", "OnesLike"}  # the elements of their first input do not matter


class CannotFold(Exception):  # noqa: N818 - an answer, not an error
    """A node has no value; the text says why."""

    def __init__(self, node: Node, reason: str) -> None:
        super().__init__(reason)
        self.node = node


class Evaluator:
    """Computes values and remembers them.

    Args:
        shapes: of the graph.
        store: where results are kept; evaluators that share one also share the limits of what may be computed.
    """

    def __init__(self, shapes: StaticShapes, store: ResultStore | None = None) -> None:
        self._shapes, self._store = shapes, store or ResultStore()
        self._known: dict[Node, list[Tensor]] = {}

    def value(self, value: Value) -> Tensor:
        """The tensor at a port of a constant node.

        Raises:
            CannotFold: it, or something it needs, has none.
        """
        todo = [value.node]
        while todo:  # no recursion: chains may be long
            node = todo[-1]
            alone = node.op == "Const" or node.op in SHAPES  # even if a broken graph gives a Const inputs
            missing = [] if alone else [v.node for v in node.inputs if v.node not in self._known]
            if missing and node not in self._known:
                todo += missing
                continue
            todo.pop()
            if node not in self._known:
                self._known[node] = self._compute(node)
        return self._port(value)

    def finish(self) -> None:
        """Give memory back; what was computed can still be read."""
        self._store.trim()

    def _port(self, value: Value) -> Tensor:
        tensors = self._known[value.node]
        if value.port >= len(tensors):
            raise CannotFold(value.node, f"it has no output {value.port}")
        return tensors[value.port]

    def _compute(self, node: Node) -> list[Tensor]:
        try:
            if node.op == "Const":
                self._store.allow(node.tensor())
                return [node.tensor()]
            if node.op in SHAPES:
                return list(map(ArrayTensor, self._shapes.result(node)))
            inputs = [self._port(value) for value in node.inputs]
            if node.op in _SAME:
                return inputs[:1]
            return self._run(node, inputs)
        except (KernelError, DecodeError, GraphError) as error:
            raise CannotFold(node, str(error)) from None

    def _run(self, node: Node, inputs: list[Tensor]) -> list[Tensor]:
        types = ops.output_dtypes(node.op, node.attrs) or ()
        attrs = kernel_attrs({key: value for key, value in node.attrs.items() if not isinstance(value, Tensor)})
        step = Step(node.op, attrs, inputs, types)
        arrays = _of_shape(step) if node.op in _OF_SHAPE | _UNIFORM else self._store.compute(step)
        tensors: list[Tensor] = []
        for port, array in enumerate(arrays):
            found = DType.from_numpy(array.dtype)
            dtype = types[port] if port < len(types) else found
            if dtype is not STRING if found is STRING else dtype.scalar is not found.scalar:
                raise CannotFold(node, f"by its attributes it gives {dtype}, but from its operands {found}")
            if node.op in _VIEWS:
                if dtype is not inputs[0].dtype:
                    raise CannotFold(node, f"by its attributes it gives {dtype}, but it reads {inputs[0].dtype}")
                tensors.append(inputs[0].reshaped(array.shape))
            elif node.op in _UNIFORM and array.size:
                tensors.append(_splat(array, dtype))
            else:
                tensors.append(self._result(step, port, array, dtype))
        return tensors

    def _result(self, step: Step, port: int, array: Array, dtype: DType) -> Tensor:
        stored = text_bytes(array) if dtype is STRING else array.nbytes
        if max(stored, array.size) > _HELD_BYTES:
            return ComputedTensor(self._store, step, port, dtype, array.shape, stored)
        if dtype is STRING:
            return StringTensor(tuple(array.reshape(-1).tolist()), array.shape)
        return ArrayTensor(array, dtype)


def _of_shape(step: Step) -> list[Array]:
    """Results of one of `_OF_SHAPE` or `_UNIFORM`, of which the elements do not matter or are all the same."""
    operands = []
    for slot, tensor in enumerate(step.inputs):
        if slot == 0 and step.op in _OF_SHAPE:
            if tensor.dtype is not STRING and tensor.dtype.scalar is None:
                raise KernelError(f"{step.op}: operand {slot} is of type {tensor.dtype}")
            blank = np.array(b"", object) if tensor.dtype is STRING else np.zeros((), tensor.dtype.numpy)
            operands.append(np.broadcast_to(blank, tensor.shape))
        elif tensor.size > _MOST_DIMENSIONS:
            raise KernelError(f"{step.op}: operand {slot} has {tensor.size} elements")
        else:
            operands.append(tensor.numpy())
    return evaluate(step.op, step.attrs, operands, [tensor.dtype for tensor in step.inputs])


def _splat(array: Array, dtype: DType) -> Tensor:
    value = array[(0,) * array.ndim]
    return StringTensor((value,), array.shape) if dtype is STRING else SplatTensor(value, dtype, array.shape)


def kernel_attrs(attrs: Mapping[str, AttrValue]) -> dict[str, object]:
    """Attributes as kernels take them: tensors as arrays."""
    found: dict[str, object] = {}
    for key, value in attrs.items():
        if not key.startswith("_"):
            found[key] = value.numpy() if isinstance(value, Tensor) else value
    return found
