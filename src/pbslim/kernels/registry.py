"""The table of kernels: what operands each takes, and the one way to call it."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, TypeAlias, TypeVar

import numpy as np

from pbslim.dtypes import DTYPES, STRING, DType, Shape
from pbslim.errors import counted
from pbslim.kernels.checks import Array, KernelError, checked_shape, require
from pbslim.kernels.limits import MAX_ELEMENTS

Results: TypeAlias = "Array | Sequence[Array]"
Function: TypeAlias = "Callable[..., Results]"
T = TypeVar("T")

_MOST_KNOWN = 16  # shapes of inputs for which a prepared node remembers what follows from them

_FLOATING = frozenset({"half", "bfloat16", "float", "double"})
_SIGNED = frozenset({"int8", "int16", "int32", "int64"})
_INTEGER = _SIGNED | {"uint8", "uint16", "uint32", "uint64"}
_COMPLEX = frozenset({"complex64", "complex128"})
_QUANTIZED = frozenset({"qint8", "quint8", "qint16", "quint16", "qint32"})
_EXOTIC = frozenset({"float8_e5m2", "float8_e4m3fn", "int4", "uint4"})
_CLASSES = {
    "floating": _FLOATING,
    "integer": _INTEGER,
    "signed": _SIGNED,
    "real": _FLOATING | _INTEGER,
    "complex": _COMPLEX,
    "inexact": _FLOATING | _COMPLEX,
    "number": _FLOATING | _INTEGER | _COMPLEX,
    "index": frozenset({"int32", "int64"}),
    "quantized": _QUANTIZED,
    "any": _FLOATING | _INTEGER | _COMPLEX | _QUANTIZED | _EXOTIC | {"bool", "string"},
}


class Attributes:
    """The attributes of one node, read with the type a kernel expects and the op's default; and memory it may take."""

    __slots__ = ("_known", "_spare", "_values")

    def __init__(
        self,
        values: Mapping[str, object],
        spare: Sequence[Array] = (),
        known: dict[Hashable, Any] | None = None,
    ) -> None:
        self._values = values
        self._spare = spare
        self._known = {} if known is None else known

    def derived(self, key: Hashable, derive: Callable[[], T]) -> T:
        """What follows from the attributes and `key` alone: of a prepared node it is derived once."""
        found: T | None = self._known.get(key)
        if found is None:
            found = derive()
            if len(self._known) >= _MOST_KNOWN:
                self._known.clear()
            self._known[key] = found
        return found

    def out(self, shape: tuple[int, ...], *operands: Array) -> Array | None:
        """The first of `operands` that has this shape and that the result may overwrite, or None."""
        for operand in operands:
            if operand.shape == shape and any(operand is array for array in self._spare):
                return operand
        return None

    def _get(self, name: str, default: object, types: type | tuple[type, ...]) -> Any:
        value = self._values.get(name, default)
        require(value is not None, f"attribute '{name}' is missing")
        require(isinstance(value, types), f"attribute '{name}' is of the wrong kind")
        return value

    def integer(self, name: str, default: int | None = None) -> int:
        """An ``int`` attribute."""
        return int(self._get(name, default, (int, np.integer)))

    def number(self, name: str, default: float | None = None) -> np.float32:
        """A ``float`` attribute, in the single precision that GraphDef keeps."""
        return np.float32(self._get(name, default, (int, float, np.number)))

    def flag(self, name: str, default: bool | None = False) -> bool:
        """A ``bool`` attribute."""
        return bool(self._get(name, default, (bool, np.bool_)))

    def text(self, name: str, default: str | None = None) -> str:
        """A ``string`` attribute."""
        value = self._get(name, default, (bytes, str))
        return value.decode("latin-1") if isinstance(value, bytes) else value

    def dtype(self, name: str, default: DType | None = None) -> DType:
        """A ``type`` attribute."""
        dtype: DType = self._get(name, default, DType)
        return dtype.base

    def array_dtype(self, name: str, default: DType | None = None) -> np.dtype[Any]:
        """A ``type`` attribute as the numpy dtype of its arrays."""
        dtype = self.dtype(name, default)
        if dtype is STRING:
            return np.dtype(object)
        require(dtype.scalar is not None, f"values of type {dtype} cannot be computed")
        return dtype.numpy

    def shape(self, name: str) -> Shape:
        """A ``shape`` attribute."""
        shape: Shape = self._get(name, None, Shape)
        return shape

    def integers(self, name: str, default: Sequence[int] | None = None) -> list[int]:
        """A ``list(int)`` attribute."""
        values = self._get(name, default, (tuple, list))
        require(all(isinstance(v, (int, np.integer)) for v in values), f"attribute '{name}' is of the wrong kind")
        return [int(v) for v in values]

    def numbers(self, name: str) -> list[float]:
        """A ``list(float)`` attribute."""
        values = self._get(name, None, (tuple, list))
        require(all(isinstance(v, (int, float, np.number)) for v in values), f"attribute '{name}' is of the wrong kind")
        return [float(v) for v in values]

    def texts(self, name: str) -> list[str]:
        """A ``list(string)`` attribute."""
        values = self._get(name, (), (tuple, list))
        require(all(isinstance(v, (bytes, str)) for v in values), f"attribute '{name}' is of the wrong kind")
        return [v.decode("latin-1") if isinstance(v, bytes) else v for v in values]

    def tensor(self, name: str) -> Array:
        """A ``tensor`` attribute."""
        array: Array = self._get(name, None, np.ndarray)
        return array


@dataclass(frozen=True)
class _Operand:
    """What one place in an op's operand list takes."""

    types: frozenset[str]
    label: str
    repeats: bool

    @classmethod
    def parse(cls, text: str) -> _Operand:
        label, _, types = text.rstrip("*").rpartition(":")
        names: set[str] = set()
        for part in types.split("|"):
            names |= _CLASSES.get(part, {part})
        return cls(frozenset(names), label, text.endswith("*"))


@dataclass(frozen=True, eq=False)
class _Kernel:
    function: Function
    operands: tuple[_Operand, ...]

    @cache  # noqa: B019 - kernels are there for good
    def places(self, count: int) -> list[_Operand]:
        """The operand list for `count` inputs."""
        fixed = sum(not o.repeats for o in self.operands)
        repeated = count - fixed
        ok = repeated >= 0 if fixed < len(self.operands) else repeated == 0
        require(ok, f"it has {counted(count, 'input')}, expected {fixed}")
        places: list[_Operand] = []
        for operand in self.operands:
            places += [operand] * repeated if operand.repeats else [operand]
        return places


_KERNELS: dict[str, _Kernel] = {}
_PLAIN = {t.numpy: t for t in DTYPES.values() if t.scalar is not None and not t.is_quantized and not t.is_ref}


def kernel(*ops: str, takes: str = "") -> Callable[[Function], Function]:
    """Register a function as the kernel of `ops`.

    It is called with `Attributes` and the operands, and returns one array or one for each output port.

    Args:
        ops: names of ops.
        takes: the operands, separated by blanks, each ``[label:]types[*]``: type names or classes of them joined by
            ``|``; operands with the same label are of the same dtype; a star stands for any number of them.
    """
    operands = tuple(_Operand.parse(text) for text in takes.split())

    def register(function: Function) -> Function:
        for op in ops:
            _KERNELS[op] = _Kernel(function, operands)
        return function

    return register


def has_kernel(op: str) -> bool:
    """Whether `evaluate` knows `op`."""
    return op in _KERNELS


def function_of(op: str) -> Function:
    """The kernel of `op` alone, for kernels that are made of others: its operands are not looked at."""
    return _KERNELS[op].function


def kernel_names() -> list[str]:
    """The ops that `evaluate` knows, sorted."""
    return sorted(_KERNELS)


def evaluate(
    op: str,
    attrs: Mapping[str, object],
    inputs: Sequence[Array],
    input_dtypes: Sequence[DType] | None = None,
) -> list[Array]:
    """What `op` computes: one array for each output port, some possibly views of inputs.

    Args:
        op: the name of the op.
        attrs: its attributes as Python values; those left out have their default.
        inputs: data inputs in order; strings as object arrays of bytes. They are never written to.
        input_dtypes: types of the inputs, to distinguish quantized types from plain integers.

    Raises:
        KernelError: there is no kernel, or it cannot give TensorFlow's result for these operands.
    """
    with np.errstate(all="ignore"):
        return Prepared(op, attrs, input_dtypes)(inputs)


class Prepared:
    """A node to be computed many times: operand types are looked at when they change, not each time.

    Callers silence numpy (``np.errstate(all="ignore")``) around the calls, for that costs more than a small kernel.
    """

    __slots__ = ("_attrs", "_checked", "_dtypes", "_kernel", "_known", "op")

    def __init__(self, op: str, attrs: Mapping[str, object], input_dtypes: Sequence[DType] | None = None) -> None:
        """Arguments and errors are those of `evaluate`."""
        kernel = _KERNELS.get(op)
        if kernel is None:
            raise KernelError(f"there is no kernel for op {op}")
        self.op, self._kernel, self._attrs, self._dtypes = op, kernel, attrs, input_dtypes
        self._checked: list[np.dtype[Any]] | None = None
        self._known: dict[Hashable, Any] = {}

    def check_types(self) -> None:
        """Raise KernelError if the kernel does not take operands of the types that were given beforehand."""
        if self._dtypes is None:
            return
        try:
            for i, (place, dtype) in enumerate(zip(self._kernel.places(len(self._dtypes)), self._dtypes, strict=True)):
                require(dtype.base.name in place.types, f"operand {i} is of type {dtype.base}")
        except KernelError as error:
            raise KernelError(f"{self.op}: {error}") from None

    def __call__(self, inputs: Sequence[Array], spare: Sequence[Array] = ()) -> list[Array]:
        """As `evaluate`, but the memory of `spare` may be taken for the result.

        These are writable inputs of which nothing else is a view, passed once and not read by anyone afterwards.
        """
        try:
            self._check(inputs)
            results = self._kernel.function(Attributes(self._attrs, spare, self._known), *inputs)
            return [results] if isinstance(results, np.ndarray) else [*map(_as_array, _as_list(results))]
        except KernelError as error:
            raise KernelError(f"{self.op}: {error}") from None
        except (ArithmeticError, LookupError, MemoryError, TypeError, ValueError) as error:
            # numpy has limits of its own, for instance on the number of dimensions
            raise KernelError(f"{self.op}: {' '.join(str(error).split())}") from error

    def _check(self, inputs: Sequence[Array]) -> None:
        found = [array.dtype for array in inputs]
        if found != self._checked:
            _check_operands(self._kernel.places(len(inputs)), inputs, self._dtypes)
            self._checked = found
        for i, array in enumerate(inputs):
            if not 0 < array.size <= MAX_ELEMENTS:
                checked_shape(array.shape, f"operand {i}")


def _as_list(results: Any) -> Sequence[Any]:
    return results if isinstance(results, (list, tuple)) else [results]


def _as_array(result: Any) -> Array:
    """Numpy turns 0-d results into scalars, and those of object arrays into their element."""
    return np.asarray(result, dtype=object) if isinstance(result, bytes) else np.asarray(result)


def _check_operands(places: list[_Operand], inputs: Sequence[Array], dtypes: Sequence[DType] | None) -> None:
    require(dtypes is None or len(dtypes) == len(inputs), "inputs and their types differ in number")
    seen: dict[str, Array] = {}
    for i, (place, array) in enumerate(zip(places, inputs, strict=True)):
        name = _type_name(i, array, None if dtypes is None else dtypes[i].base, place)
        require(name in place.types, f"operand {i} is of type {name}")
        first = seen.setdefault(place.label, array) if place.label else array
        if first.dtype != array.dtype:
            raise KernelError(f"operands differ in dtype: {first.dtype} and {array.dtype}")


def _type_name(i: int, array: Array, dtype: DType | None, place: _Operand) -> str:
    plain = STRING if array.dtype.kind == "O" else _PLAIN.get(array.dtype)
    if plain is None:
        raise KernelError(f"operand {i} is an array of {array.dtype}")
    if dtype is None:  # the caller does not distinguish quantized types from plain integers
        quantized = f"q{plain}"
        return quantized if quantized in place.types else plain.name
    require(dtype is STRING or dtype.scalar is not None, f"operand {i} is of type {dtype}")
    matches = plain is STRING if dtype is STRING else array.dtype == dtype.numpy
    if not matches:
        raise KernelError(f"operand {i} is {dtype} but its array is {array.dtype}")
    return dtype.name
