"""Small random graphs in which the order of axes changes again and again."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt
from hypothesis import strategies as st

from pbslim.dtypes import FLOAT, INT32, INT64, DType, Shape
from pbslim.ir import ArrayTensor, AttrValue, Graph, Node, Value

T = TypeVar("T")
_MOST_AXES, _MOST_ELEMENTS = 5, 2000


class RandomLayouts:
    """A graph that grows by steps that are drawn.

    Attributes:
        outputs: names of what is read at the end.
        feeds: values for its placeholders.
    """

    def __init__(self, data: st.DataObject) -> None:
        self._data = data
        self.graph = Graph()
        self._shapes: dict[Value, tuple[int, ...]] = {}
        self.feeds: dict[str, npt.NDArray[np.float32]] = {}
        for number in range(self._draw(st.integers(1, 2))):
            self._placeholder(f"x{number}")
        steps: list[Callable[[Value], Value | None]] = [
            *(self._transpose, self._transpose, self._expand, self._squeeze, self._reshape, self._new_axis),
            *(self._pad, self._map, self._sum, self._stack, self._join, self._cumulate),
        ]
        values = list(self._shapes)
        for _ in range(self._draw(st.integers(2, 10))):
            step = self._draw(st.sampled_from(steps))
            # mostly the last one, for chains
            source = values[-1] if self._draw(st.booleans()) else self._draw(st.sampled_from(values))
            made = step(source)
            if made is not None:
                values.append(made)
        ends = [value for value in values if not value.is_used]
        self.outputs = [value.name for value in ends if value.name not in self.feeds]
        inner = [value for value in values if value.is_used and value.name not in self.feeds]
        if inner and self._draw(st.integers(0, 3)) == 0:
            self.outputs.append(self._draw(st.sampled_from(inner)).name)
        self.graph.forget_changes()

    def _draw(self, strategy: st.SearchStrategy[T]) -> T:
        return self._data.draw(strategy)

    def _placeholder(self, name: str) -> None:
        dims = tuple(self._draw(st.lists(st.sampled_from([1, 2, 3]), min_size=1, max_size=3)))
        known = tuple(-1 if self._draw(st.integers(0, 5)) == 0 else dim for dim in dims)
        node = self.graph.add(name, "Placeholder", attrs={"dtype": FLOAT, "shape": Shape(known)})
        self._shapes[node.output()] = dims
        size = int(np.prod(dims))
        self.feeds[name] = np.linspace(-1, 1, size, dtype=np.float32).reshape(dims) + np.float32(0.1)

    def _const(self, numbers: Any, dtype: DType = INT32) -> Value:
        tensor = ArrayTensor(np.array(numbers, dtype.numpy), dtype)
        name = self.graph.unique_name("const")
        return self.graph.add(name, "Const", attrs={"dtype": dtype, "value": tensor}).output()

    def _add(self, op: str, inputs: Sequence[Value], shape: Sequence[int], **attrs: AttrValue) -> Value | None:
        if len(shape) > _MOST_AXES or np.prod(shape, dtype=int) > _MOST_ELEMENTS:
            return None
        node: Node = self.graph.add(self.graph.unique_name(op.lower()), op, inputs, {"T": FLOAT} | attrs)
        self._shapes[node.output()] = tuple(shape)
        return node.output()

    def _transpose(self, x: Value) -> Value | None:
        shape = self._shapes[x]
        order = self._draw(st.permutations(range(len(shape))))
        kind = self._draw(st.sampled_from([INT32, INT64]))
        return self._add("Transpose", [x, self._const(order, kind)], [shape[axis] for axis in order], Tperm=kind)

    def _expand(self, x: Value) -> Value | None:
        shape = list(self._shapes[x])
        axis = self._draw(st.integers(-len(shape) - 1, len(shape)))
        shape.insert(axis % (len(shape) + 1), 1)
        return self._add("ExpandDims", [x, self._const(axis)], shape, Tdim=INT32)

    def _squeeze(self, x: Value) -> Value | None:
        shape = self._shapes[x]
        units = [axis for axis, dim in enumerate(shape) if dim == 1]
        gone = self._draw(st.lists(st.sampled_from(units), unique=True)) if units else []
        left = [dim for axis, dim in enumerate(shape) if (axis not in gone if gone else dim != 1)]
        return self._add("Squeeze", [x], left, squeeze_dims=tuple(gone))

    def _reshape(self, x: Value) -> Value | None:
        shape = [dim for dim in self._shapes[x] if dim != 1]
        for _ in range(self._draw(st.integers(0, 2))):
            shape.insert(self._draw(st.integers(0, len(shape))), 1)
        return self._add("Reshape", [x, self._const(np.array(shape, int))], shape, Tshape=INT32)

    def _new_axis(self, x: Value) -> Value | None:
        shape = self._shapes[x]
        at = self._draw(st.integers(0, len(shape)))
        zeros = self._const([0] * (at + 1))
        masks: dict[str, AttrValue] = {"new_axis_mask": 1 << at, "begin_mask": (1 << at) - 1, "end_mask": (1 << at) - 1}
        read = [x, zeros, zeros, self._const([1] * (at + 1))]
        return self._add("StridedSlice", read, [*shape[:at], 1, *shape[at:]], Index=INT32, **masks)

    def _pad(self, x: Value) -> Value | None:
        shape = self._shapes[x]
        op = self._draw(st.sampled_from(["Pad", "PadV2", "MirrorPad"]))
        limits = [min(dim - 1, 2) if op == "MirrorPad" else self._draw(st.sampled_from([0, 0, 2])) for dim in shape]
        pairs = [(self._draw(st.integers(0, limit)), self._draw(st.integers(0, limit))) for limit in limits]
        kind = self._draw(st.sampled_from([INT32, INT64]))
        read = [x, self._const(np.array(pairs, int).reshape(-1, 2), kind)]
        extra: dict[str, AttrValue] = {"mode": b"REFLECT"} if op == "MirrorPad" else {}
        if op == "PadV2":
            read.append(self._const(0.5, FLOAT))
        after = [dim + sum(pair) for dim, pair in zip(shape, pairs, strict=True)]
        return self._add(op, read, after, Tpaddings=kind, **extra) if shape else None

    def _map(self, x: Value) -> Value | None:
        return self._add(self._draw(st.sampled_from(["Relu", "Neg", "Identity", "Square"])), [x], self._shapes[x])

    def _sum(self, x: Value) -> Value | None:
        shape = self._shapes[x]
        fit = [value for value, dims in self._shapes.items() if len(dims) == len(shape) and _broadcast(dims, shape)]
        other = self._draw(st.sampled_from([*fit, self._const(2, FLOAT)]))
        op = self._draw(st.sampled_from(["Add", "Mul", "Sub", "Maximum"]))
        return self._add(op, [x, other], np.broadcast_shapes(shape, self._shapes.get(other, ())))

    def _stack(self, x: Value) -> Value | None:
        shape = self._shapes[x]
        read = [x, self._draw(st.sampled_from([v for v, dims in self._shapes.items() if dims == shape]))]
        axis = self._draw(st.integers(-len(shape) - 1, len(shape)))
        at = axis % (len(shape) + 1)
        return self._add("Pack", read, [*shape[:at], 2, *shape[at:]], N=2, axis=axis)

    def _join(self, x: Value) -> Value | None:
        shape = self._shapes[x]
        if not shape:
            return None
        axis = self._draw(st.integers(-len(shape), len(shape) - 1))
        at = axis % len(shape)
        fit = [
            value
            for value, dims in self._shapes.items()
            if len(dims) == len(shape) and (*dims[:at], *dims[at + 1 :]) == (*shape[:at], *shape[at + 1 :])
        ]
        other = self._draw(st.sampled_from(fit))
        joined = [*shape[:at], shape[at] + self._shapes[other][at], *shape[at + 1 :]]
        return self._add("ConcatV2", [x, other, self._const(axis)], joined, N=2, Tidx=INT32)

    def _cumulate(self, x: Value) -> Value | None:
        """Something that works in one order only."""
        shape = self._shapes[x]
        return self._add("Cumsum", [x, self._const(len(shape) - 1)], shape, Tidx=INT32) if shape else None


def _broadcast(one: Sequence[int], other: Sequence[int]) -> bool:
    return all(1 in pair or pair[0] == pair[1] for pair in zip(one, other, strict=True))
