"""TensorArrays: rows of tensors that loops write and read, each element once.

The three generations of these ops do the same; only V3 distinguishes a resource from a string.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from pbslim.dtypes import Shape
from pbslim.engines.builtin.actions import action
from pbslim.engines.builtin.elements import joined_shape, stacked, zeros
from pbslim.engines.builtin.scope import Action, Scope
from pbslim.ir import Node
from pbslim.kernels.checks import MAX_OUTPUTS, Array, require, scalar, vector

_FLOW = np.zeros((), np.float32)
_NO_SHAPE = Shape()


def _versions(name: str) -> tuple[str, ...]:
    return f"{name}", f"{name}V2", f"{name}V3"


@dataclass(eq=False)
class TensorArray:
    """The elements by index; one that is not there has not been written, one that is None was read and cleared.

    Attributes:
        dtype: the numpy type of the elements.
        shape: what is known of the shape of each.
        size: how many there are.
        grows: whether a write beyond the end makes it longer.
        clears: whether an element is gone once it is read.
        alike: whether all elements have the same shape.
    """

    dtype: np.dtype[Any]
    shape: Shape
    size: int
    grows: bool
    clears: bool
    alike: bool
    elements: dict[int, Array | None] = field(default_factory=dict)

    def write(self, index: int, value: Array) -> None:
        """Put `value` at `index`; raises KernelError where it does not fit."""
        require(index >= 0, f"index {index} is negative")
        if self.grows:
            require(index < MAX_OUTPUTS or index <= 2 * self.size, f"index {index} is far beyond the end")
            self.size = max(self.size, index + 1)
        require(index < self.size, f"index {index} is out of range for size {self.size}")
        require(index not in self.elements, f"element {index} is written twice")
        require(value.dtype == self.dtype, f"an element of type {value.dtype} is written among {self.dtype}")
        joined = joined_shape(self.shape, Shape(value.shape))
        if self.alike:
            self.shape = joined
        self.elements[index] = value

    def read(self, index: int) -> Array:
        """The element at `index`; zeros where none was written. Raises KernelError where there is none."""
        require(0 <= index < self.size, f"index {index} is out of range for size {self.size}")
        value = self.elements.get(index) if index in self.elements else zeros(self.shape, self.dtype)
        if value is None:
            require(False, f"element {index} is read twice")
        if self.clears:
            self.elements[index] = None
        return value  # type: ignore[return-value]  # None is refused above


def _array(value: Any) -> TensorArray:
    require(isinstance(value, TensorArray), "the handle is not that of a TensorArray")
    array: TensorArray = value
    return array


@action(*_versions("TensorArray"))
def _make(node: Node, scope: Scope) -> Action:
    attrs = scope.attributes(node)
    dtype = attrs.array_dtype("dtype")
    shape = scope.attrs(node).get("element_shape", _NO_SHAPE)
    known = shape if isinstance(shape, Shape) else _NO_SHAPE
    grows, clears = attrs.flag("dynamic_size"), attrs.flag("clear_after_read", True)
    alike = attrs.flag("identical_element_shapes")

    def run(values: list[Any]) -> list[Any]:
        size = int(scalar(values[0], "size"))
        require(size >= 0, "size is negative")
        return [TensorArray(dtype, known, size, grows, clears, alike), _FLOW]

    return run


@action(*_versions("TensorArrayWrite"))
def _write(_node: Node, _scope: Scope) -> Action:
    def run(values: list[Any]) -> list[Any]:
        _array(values[0]).write(int(scalar(values[1], "index")), values[2])
        return [_FLOW]

    return run


@action(*_versions("TensorArrayRead"))
def _read(_node: Node, _scope: Scope) -> Action:
    return lambda values: [_array(values[0]).read(int(scalar(values[1], "index")))]


@action(*_versions("TensorArraySize"))
def _size(_node: Node, _scope: Scope) -> Action:
    return lambda values: [np.asarray(_array(values[0]).size, np.int32)]


@action(*_versions("TensorArrayClose"))
def _close(_node: Node, _scope: Scope) -> Action:
    def run(values: list[Any]) -> list[Any]:
        _array(values[0]).elements.clear()
        return []

    return run


def _several(indices: Callable[[TensorArray, list[Any]], Iterable[int]]) -> Callable[[Node, Scope], Action]:
    """Read elements and stack them."""

    def make(node: Node, scope: Scope) -> Action:
        wanted = scope.attrs(node).get("element_shape", _NO_SHAPE)
        shape = wanted if isinstance(wanted, Shape) else _NO_SHAPE

        def run(values: list[Any]) -> list[Any]:
            array = _array(values[0])
            elements = [array.read(index) for index in indices(array, values)]
            return [stacked(elements, joined_shape(array.shape, shape), array.dtype)]

        return run

    return make


action(*_versions("TensorArrayGather"))(_several(lambda _array, values: vector(values[1], "indices")))
action("TensorArrayPack")(_several(lambda array, _values: range(array.size)))


@action(*_versions("TensorArrayScatter"))
def _scatter(_node: Node, _scope: Scope) -> Action:
    def run(values: list[Any]) -> list[Any]:
        array, indices, rows = _array(values[0]), vector(values[1], "indices"), values[2]
        require(rows.ndim and len(rows) == len(indices), f"{len(indices)} indices for the shape {list(rows.shape)}")
        for index, row in zip(indices, rows, strict=True):
            array.write(index, np.asarray(row, rows.dtype))
        return [_FLOW]

    return run


@action("TensorArrayUnpack")
def _unpack(_node: Node, _scope: Scope) -> Action:
    def run(values: list[Any]) -> list[Any]:
        array, rows = _array(values[0]), values[1]
        require(rows.ndim, "a scalar has no rows")
        for index, row in enumerate(rows):
            array.write(index, np.asarray(row, rows.dtype))
        return [_FLOW]

    return run


@action(*_versions("TensorArrayConcat"))
def _concat(_node: Node, _scope: Scope) -> Action:
    """Elements one after the other, and the length of each."""

    def run(values: list[Any]) -> list[Any]:
        array = _array(values[0])
        elements = [array.read(index) for index in range(array.size)]
        require(elements, "a TensorArray of no elements has nothing to join")
        require(all(element.ndim for element in elements), "scalars cannot be joined")
        require(len({element.shape[1:] for element in elements}) == 1, "elements differ in shape")
        return [np.concatenate(elements), np.array([len(element) for element in elements], np.int64)]

    return run


@action(*_versions("TensorArraySplit"))
def _split(_node: Node, _scope: Scope) -> Action:
    def run(values: list[Any]) -> list[Any]:
        array, value, lengths = _array(values[0]), values[1], vector(values[2], "lengths")
        require(value.ndim and min(lengths, default=0) >= 0, "lengths and value do not fit")
        require(sum(lengths) == len(value), f"the lengths add up to {sum(lengths)}, the value has {len(value)} rows")
        require(array.grows or len(lengths) == array.size, f"{len(lengths)} lengths for {array.size} elements")
        at = 0
        for index, length in enumerate(lengths):
            array.write(index, value[at : at + length])
            at += length
        return [_FLOW]

    return run
