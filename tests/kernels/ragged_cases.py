"""Rows of different lengths."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from pbslim.dtypes import INT32
from tests.kernels.operands import F4, I4, Case, case, i4, i8, numbers, strings

SPLITS = (i8([0, 2, 2, 5]), i8([0, 1, 4, 4, 6, 7]))  # three rows of rows


def ragged() -> Iterator[Case]:
    values = numbers(F4, 7, seed=2)
    to_tensor: dict[str, Any] = {"row_partition_types": (b"ROW_SPLITS",)}
    one = i8([0, 3, 3, 7])
    for shape in (i8(-1), i8([-1, -1]), i8([2, 3]), i8([5, 6]), i8([-1, 2])):
        yield case("RaggedTensorToTensor", shape, values, F4(9), one, **to_tensor)
    yield case(
        "RaggedTensorToTensor", i4([-1, -1]), strings([b"a", b"b", b"c"]), strings(b"-"), i4([0, 1, 3]), **to_tensor
    )
    pairs = numbers(I4, 7, 2)
    for default in (I4(5), i4([5, 6])):
        yield case("RaggedTensorToTensor", i8(-1), pairs, default, one, **to_tensor)
    by_number: dict[str, Any] = {"row_partition_types": (b"FIRST_DIM_SIZE", b"VALUE_ROWIDS")}
    yield case("RaggedTensorToTensor", i8(-1), values, F4(0), i8(5), i8([0, 0, 1, 3, 3, 3, 4]), **by_number)
    nested: dict[str, Any] = {"row_partition_types": (b"ROW_SPLITS", b"ROW_SPLITS")}
    for shape in (i8(-1), i8([2, 2, 2]), i8([-1, 4, -1])):
        yield case("RaggedTensorToTensor", shape, values, F4(-1), *SPLITS, **nested)
    mixed: dict[str, Any] = {"row_partition_types": (b"FIRST_DIM_SIZE", b"VALUE_ROWIDS", b"ROW_SPLITS")}
    yield case("RaggedTensorToTensor", i8(-1), values, F4(0), i8(3), i8([0, 0, 2, 2, 2]), SPLITS[1], **mixed)
    yield case("RaggedTensorToSparse", one, values)
    yield case("RaggedTensorToSparse", *SPLITS, values)
    yield case("RaggedTensorToSparse", one, numbers(F4, 7, 2, 3))
    yield case("RaggedTensorToSparse", i8([0]), values[:0])
    for indices in (i4([2, 0, 2]), i8([[1, 2], [0, 0]]), i8([])):
        rank = indices.ndim - 1
        yield case("RaggedGather", one, values, indices, PARAMS_RAGGED_RANK=1, OUTPUT_RAGGED_RANK=1 + rank)
        yield case("RaggedGather", *SPLITS, pairs, indices, PARAMS_RAGGED_RANK=2, OUTPUT_RAGGED_RANK=2 + rank)
    yield case("RaggedRange", i4([0, 5, 3]), i4([3, 5, -4]), i4([1, 1, -2]))
    yield case("RaggedRange", i8(2), i8([5, 2, 9]), i8(3), Tsplits=INT32)
    yield case("RaggedRange", np.array([0, 1], F4), np.array([1, 2.5], F4), F4(0.4))
    yield case("RaggedRange", i4(0), i4(4), i4(1))
