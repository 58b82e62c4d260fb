"""TensorLists, which TensorFlow 2 has in place of TensorArrays: a change makes a new list."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from pbslim.dtypes import VARIANT, Shape
from pbslim.engines.builtin.actions import action
from pbslim.engines.builtin.elements import joined_shape, shape_from, stacked, zeros
from pbslim.engines.builtin.scope import Action, Scope
from pbslim.ir import Node
from pbslim.kernels.checks import Array, KernelError, checked_shape, require, scalar, vector

_MAX_LENGTH = 2**24


@dataclass(frozen=True, eq=False)
class TensorList:
    """Elements in order; None where none was set. Those of a list of lists are lists.

    Attributes:
        dtype: the numpy type of the elements, None for lists.
        shape: what is known of the shape of each.
        limit: the most elements it may have, -1 for any number.
    """

    elements: Sequence[Any]
    dtype: np.dtype[Any] | None
    shape: Shape
    limit: int = -1

    def get(self, index: int, wanted: Shape) -> Any:
        """An element; zeros where none was set. Raises KernelError where there is none."""
        require(0 <= index < len(self.elements), f"index {index} is out of range for {len(self.elements)} elements")
        return self._filled(self.elements[index], joined_shape(self.shape, wanted))

    def all(self, wanted: Shape) -> list[Any]:
        """All elements; where none was set, zeros of the shape that the list or another element has."""
        shape = joined_shape(self.shape, wanted)
        for element in self.elements:
            if isinstance(element, np.ndarray) and not shape.is_known:
                shape = joined_shape(shape, Shape(element.shape))
        return [self._filled(element, shape) for element in self.elements]

    def with_elements(self, elements: Sequence[Any]) -> TensorList:
        """The same with other elements; raises KernelError where these are too many."""
        require(self.limit < 0 or len(elements) <= self.limit, f"the list takes {self.limit} elements at most")
        require(len(elements) <= _MAX_LENGTH, f"a list of {len(elements)} elements is too long")
        return replace(self, elements=elements)

    def check(self, value: Any) -> None:
        """Raise KernelError unless `value` can be an element."""
        if self.dtype is None:
            require(isinstance(value, TensorList), "an element is not a list")
        else:
            require(isinstance(value, np.ndarray) and value.dtype == self.dtype, "an element is of another type")
            joined_shape(self.shape, Shape(value.shape))

    def _filled(self, element: Any, shape: Shape) -> Any:
        if element is not None:
            return element
        if self.dtype is None:
            raise KernelError("an element that was never set is a list")
        return zeros(shape, self.dtype)


def _list(value: Any) -> TensorList:
    require(isinstance(value, TensorList), "the handle is not that of a TensorList")
    handle: TensorList = value
    return handle


def _element_dtype(node: Node, scope: Scope) -> np.dtype[Any] | None:
    attrs = scope.attributes(node)
    return None if attrs.dtype("element_dtype") is VARIANT else attrs.array_dtype("element_dtype")


@action("TensorListReserve")
def _reserve(node: Node, scope: Scope) -> Action:
    dtype = _element_dtype(node, scope)

    def run(values: list[Any]) -> list[Any]:
        count = int(scalar(values[1], "num_elements"))
        require(0 <= count <= _MAX_LENGTH, f"a list of {count} elements is not possible")
        return [TensorList([None] * count, dtype, shape_from(values[0]))]

    return run


@action("EmptyTensorList")
def _empty(node: Node, scope: Scope) -> Action:
    dtype = _element_dtype(node, scope)
    return lambda values: [TensorList([], dtype, shape_from(values[0]), int(scalar(values[1], "max_num_elements")))]


@action("TensorListFromTensor")
def _from_tensor(_node: Node, _scope: Scope) -> Action:
    def run(values: list[Any]) -> list[Any]:
        require(values[0].ndim, "a scalar has no rows")
        shape = joined_shape(shape_from(values[1]), Shape(values[0].shape[1:]))
        return [TensorList(_rows(values[0]), values[0].dtype, shape)]

    return run


def _rows(tensor: Array) -> list[Array]:
    return [np.asarray(row, tensor.dtype) for row in tensor]


@action("TensorListStack")
def _stack(node: Node, scope: Scope) -> Action:
    wanted = scope.attributes(node).integer("num_elements", -1)

    def run(values: list[Any]) -> list[Any]:
        handle, shape = _list(values[0]), shape_from(values[1])
        count = len(handle.elements)
        require(wanted in (-1, count), f"the list has {count} elements, not {wanted}")
        return [_stacked(handle, handle.all(shape), joined_shape(handle.shape, shape))]

    return run


def _stacked(handle: TensorList, elements: Sequence[Any], shape: Shape) -> Array:
    if handle.dtype is None:
        raise KernelError("lists cannot be stacked")
    return stacked(elements, shape, handle.dtype)


@action("TensorListGetItem")
def _get(_node: Node, _scope: Scope) -> Action:
    return lambda values: [_list(values[0]).get(int(scalar(values[1], "index")), shape_from(values[2]))]


@action("TensorListSetItem")
def _set(node: Node, scope: Scope) -> Action:
    grows = scope.attributes(node).flag("resize_if_index_out_of_bounds")

    def run(values: list[Any]) -> list[Any]:
        handle, index = _list(values[0]), int(scalar(values[1], "index"))
        handle.check(values[2])
        elements = list(handle.elements)
        if grows and len(elements) <= index <= _MAX_LENGTH:
            elements += [None] * (index + 1 - len(elements))
        require(0 <= index < len(elements), f"index {index} is out of range for {len(elements)} elements")
        elements[index] = values[2]
        return [handle.with_elements(elements)]

    return run


@action("TensorListPushBack")
def _push(_node: Node, _scope: Scope) -> Action:
    def run(values: list[Any]) -> list[Any]:
        handle = _list(values[0])
        handle.check(values[1])
        return [handle.with_elements([*handle.elements, values[1]])]

    return run


@action("TensorListPopBack")
def _pop(_node: Node, _scope: Scope) -> Action:
    def run(values: list[Any]) -> list[Any]:
        handle = _list(values[0])
        require(handle.elements, "the list is empty")
        last = handle.get(len(handle.elements) - 1, shape_from(values[1]))
        return [handle.with_elements(handle.elements[:-1]), last]

    return run


@action("TensorListLength")
def _length(_node: Node, _scope: Scope) -> Action:
    return lambda values: [np.asarray(len(_list(values[0]).elements), np.int32)]


@action("TensorListElementShape")
def _element_shape(node: Node, scope: Scope) -> Action:
    dtype = scope.attributes(node).array_dtype("shape_type")

    def run(values: list[Any]) -> list[Any]:
        dims = _list(values[0]).shape.dims
        return [np.asarray(-1 if dims is None else dims, dtype)]

    return run


@action("TensorListResize")
def _resize(_node: Node, _scope: Scope) -> Action:
    def run(values: list[Any]) -> list[Any]:
        handle, size = _list(values[0]), int(scalar(values[1], "size"))
        require(0 <= size <= _MAX_LENGTH, f"a list of {size} elements is not possible")
        kept = list(handle.elements[:size])
        return [handle.with_elements(kept + [None] * (size - len(kept)))]

    return run


@action("TensorListGather")
def _gather(_node: Node, _scope: Scope) -> Action:
    def run(values: list[Any]) -> list[Any]:
        handle, indices, shape = _list(values[0]), vector(values[1], "indices"), shape_from(values[2])
        elements = handle.all(shape) if indices else []
        for index in indices:
            require(0 <= index < len(elements), f"index {index} is out of range for {len(elements)} elements")
        return [_stacked(handle, [elements[index] for index in indices], joined_shape(handle.shape, shape))]

    return run


@action("TensorListScatter", "TensorListScatterV2")
def _scatter(node: Node, scope: Scope) -> Action:
    sized = node.op.endswith("V2")
    dtype = _element_dtype(node, scope)

    def run(values: list[Any]) -> list[Any]:
        tensor, indices, shape = values[0], vector(values[1], "indices"), shape_from(values[2])
        count = int(scalar(values[3], "num_elements")) if sized else -1
        length = max([count, *(index + 1 for index in indices)])
        require(0 <= length <= _MAX_LENGTH, f"a list of {length} elements is not possible")
        return [_scattered(TensorList([None] * length, dtype, shape), indices, tensor)]

    return run


@action("TensorListScatterIntoExistingList")
def _scatter_into(_node: Node, _scope: Scope) -> Action:
    return lambda values: [_scattered(_list(values[0]), vector(values[2], "indices"), values[1])]


def _scattered(handle: TensorList, indices: list[int], tensor: Array) -> TensorList:
    require(tensor.ndim and len(tensor) == len(indices), f"{len(indices)} indices for the shape {list(tensor.shape)}")
    elements = list(handle.elements)
    elements += [None] * (max(indices, default=-1) + 1 - len(elements))
    for index, row in zip(indices, _rows(tensor), strict=True):
        require(index >= 0, f"index {index} is negative")
        handle.check(row)
        elements[index] = row
    return handle.with_elements(elements)


@action("TensorListConcat", "TensorListConcatV2")
def _concat(node: Node, scope: Scope) -> Action:
    """Elements one after the other, and the length of each."""
    attribute = scope.attrs(node).get("element_shape", Shape())
    static = attribute if isinstance(attribute, Shape) else Shape()

    def run(values: list[Any]) -> list[Any]:
        handle = _list(values[0])
        given = shape_from(values[1]) if len(values) > 1 else static
        row = Shape(None if given.dims is None else given.dims[1:])
        elements = [element for element in handle.elements if element is not None]
        require(len(elements) == len(handle.elements), "an element was never set")
        require(handle.dtype is not None and all(e.ndim for e in elements), "the elements have no rows")
        if not elements:
            return [stacked([], row, handle.dtype or np.dtype(np.float32)), np.zeros(0, np.int64)]
        require(len({element.shape[1:] for element in elements}) == 1, "elements differ in shape")
        checked_shape([sum(map(len, elements)), *elements[0].shape[1:]])
        return [np.concatenate(elements), np.array([len(element) for element in elements], np.int64)]

    return run


@action("TensorListSplit")
def _split(_node: Node, _scope: Scope) -> Action:
    def run(values: list[Any]) -> list[Any]:
        tensor, shape, lengths = values[0], shape_from(values[1]), vector(values[2], "lengths")
        require(tensor.ndim and min(lengths, default=0) >= 0, "lengths and value do not fit")
        require(sum(lengths) == len(tensor), f"the lengths add up to {sum(lengths)}, the value has {len(tensor)} rows")
        ends = np.cumsum(lengths).tolist()
        parts = [tensor[end - length : end] for end, length in zip(ends, lengths, strict=True)]
        return [TensorList(parts, tensor.dtype, shape)]

    return run


@action("TensorListConcatLists")
def _concat_lists(_node: Node, _scope: Scope) -> Action:
    def run(values: list[Any]) -> list[Any]:
        first, second = map(_list, values)
        return [first.with_elements([*first.elements, *second.elements])]

    return run
