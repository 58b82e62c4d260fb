"""The nodes that turn what is stored back into weights.

They read nothing that is fed, so they come first in the file, and TensorFlow folds them when a session starts as long
as what they give is below 10 MB. Attributes at their default are never written: old loaders refuse those that they do
not know. The last node of each chain takes over the name of the constant.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from pbslim.dtypes import FLOAT, HALF, INT8, INT32, DType
from pbslim.ir import ArrayTensor, AttrValue, Graph, Node, StringTensor, Tensor, Value
from pbslim.ir.tensors import Array
from pbslim.quant.packing import table


class Op(NamedTuple):
    """A node that is not there yet."""

    op: str
    inputs: Sequence[Value]
    attrs: Mapping[str, AttrValue]


class Decoders:
    """Adds decoding nodes to a graph, before all others.

    Args:
        prefix: new nodes are called ``prefix/0``, ``prefix/1``, …: short, as names take room in the file.
    """

    def __init__(self, graph: Graph, prefix: str = "z") -> None:
        self._graph = graph
        self._before = list(graph)
        while any(node.name.startswith(f"{prefix}/") for node in graph):
            prefix += "z"
        self._prefix, self._count = prefix, 0
        self._tables: dict[int, Value] = {}
        self._numbers: dict[tuple[tuple[int, ...], bytes], Value] = {}

    def node(self, op: str, inputs: Iterable[Value] = (), **attrs: AttrValue) -> Node:
        """A new node."""
        self._count += 1
        return self._graph.add(f"{self._prefix}/{self._count}", op, inputs, attrs)

    def add(self, op: Op) -> Value:
        """The output of a new node."""
        return self.node(op.op, op.inputs, **op.attrs).output()

    def const(self, tensor: Tensor) -> Value:
        """A new constant."""
        return self.node("Const", dtype=tensor.dtype, value=tensor).output()

    def array(self, array: Array, dtype: DType | None = None) -> Value:
        """A new constant that holds `array`."""
        return self.const(ArrayTensor(array, dtype))

    def text(self, data: bytes) -> Value:
        """A new constant that holds one string of bytes."""
        return self.const(StringTensor((data,), ()))

    def int32(self, numbers: int | Sequence[int] | Sequence[Sequence[int]]) -> Value:
        """A constant of whole numbers; equal ones are shared."""
        array = np.array(numbers, np.int32)
        key = array.shape, array.tobytes()
        if key not in self._numbers:
            self._numbers[key] = self.array(array, INT32)
        return self._numbers[key]

    def cast(self, value: Value, source: DType, target: DType = FLOAT) -> Value:
        """`value` as another type."""
        return self.node("Cast", [value], SrcT=source, DstT=target).output()

    def reshaped(self, value: Value, shape: Sequence[int], before: Sequence[int] | None = None) -> Value:
        """`value` in another shape; itself if it has that `before`."""
        if before is not None and tuple(before) == tuple(shape):
            return value
        return self.node("Reshape", [value, self.int32(tuple(shape))], T=FLOAT).output()

    def split(self, value: Value, sizes: Sequence[int]) -> list[Value]:
        """A vector of floats in pieces."""
        if len(sizes) == 1:
            return [value]
        inputs = [value, self.int32(sizes), self.int32(0)]
        node = self.node("SplitV", inputs, T=FLOAT, Tlen=INT32, num_split=len(sizes))
        return [node.output(port) for port in range(len(sizes))]

    def floats(self, values: Array) -> Value:
        """float16 `values` as floats."""
        return self.cast(self.array(values, HALF), HALF)

    def inflated(self, stream: bytes, dtype: DType) -> Value:
        """The numbers of `dtype` in a zlib stream, as a vector."""
        text = self.node("DecodeCompressed", [self.text(stream)], compression_type=b"ZLIB").output()
        return self.node("DecodeRaw", [text], out_type=dtype).output()

    def table(self, levels: int) -> Value:
        """The floats that a byte of `packed` codes stands for, one row per byte; each table is there once."""
        if levels not in self._tables:
            self._tables[levels] = self.cast(self.array(table(levels), INT8), INT8)
        return self._tables[levels]

    def looked_up(self, table: Value, index: Value, axis: int = 0) -> Value:
        """The rows of `table`, or its slices along another axis, that an int32 vector names."""
        return self.add(gathered(table, index, self.int32(axis)))

    def transposed(self, matrix: Value) -> Value:
        """Rows as columns."""
        return self.node("Transpose", [matrix, self.int32([1, 0])], T=FLOAT).output()

    def padded(self, matrix: Value, rows: int, columns: int) -> Value:
        """A matrix with so many rows and columns of zeros before its own."""
        return self.node("Pad", [matrix, self.int32([[rows, 0], [columns, 0]])], T=FLOAT).output()

    def filled(self, vector: Value, before: int, after: int) -> Value:
        """A vector with so many zeros before and after it."""
        return self.node("Pad", [vector, self.int32([[before, after]])], T=FLOAT).output()

    def remainder(self, values: Value, divisor: Value) -> Value:
        """What is left of each element, from 0 up to the divisor."""
        return self.node("FloorMod", [values, divisor], T=FLOAT).output()

    def sign(self, values: Value) -> Value:
        """-1, 0 or 1."""
        return self.node("Sign", [values], T=FLOAT).output()

    def summed_up(self, values: Value) -> Value:
        """The sums along the first dimension up to each element."""
        return self.node("Cumsum", [values, self.int32(0)], T=FLOAT).output()

    def product(self, left: Value, right: Value, dtype: DType = FLOAT) -> Value:
        """A new node for `product`."""
        return self.add(product(left, right, dtype))

    def sum(self, left: Value, right: Value, dtype: DType = FLOAT) -> Value:
        """A new node for `total`."""
        return self.add(total(left, right, dtype))

    def floats_of(self, bits: Value) -> Value:
        """The floats with these bits, int32."""
        return self.node("Bitcast", [bits], T=INT32, type=FLOAT).output()

    def first(self, value: Value, count: int) -> Value:
        """The first elements of a vector."""
        inputs = [value, self.int32([0]), self.int32([count])]
        return self.node("Slice", inputs, T=FLOAT, Index=INT32).output()

    def place(self) -> None:
        """Put the new nodes before the others, in the order in which they were added."""
        old = set(self._before)
        new = [node for node in self._graph if node not in old]
        self._graph.reorder([*new, *(node for node in self._before if node.name in self._graph)])


def product(left: Value, right: Value, dtype: DType = FLOAT) -> Op:
    """Both multiplied, element by element."""
    return Op("Mul", [left, right], {"T": dtype})


def total(left: Value, right: Value, dtype: DType = FLOAT) -> Op:
    """Both added, element by element."""
    return Op("Add", [left, right], {"T": dtype})


def gathered(table: Value, index: Value, axis: Value) -> Op:
    """The rows of `table` that int32 numbers name."""
    return Op("GatherV2", [table, index, axis], {"Tparams": FLOAT, "Tindices": INT32, "Taxis": INT32})


def become(node: Node, op: Op) -> None:
    """Turn a Const into what is computed."""
    node.become(op.op, op.inputs, op.attrs, device=node.device)


def become_joined(node: Node, decoders: Decoders, parts: Sequence[Value], axis: int) -> None:
    """Turn a Const into its parts along an axis."""
    attrs: dict[str, AttrValue] = {"N": len(parts), "T": FLOAT, "Tidx": INT32}
    node.become("ConcatV2", [*parts, decoders.int32(axis)], attrs, device=node.device)


def become_cast(node: Node, stored: Value) -> None:
    """Turn a Const into the float values of a float16 constant."""
    node.become("Cast", [stored], {"SrcT": HALF, "DstT": FLOAT}, device=node.device)


def become_same(node: Node, value: Value) -> None:
    """Turn a Const into another name of `value`."""
    node.become("Identity", [value], {"T": FLOAT}, device=node.device)
