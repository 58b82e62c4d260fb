"""Sparse tensors."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from tests.kernels.operands import C8, F4, F8, I4, Case, case, i4, i8, numbers, strings

PLACES = i8([[0, 1], [0, 3], [2, 0], [4, 4]])


def sparse() -> Iterator[Case]:
    for dtype in (F4, I4, object, bool):
        default = strings(b"none") if dtype is object else np.array(1, dtype)
        yield case("SparseFillEmptyRows", PLACES, numbers(dtype, 4), i8([6, 5]), default)
    yield case("SparseFillEmptyRows", PLACES[[2, 3, 0, 1]], numbers(F4, 4), i8([5, 5]), F4(7))
    yield case("SparseFillEmptyRows", PLACES[:0], numbers(F4, 0), i8([3, 5]), F4(7))
    yield case("SparseFillEmptyRows", PLACES[:0], numbers(F4, 0), i8([0, 5]), F4(7))
    yield case("SparseReorder", PLACES[[3, 1, 0, 2]], numbers(F4, 4), i8([6, 5]))
    yield case("SparseReorder", PLACES[[3, 1, 0, 2]], numbers(object, 4), i8([6, 5]))
    for dtype in (F4, F8, C8):
        values = numbers(dtype, 4)
        yield case("SparseTensorDenseMatMul", PLACES, values, i8([6, 5]), numbers(dtype, 5, 3))
        adjoint = numbers(dtype, 6, 3), numbers(dtype, 3, 6)
        yield case("SparseTensorDenseMatMul", PLACES, values, i8([6, 5]), adjoint[0], adjoint_a=True)
        both = {"adjoint_a": True, "adjoint_b": True}
        yield case("SparseTensorDenseMatMul", PLACES, values, i8([6, 5]), adjoint[1], **both)
    for start, size in (([0, 0], [3, 2]), ([1, 1], [9, 9]), ([5, 5], [2, 2]), ([2, 0], [1, 5])):
        yield case("SparseSlice", PLACES, numbers(F4, 4), i8([6, 5]), i8(start), i8(size))
    others = i8([[0, 0], [5, 1]])
    operands = PLACES, others, numbers(F4, 4), numbers(F4, 2), i8([6, 5]), i8([6, 2])
    for axis in (1, -1):
        yield case("SparseConcat", *operands, concat_dim=axis, N=2)
    square = PLACES, others, numbers(F4, 4), numbers(F4, 2), i8([6, 5]), i8([7, 5])
    yield case("SparseConcat", *square, concat_dim=0, N=2)
    for axes in ([0], [1], [-1], [0, 1], []):
        for keep in (False, True):
            yield case("SparseReduceSum", PLACES, numbers(F4, 4), i8([6, 5]), i4(axes), keep_dims=keep)
