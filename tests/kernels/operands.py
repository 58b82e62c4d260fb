"""Operands and cases: what a row of the tables of cases is made of."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import ml_dtypes
import numpy as np

from pbslim.dtypes import DTYPES, DType
from pbslim.kernels.checks import Array

F4, F8, F2, BF = np.float32, np.float64, np.float16, ml_dtypes.bfloat16
I4, I8, U1, I1 = np.int32, np.int64, np.uint8, np.int8
C8, C16 = np.complex64, np.complex128
FLOATS = (F4, F8, F2, BF)
INTS = (I4, I8, U1, I1)
SIGNED = (I4, I8, np.int16, I1)
ALL_INTS = (*INTS, np.int16, np.uint16, np.uint32, np.uint64)
COMPLEX = (C8, C16)
NAMED = {t.name: t for t in DTYPES.values()}
NAN, INF = np.nan, np.inf


@dataclass(frozen=True)
class Case:
    """One node: operands as arrays, types only where the array does not tell."""

    op: str
    operands: tuple[Array, ...]
    attrs: dict[str, Any] = field(default_factory=dict)
    types: tuple[DType, ...] = ()
    ports: int | None = None  # compare only this many outputs

    def __str__(self) -> str:
        shapes = ",".join(
            f"{t}{list(a.shape)}".replace(" ", "") for t, a in zip(self.types, self.operands, strict=True)
        )
        attrs = ",".join(f"{k}={v}" for k, v in self.attrs.items())
        return f"{self.op}({shapes};{attrs})".replace(" ", "").replace("\n", "")


def strings(values: Any) -> Array:
    """Bytes (nested lists) as an object array."""
    return np.array(values, dtype=object)


def case(op: str, *operands: Any, types: Any = (), ports: Any = None, **attrs: Any) -> Case:
    arrays = tuple(
        a if isinstance(a, np.ndarray) else np.asarray(a, None if isinstance(a, np.generic) else F4) for a in operands
    )
    known = [NAMED[t] for t in types] or [DType.from_numpy(a.dtype) for a in arrays]
    return Case(op, arrays, attrs, tuple(known), ports)


def i4(values: Any) -> Array:
    return np.array(values, I4)


def i8(values: Any) -> Array:
    return np.array(values, I8)


def numbers(dtype: Any, *shape: int, seed: int = 0) -> Array:
    """Some small numbers, of both signs where the type has them."""
    rng = np.random.default_rng(seed + 7 * len(shape))
    if dtype is bool or dtype == np.bool_:
        return rng.integers(0, 2, shape).astype(bool)
    if dtype is object:
        return strings(rng.integers(0, 99, shape).astype("S").tolist()).reshape(shape)
    kind = np.dtype(dtype).kind
    if kind == "u":
        return rng.integers(0, 20, shape).astype(dtype)
    if kind == "i":
        return rng.integers(-10, 11, shape).astype(dtype)
    values = rng.normal(0, 2, shape)
    if kind == "c":
        return (values + 1j * rng.normal(0, 2, shape)).astype(dtype)
    return values.astype(F4).astype(dtype)


def nonzero(array: Array) -> Array:
    return np.where(array == 0, array.dtype.type(3), array)


EDGES = [NAN, INF, -INF, 0.0, -0.0, 1.0, -1.0, 0.5, -0.5, 1.5, 2.5, -2.5, 1e-3, 60.0, -60.0, 3e4]


def edges(dtype: Any) -> Array:
    return np.array(EDGES, F4).astype(dtype)


def edge_pairs(dtype: Any) -> tuple[Array, Array]:
    x, y = np.meshgrid(edges(F4), edges(F4))
    return x.astype(dtype), y.astype(dtype)
