"""Values of constant nodes, computed with the numpy kernels.

Big results are not held: those that only look at a constant in another way (Identity, Reshape) share its bytes,
others are computed again when they are written.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from pbslim import ops
from pbslim.analysis.static_shapes import StaticShapes
from pbslim.dtypes import STRING, DType
from pbslim.errors import DecodeError, GraphError
from pbslim.ir import ArrayTensor, DeferredTensor, Node, SplatTensor, StringTensor, Tensor, Value
from pbslim.ir.tensors import Array
from pbslim.kernels import KernelError, evaluate
from pbslim.ops.families import ALIASES, SHAPES

_HELD_BYTES = 1 << 18
_MAX_ELEMENTS = 1 << 28
_SAME = ALIASES | {"PlaceholderWithDefault"}
_UNIFORM = frozenset({"Fill", "ZerosLike", "OnesLike"})
_VIEWS = frozenset({"Reshape", "Squeeze", "ExpandDims"})


class CannotFold(Exception):  # noqa: N818 - an answer, not an error
    """A node has no value; the text says why."""

    def __init__(self, node: Node, reason: str) -> None:
        super().__init__(reason)
        self.node = node


class Evaluator:
    """Computes values and remembers them."""

    def __init__(self, shapes: StaticShapes) -> None:
        self._shapes = shapes
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

    def _port(self, value: Value) -> Tensor:
        tensors = self._known[value.node]
        if value.port >= len(tensors):
            raise CannotFold(value.node, f"it has no output {value.port}")
        return tensors[value.port]

    def _compute(self, node: Node) -> list[Tensor]:
        try:
            if node.op == "Const":
                return [node.tensor()]
            if node.op in SHAPES:
                return list(map(ArrayTensor, self._shapes.result(node)))
            inputs = [self._port(value) for value in node.inputs]
            if node.op in _SAME:
                return inputs[:1]
            if any(tensor.size > _MAX_ELEMENTS for tensor in inputs):
                raise CannotFold(node, f"an operand has more than {_MAX_ELEMENTS} elements")
            return self._run(node, inputs)
        except (KernelError, DecodeError, GraphError) as error:
            raise CannotFold(node, str(error)) from None

    def _run(self, node: Node, inputs: list[Tensor]) -> list[Tensor]:
        attrs = kernel_attrs(node)
        arrays = _run_kernel(node.op, attrs, inputs)
        dtypes = ops.output_dtypes(node.op, node.attrs) or ()
        tensors: list[Tensor] = []
        for port, array in enumerate(arrays):
            found = DType.from_numpy(array.dtype)
            dtype = dtypes[port] if port < len(dtypes) else found
            if dtype is not STRING if found is STRING else dtype.scalar is not found.scalar:
                raise CannotFold(node, f"by its attributes it gives {dtype}, but from its operands {found}")
            if dtype is STRING:
                tensors.append(StringTensor(tuple(array.reshape(-1).tolist()), array.shape))
            elif node.op in _VIEWS and dtype is inputs[0].dtype:
                tensors.append(inputs[0].reshaped(array.shape))
            elif node.op in _UNIFORM and array.size > 1:
                tensors.append(SplatTensor(array.reshape(-1)[0], dtype, array.shape))
            elif array.nbytes > _HELD_BYTES:
                tensors.append(_deferred(node.op, attrs, inputs, port, dtype, array.shape))
            else:
                tensors.append(ArrayTensor(array, dtype))
        return tensors


def _deferred(
    op: str, attrs: Mapping[str, object], inputs: list[Tensor], port: int, dtype: DType, shape: tuple[int, ...]
) -> Tensor:
    return DeferredTensor(lambda: _run_kernel(op, attrs, inputs)[port], dtype, shape)


def _run_kernel(op: str, attrs: Mapping[str, object], inputs: list[Tensor]) -> list[Array]:
    with np.errstate(all="ignore"):
        return evaluate(op, attrs, [t.numpy() for t in inputs], [t.dtype for t in inputs])


def kernel_attrs(node: Node) -> dict[str, object]:
    """The attributes of `node` as kernels take them: tensors as arrays."""
    found: dict[str, object] = {}
    for key, value in node.attrs.items():
        if not key.startswith("_"):
            found[key] = value.numpy() if isinstance(value, Tensor) else value
    return found
