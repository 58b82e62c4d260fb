"""Random numbers that follow from their operands."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from pbslim.dtypes import DType
from tests.kernels.operands import FLOATS, I4, I8, Case, case, i4, i8

DRAWS = ("StatelessRandomUniform", "StatelessRandomNormal", "StatelessTruncatedNormal")
KEY = np.array([6403228833514061428], np.uint64), np.array([5, 1432497372691926344], np.uint64), i4(1)


def random() -> Iterator[Case]:
    for op in DRAWS:
        for dtype in FLOATS:
            kind = DType.from_numpy(np.dtype(dtype))
            yield case(op, i4([3, 7]), i8([12, -345]), dtype=kind)
            yield case(f"{op}V2", i4([101]), *KEY, dtype=kind)
        yield case(op, i8([2, 0]), i4([1, 2]))
    for dtype in (I4, I8):
        kind = DType.from_numpy(np.dtype(dtype))
        for bounds in ((0, 10), (-(2**31), 2**31 - 1), (5, 6)):
            operands = [np.array(bound, dtype) for bound in bounds]
            yield case("StatelessRandomUniformInt", i4([9]), i8([7, 8]), *operands, dtype=kind)
            yield case("StatelessRandomUniformIntV2", i4([9]), *KEY, *operands, dtype=kind)
    yield case("StatelessRandomGetKeyCounter", i8([2**40, -2]))
    yield case("StatelessRandomGetAlg")
