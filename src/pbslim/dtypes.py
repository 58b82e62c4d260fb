"""The data types of TensorFlow: one table from GraphDef number to name to numpy, and static shapes.

Numbers and names are those of ``DataType`` in TensorFlow's ``types.proto``.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property

import ml_dtypes
import numpy as np

from pbslim.errors import UsageError

_REF = 100  # a reference type is its base type's number plus this


@dataclass(frozen=True)
class DType:
    """One data type of TensorFlow.

    Attributes:
        number: its number in GraphDef files.
        name: its short name, as ``type=`` parameters write it: ``float``, ``int32``, ``quint8`` ...
        scalar: the numpy scalar type that holds one element; None where an element has no fixed size
            (string, resource, variant).
    """

    number: int
    name: str
    scalar: type[np.generic] | None = None

    @cached_property
    def numpy(self) -> np.dtype[np.generic]:
        """The numpy dtype, little endian; raises TypeError for types without a fixed size."""
        if self.scalar is None:
            raise TypeError(f"{self.name} has no numpy type")
        return np.dtype(self.scalar)

    @property
    def itemsize(self) -> int:
        """Bytes an element takes in memory; 0 where that is not fixed."""
        return 0 if self.scalar is None else self.numpy.itemsize

    @property
    def is_quantized(self) -> bool:
        """Whether the integers stand for real numbers by a range kept elsewhere."""
        return self.name.startswith(("qint", "quint"))

    @property
    def is_floating(self) -> bool:
        """Whether this is a real floating-point type."""
        return self.name in _FLOATING

    @property
    def is_ref(self) -> bool:
        """Whether this is the reference form of a type, as old variables have it."""
        return self.number > _REF

    @property
    def base(self) -> DType:
        """The type without its reference mark."""
        return DTYPES[self.number - _REF] if self.is_ref else self

    def __str__(self) -> str:
        return self.name

    @classmethod
    def parse(cls, text: str) -> DType:
        """The type called `text`, in the spelling of TensorFlow's command lines (``float`` and ``float32`` alike).

        Raises:
            UsageError: no type has that name.
        """
        try:
            return _BY_NAME[text]
        except KeyError:
            raise UsageError(f"unknown data type '{text}' (known: {', '.join(_PLAIN_NAMES)})") from None

    @classmethod
    def from_numpy(cls, dtype: np.dtype[np.generic]) -> DType:
        """The plain (not quantized) type for arrays of `dtype`; objects and bytes count as strings.

        Raises:
            UsageError: TensorFlow has no such type.
        """
        if dtype.kind in "OSU":
            return STRING
        try:
            return _BY_SCALAR[dtype.type]
        except KeyError:
            raise UsageError(f"TensorFlow has no data type for numpy's {dtype}") from None


_TABLE = [
    DType(1, "float", np.float32),
    DType(2, "double", np.float64),
    DType(3, "int32", np.int32),
    DType(4, "uint8", np.uint8),
    DType(5, "int16", np.int16),
    DType(6, "int8", np.int8),
    DType(7, "string"),
    DType(8, "complex64", np.complex64),
    DType(9, "int64", np.int64),
    DType(10, "bool", np.bool_),
    DType(11, "qint8", np.int8),
    DType(12, "quint8", np.uint8),
    DType(13, "qint32", np.int32),
    DType(14, "bfloat16", ml_dtypes.bfloat16),
    DType(15, "qint16", np.int16),
    DType(16, "quint16", np.uint16),
    DType(17, "uint16", np.uint16),
    DType(18, "complex128", np.complex128),
    DType(19, "half", np.float16),
    DType(20, "resource"),
    DType(21, "variant"),
    DType(22, "uint32", np.uint32),
    DType(23, "uint64", np.uint64),
    DType(24, "float8_e5m2", ml_dtypes.float8_e5m2),
    DType(25, "float8_e4m3fn", ml_dtypes.float8_e4m3fn),
    DType(29, "int4", ml_dtypes.int4),
    DType(30, "uint4", ml_dtypes.uint4),
]

DTYPES: dict[int, DType] = {t.number: t for t in _TABLE}
"""Every type by its number, reference types included."""
DTYPES.update({t.number + _REF: DType(t.number + _REF, t.name + "_ref", t.scalar) for t in _TABLE})

_PLAIN_NAMES = [t.name for t in _TABLE]
_BY_NAME = {t.name: t for t in DTYPES.values()}
_BY_NAME.update({"float32": DTYPES[1], "float64": DTYPES[2], "float16": DTYPES[19]})
_BY_NAME.update({f"{alias}_ref": DTYPES[_BY_NAME[alias].number + _REF] for alias in ("float32", "float64", "float16")})
_FLOATING = {"float", "double", "half", "bfloat16", "float8_e5m2", "float8_e4m3fn"}
_BY_SCALAR: dict[type[np.generic], DType] = {t.scalar: t for t in _TABLE if t.scalar is not None and not t.is_quantized}

BOOL, DOUBLE, FLOAT, HALF = _BY_NAME["bool"], _BY_NAME["double"], _BY_NAME["float"], _BY_NAME["half"]
BFLOAT16, INT8, INT16, INT32, INT64 = (_BY_NAME[name] for name in ("bfloat16", "int8", "int16", "int32", "int64"))
QUINT8, RESOURCE, STRING, UINT8 = _BY_NAME["quint8"], _BY_NAME["resource"], _BY_NAME["string"], _BY_NAME["uint8"]
QINT32, VARIANT = _BY_NAME["qint32"], _BY_NAME["variant"]


@dataclass(frozen=True)
class Shape:
    """A static shape as GraphDef keeps it: -1 stands for an unknown dimension, None for an unknown rank."""

    dims: tuple[int, ...] | None = None

    @property
    def rank(self) -> int | None:
        """The number of dimensions, None when that is unknown."""
        return None if self.dims is None else len(self.dims)

    @property
    def is_known(self) -> bool:
        """Whether every dimension is known."""
        return self.dims is not None and min(self.dims, default=0) >= 0

    @property
    def size(self) -> int | None:
        """The number of elements, None unless every dimension is known."""
        return math.prod(self.dims) if self.dims is not None and self.is_known else None

    def __str__(self) -> str:
        if self.dims is None:
            return "?"
        return "[" + ",".join("?" if d < 0 else str(d) for d in self.dims) + "]"
