"""What rows of tensors have in common: elements of one type whose shapes may be known in part."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from pbslim.dtypes import Shape
from pbslim.kernels.checks import Array, KernelError, checked_shape, require


def joined_shape(one: Shape, other: Shape) -> Shape:
    """What both say together; raises KernelError where they contradict each other."""
    if one.dims is None or other.dims is None:
        return other if one.dims is None else one
    fits = len(one.dims) == len(other.dims) and all(
        -1 in (a, b) or a == b for a, b in zip(one.dims, other.dims, strict=True)
    )
    if not fits:
        raise KernelError(f"an element of the shape {other} does not fit {one}")
    return Shape(tuple(map(max, one.dims, other.dims)))


def shape_from(value: Array) -> Shape:
    """The shape that a tensor stands for: a vector of sizes, or -1 for an unknown rank."""
    if value.ndim == 0:
        require(int(value) == -1, f"{int(value)} is not a shape")
        return Shape()
    require(value.ndim == 1 and (value >= -1).all(), "it is not a shape")
    return Shape(tuple(int(v) for v in value))


def zeros(shape: Shape, dtype: np.dtype[Any]) -> Array:
    """An element that was never written; raises KernelError where its shape is not known."""
    require(shape.is_known, f"an element that was never written has the shape {shape}, which is not known")
    array = np.zeros(checked_shape(shape.dims or ()), dtype)
    if dtype.kind == "O":
        array[...] = b""
    return array


def stacked(elements: Sequence[Array], shape: Shape, dtype: np.dtype[Any]) -> Array:
    """Elements as rows; none make a tensor of no rows."""
    if not elements:
        require(shape.is_known, f"without elements the shape {shape} is not known")
        return np.zeros((0, *(shape.dims or ())), dtype)
    first = elements[0].shape
    require(all(element.shape == first for element in elements), "elements differ in shape")
    joined_shape(shape, Shape(first))
    checked_shape((len(elements), *first))
    return np.stack(elements)
