"""TensorProto ↔ `Tensor`, in every encoding that TensorFlow writes.

A tensor is stored as raw ``tensor_content`` or in a typed list (``float_val``, ``int_val`` ...). A list that is
shorter than the shape repeats its last value, an empty one means zeros.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np

from pbslim import dtypes
from pbslim.dtypes import DTYPES, DType
from pbslim.errors import DecodeError, counted
from pbslim.ir import DeferredTensor, MappedTensor, OpaqueTensor, RepeatedTensor, SplatTensor, StringTensor, Tensor
from pbslim.ir.tensors import Array, ArrayTensor, Buffer, gathered, rechunked
from pbslim.wire.numbers import Run, count_numbers, equal_fields, fixed_numbers, packed_varints, whole_numbers
from pbslim.wire.parts import Part, Piece
from pbslim.wire.sources import Source
from pbslim.wire.varint import FIXED32, FIXED64, LEN, VARINT, fields, length_delimited, read_varint, signed, tag, varint

_DTYPE, _SHAPE, _CONTENT, _STRING = 1, 2, 4, 8
_MAX_ELEMENTS = 1 << 48
_MAX_RANK = 32  # of numpy before its version 2
_MOST_RUNS = 1 << 16
_EAGER_BYTES = 1 << 8

_WHOLE = (
    "int32",
    "uint8",
    "int16",
    "int8",
    "qint8",
    "quint8",
    "qint32",
    "qint16",
    "quint16",
    "uint16",
    "int4",
    "uint4",
)
LISTS: dict[str, int] = {
    **dict.fromkeys(_WHOLE, 7),
    "float": 5,
    "double": 6,
    "complex64": 9,
    "int64": 10,
    "bool": 11,
    "complex128": 12,
    "half": 13,
    "bfloat16": 13,
    "uint32": 16,
    "uint64": 17,
}
"""The number of the field that lists elements of each type, without its reference mark."""
FIXED_LISTS = {"float": np.float32, "double": np.float64, "complex64": np.float32, "complex128": np.float64}
"""The types whose lists hold numbers of a fixed size, and the type of these; the others hold varints."""
_FLOAT8 = 18
_FIXED_BYTES = {FIXED32: 4, FIXED64: 8}
_NUMBERED = {*LISTS.values(), _FLOAT8}


@dataclass
class _Message:
    """What the fields of a TensorProto say; of lists only where their numbers lie."""

    dtype: int = 0
    dims: tuple[int, ...] = ()
    content: tuple[int, int] | None = None
    strings: list[bytes] = field(default_factory=list)
    runs: dict[int, list[Run]] = field(default_factory=dict)


def _read(source: Source, start: int, end: int) -> _Message:
    found, at = _Message(), start
    while at < end:
        number, kind, first, stop = next(fields(source, at, end, "a tensor"))
        if number == _DTYPE and kind == VARINT:
            found.dtype = read_varint(source, first, stop)[0]
        elif number == _SHAPE and kind == LEN:
            found.dims = decode_dims(source, first, stop) or ()
        elif number == _CONTENT and kind == LEN:
            found.content = (first, stop) if stop > first else None
        elif number == _STRING and kind == LEN:
            found.strings.append(bytes(source[first:stop]))
        elif number in _NUMBERED:
            count = 1
            if kind != LEN:
                more, stop = equal_fields(source, stop, end, bytes(source[at:first]), kind)
                count += more
            runs = found.runs.setdefault(number, [])
            runs.append(Run(kind, count, first, stop))
            if len(runs) > _MOST_RUNS:
                raise DecodeError(f"the elements of a tensor at byte {start} are scattered over too many fields")
        at = stop
    return found


def decode_tensor(source: Source, start: int, end: int) -> Tensor:
    """The TensorProto between `start` and `end`; elements stay where they are.

    Raises:
        DecodeError: the message is broken, or its elements do not fit its shape.
    """
    message = _read(source, start, end)
    dtype, dims, content = DTYPES.get(message.dtype), message.dims, message.content
    if dtype is None or not is_possible(dims):
        shown = dtype or f"type number {message.dtype}"
        raise DecodeError(f"a tensor at byte {start} has an impossible type or shape: {shown}, {list(dims)}")
    if dtype.name in ("resource", "variant"):
        reason = f"a {dtype} has no value that could be read"
        return OpaqueTensor(bytes(source[start:end]), reason, dtype, dims)
    if content and dtype.itemsize:
        expected = math.prod(dims) * dtype.itemsize
        if content[1] - content[0] != expected:
            raise DecodeError(
                f"a tensor at byte {start} has {content[1] - content[0]} bytes of content, "
                f"{dtype} {list(dims)} needs {expected}"
            )
        return MappedTensor(source, content[0], dtype, dims)
    if dtype is dtypes.STRING:
        size = math.prod(dims)
        values = _string_content(source[slice(*content)], size, start) if content else tuple(message.strings)
        found: Tensor = StringTensor(values[:size], dims)  # as TensorFlow, which does not look at what is too much
    elif dtype.name in LISTS:
        found = _listed(source, message.runs.get(LISTS[dtype.name], []), dtype, dims)
    elif dtype.name.startswith("float8"):
        found = _float8(source, message.runs.get(_FLOAT8, []), dtype, dims)
    else:
        reason = f"values of type {dtype} cannot be read"
        found = OpaqueTensor(bytes(source[start:end]), reason, dtype, dims)
    found.listed = True
    return found


def _listed(source: Source, runs: list[Run], dtype: DType, dims: tuple[int, ...]) -> Tensor:
    size = math.prod(dims)
    if dtype.name in FIXED_LISTS:
        wanted = {np.float32: 5, np.float64: 1}[FIXED_LISTS[dtype.name]]  # the wire type of such numbers
        runs = [run for run in runs if run.kind in (LEN, wanted)]
        if len(runs) == 1 and runs[0].kind == LEN and runs[0].stop - runs[0].start == size * dtype.itemsize > 0:
            return MappedTensor(source, runs[0].start, dtype, dims)
        parts = [fixed_numbers(source, run, np.dtype(FIXED_LISTS[dtype.name])) for run in runs]
        numbers = np.concatenate(parts) if parts else np.empty(0, FIXED_LISTS[dtype.name])
        return _filled(_complex(numbers, dtype), dtype, dims)
    runs = [run for run in runs if run.kind in (LEN, VARINT)]
    if len(runs) == 1 and runs[0].stop - runs[0].start > _EAGER_BYTES and count_numbers(source, runs[0]) >= size:
        return PackedTensor(source, runs[0], dtype, dims)
    pieces = [from_varints(piece, dtype) for run in runs for piece in whole_numbers(source, run)]
    return _filled(np.concatenate(pieces) if pieces else np.empty(0, dtype.numpy), dtype, dims)


def decode_elements(source: Source, start: int, end: int, dtype: DType, dims: tuple[int, ...], name: str) -> Tensor:
    """The elements in the list of a TensorProto that says neither their type nor their shape; they stay where they are.

    Raises:
        DecodeError: there are fewer or more of them than `dims` says; `name` is that of the tensor.
    """
    message, size = _read(source, start, end), math.prod(dims)
    runs = message.runs.get(LISTS.get(dtype.name, 0), [])
    if dtype is dtypes.STRING:
        count = len(message.strings)
    elif dtype.name in FIXED_LISTS:
        sizes = (r.stop - r.start if r.kind == LEN else r.fields * _FIXED_BYTES.get(r.kind, 0) for r in runs)
        count = sum(sizes) // dtype.itemsize
    else:
        count = sum(count_numbers(source, run) for run in runs)
    if count != size:
        raise DecodeError(f"{name} has {counted(count, 'element')}, {dtype} {list(dims)} needs {size}")
    if dtype is dtypes.STRING:
        return StringTensor(tuple(message.strings), dims)
    return _listed(source, runs, dtype, dims) if runs else ArrayTensor(np.empty(dims, dtype.numpy), dtype)


def _float8(source: Source, runs: list[Run], dtype: DType, dims: tuple[int, ...]) -> Tensor:
    data = b"".join(bytes(source[run.start : run.stop]) for run in runs[-1:] if run.kind == LEN)
    return _filled(np.frombuffer(data, dtype.numpy), dtype, dims)


def _complex(numbers: Array, dtype: DType) -> Array:
    if not dtype.name.startswith("complex"):
        return numbers
    return np.ascontiguousarray(numbers[: numbers.size // 2 * 2]).view(dtype.numpy)


def from_varints(numbers: Array, dtype: DType) -> Array:
    """Elements of type `dtype` from the varints of their list."""
    if dtype.name in ("half", "bfloat16"):
        return numbers.astype(np.uint16).view(dtype.numpy)
    if dtype.name == "bool":
        return numbers.astype(np.bool_)
    if dtype.name in ("int64", "uint64", "uint32"):
        return numbers.astype(dtype.numpy)
    return numbers.astype(np.uint32).view(np.int32).astype(dtype.numpy, copy=False)


def _filled(stored: Array, dtype: DType, dims: tuple[int, ...]) -> Tensor:
    """The tensor whose list holds `stored`; TensorFlow does not look at what is too much either."""
    size = math.prod(dims)
    stored = stored[:size]
    if size and stored.size <= 1:
        return SplatTensor(stored[0] if stored.size else dtype.numpy.type(0), dtype, dims)
    if 1 < stored.size <= size // 2:
        return RepeatedTensor(stored, dtype, dims)
    if stored.size < size:
        tail = np.broadcast_to(stored[-1], size - stored.size)
        return DeferredTensor(lambda: np.concatenate([stored, tail]), dtype, dims)
    return ArrayTensor(stored.reshape(dims), dtype)


class PackedTensor(Tensor):
    """A tensor whose elements are varints in a typed list, which are decoded whenever they are read."""

    def __init__(self, source: Source, run: Run, dtype: DType, shape: tuple[int, ...]) -> None:
        self.dtype, self.shape, self._source, self._run = dtype, shape, source, run

    def chunks(self, multiple_of: int = 1) -> Iterator[Array]:
        """The elements in pieces."""
        pieces = (from_varints(piece, self.dtype) for piece in whole_numbers(self._source, self._run))
        return rechunked(pieces, self.size, self.dtype, multiple_of)

    def numpy(self) -> Array:
        """All elements, decoded anew."""
        return gathered(self)


def _string_content(content: bytes | memoryview, size: int, start: int) -> tuple[bytes, ...]:
    # TensorFlow packs several strings as all lengths, then all bytes.
    at = 0
    lengths = []
    if size > len(content):
        raise DecodeError(f"a tensor at byte {start} has fewer bytes than strings")
    for _ in range(size):
        length, at = read_varint(content, at, len(content))
        lengths.append(length)
    if at + sum(lengths) != len(content):
        raise DecodeError(f"a tensor at byte {start}: the lengths of its strings do not add up")
    values = []
    for length in lengths:
        values.append(bytes(content[at : at + length]))
        at += length
    return tuple(values)


def is_possible(dims: tuple[int, ...]) -> bool:
    """Whether a constant can have these dimensions; those beside one of 0 count as well, as in TensorFlow."""
    return len(dims) <= _MAX_RANK and min(dims, default=0) >= 0 and math.prod(filter(None, dims)) <= _MAX_ELEMENTS


def decode_dims(source: Source, start: int, end: int) -> tuple[int, ...] | None:
    """The dimensions of a TensorShapeProto, None for an unknown rank."""
    dims: list[int] = []
    for number, kind, at, stop in fields(source, start, end, "a shape"):
        if number == 2 and kind == LEN:
            size = 0
            for inner, inner_kind, inner_at, inner_stop in fields(source, at, stop, "a dimension"):
                if inner == 1 and inner_kind == VARINT:
                    size = signed(read_varint(source, inner_at, inner_stop)[0])
            dims.append(size)
        elif number == 3 and kind == VARINT and read_varint(source, at, stop)[0]:
            return None
    return tuple(dims)


def encode_shape(dims: tuple[int, ...]) -> bytes:
    """A TensorShapeProto with these dimensions."""
    return b"".join(length_delimited(2, tag(1, VARINT) + varint(dim) if dim else b"") for dim in dims)


def encode_tensor(tensor: Tensor) -> list[Part]:
    """The TensorProto for `tensor`: raw content, or a typed list where that is how the tensor is held."""
    if isinstance(tensor, OpaqueTensor):
        return [tensor.encoded]
    head = tag(_DTYPE, VARINT) + varint(tensor.dtype.number) + length_delimited(_SHAPE, encode_shape(tensor.shape))
    if isinstance(tensor, StringTensor):
        return [head + _encoded_strings(tensor)]
    if tensor.size == 0:
        return [head]
    if tensor.dtype is dtypes.STRING:  # a view of one, for instance
        return [head + _encoded_strings(StringTensor(tuple(tensor.numpy().reshape(-1).tolist()), tensor.shape))]
    values = tensor.head()
    if values is not None and tensor.dtype.name.startswith("float8"):
        return [head + length_delimited(_FLOAT8, values.tobytes())]
    if values is not None and tensor.dtype.name in LISTS:
        return [head + length_delimited(LISTS[tensor.dtype.name], to_list(values, tensor.dtype).tobytes())]
    if isinstance(tensor, ListedTensor) and tensor.can_be_listed:
        return [head, *tensor.typed_values()]
    return [head + tag(_CONTENT, LEN) + varint(tensor.nbytes), raw_content(tensor)]


def raw_content(tensor: Tensor) -> Piece:
    """The elements of `tensor` as raw bytes."""
    return Piece(tensor.nbytes, lambda: (np.ascontiguousarray(chunk) for chunk in tensor.chunks()))


def _encoded_strings(tensor: StringTensor) -> bytes:
    values = tensor.values
    if len(values) == tensor.size > 1:  # as TensorFlow writes them: all lengths, then all bytes
        return length_delimited(_CONTENT, b"".join(varint(len(value)) for value in values) + b"".join(values))
    return b"".join(length_delimited(_STRING, value) for value in values)


def to_list(values: Array, dtype: DType) -> Array:
    """Elements of type `dtype` as their typed list holds them: little endian, or as varints."""
    if dtype.name in FIXED_LISTS:
        return values
    stored = values.view(np.uint16) if dtype.name in ("half", "bfloat16") else values
    if stored.dtype.kind not in "iu":  # bool, and the integers of four bits
        stored = stored.astype(np.int64)
    return packed_varints(stored.astype(np.uint64 if stored.dtype.kind == "u" else np.int64).view(np.uint64))


class ListedTensor(MappedTensor):
    """A tensor whose raw bytes lie in a buffer, to be written as a typed list of its first `count` elements.

    The last of these stands for all that follow; without any, all are zero.
    """

    listed = True

    def __init__(self, buffer: Buffer, start: int, dtype: DType, shape: tuple[int, ...], count: int) -> None:
        super().__init__(buffer, start, dtype, shape)
        self.count = count

    @property
    def can_be_listed(self) -> bool:
        """Whether such a list exists: there is one for the type, and its last element does stand for what follows."""
        size = self.dtype.itemsize
        end = self._start + self.count * size
        rest = MappedTensor(self._buffer, end, dtypes.UINT8, (self.size - self.count, size))
        last = np.frombuffer(self._buffer[end - size : end] if self.count else bytes(size), np.uint8)
        return self.dtype.name in LISTS and all(np.all(piece.reshape(-1, size) == last) for piece in rest.chunks(size))

    def typed_values(self) -> list[Part]:
        """The field that lists the elements."""
        if not self.count:
            return []

        def pieces() -> Iterator[Array]:
            left = self.count
            for chunk in self.chunks():
                yield to_list(chunk[:left], self.dtype)
                left -= chunk.size
                if left <= 0:
                    return

        fixed = self.dtype.name in FIXED_LISTS
        size = self.count * self.dtype.itemsize if fixed else sum(piece.size for piece in pieces())
        return [tag(LISTS[self.dtype.name], LEN) + varint(size), Piece(size, pieces)]


def count_listed(source: Source, start: int, end: int, tensor: Tensor) -> int | None:
    """How many elements the typed list of the TensorProto of `tensor` holds, None where they are raw content."""
    count = 0
    for number, kind, at, stop in fields(source, start, end, "a tensor"):
        if number == _CONTENT:
            return None
        if number == LISTS.get(tensor.dtype.name):
            fixed = tensor.dtype.name in FIXED_LISTS
            count += (stop - at) if fixed else count_numbers(source, Run(kind, 1, at, stop))
    return count // tensor.dtype.itemsize if tensor.dtype.name in FIXED_LISTS else count


def is_plain(source: Source, start: int, end: int, tensor: Tensor) -> bool:
    """Whether the TensorProto of `tensor` says its type, shape and elements as usual, and nothing else."""
    found = list(fields(source, start, end, "a tensor"))
    shapes = [bytes(source[at:stop]) for number, _, at, stop in found if number == _SHAPE]
    elements = {number for number, *_ in found} - {_DTYPE, _SHAPE}
    return (
        any(number == _DTYPE for number, *_ in found)
        and shapes == [encode_shape(tensor.shape)]  # else it names dimensions, for instance
        and elements <= {_CONTENT, LISTS.get(tensor.dtype.name)}
        and len(elements) <= 1
    )
