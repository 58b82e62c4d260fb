"""TensorProto ↔ `Tensor`, in every encoding that TensorFlow writes.

A tensor is stored as raw ``tensor_content`` or in a typed list (``float_val``, ``int_val`` ...). A list that is
shorter than the shape repeats its last value, an empty one means zeros.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from pbslim import dtypes
from pbslim.dtypes import DTYPES, DType
from pbslim.errors import DecodeError
from pbslim.ir import DeferredTensor, MappedTensor, OpaqueTensor, RepeatedTensor, SplatTensor, StringTensor, Tensor
from pbslim.ir.tensors import Array, ArrayTensor, Buffer
from pbslim.wire import schema
from pbslim.wire.varint import LEN, VARINT, fields, length_delimited, read_varint, signed, tag, varint

_DTYPE, _SHAPE, _CONTENT, _STRING, _FLOAT8 = 1, 2, 4, 8, 18
_MAX_ELEMENTS = 1 << 48
_MAX_RANK = 32  # of numpy before its version 2

# The typed list of each type: its field name and the numpy type of the stored numbers.
_LISTS: dict[str, tuple[str, type[np.generic]]] = {
    "float": ("float_val", np.float32),
    "double": ("double_val", np.float64),
    "int64": ("int64_val", np.int64),
    "bool": ("bool_val", np.bool_),
    "uint32": ("uint32_val", np.uint32),
    "uint64": ("uint64_val", np.uint64),
    "complex64": ("scomplex_val", np.float32),
    "complex128": ("dcomplex_val", np.float64),
    "half": ("half_val", np.int32),
    "bfloat16": ("half_val", np.int32),
    **dict.fromkeys(
        (
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
        ),
        ("int_val", np.int32),
    ),
}
_LIST_FIELDS = {
    "float_val": 5,
    "double_val": 6,
    "int_val": 7,
    "scomplex_val": 9,
    "int64_val": 10,
    "bool_val": 11,
    "dcomplex_val": 12,
    "half_val": 13,
    "uint32_val": 16,
    "uint64_val": 17,
}
# Lists of fixed-size numbers can be used where they lie: field number, bytes a number.
_INTEGERS = {"int32": 7, "int64": 10, "bool": 11}
_FIXED_LISTS = {"float": (5, 4), "double": (6, 8), "complex64": (9, 4), "complex128": (12, 8)}


def decode_tensor(buffer: Buffer, view: memoryview, start: int, end: int) -> Tensor:
    """The TensorProto between `start` and `end` of `view`, the bytes of `buffer`; elements stay where they are.

    Raises:
        DecodeError: the message is broken, or its elements do not fit its shape.
    """
    dtype_number, content = 0, None
    dims: tuple[int, ...] = ()
    seen: dict[int, list[tuple[int, int, int]]] = {}
    for number, kind, at, stop in fields(view, start, end, "a tensor"):
        if number == _DTYPE and kind == VARINT:
            dtype_number = read_varint(view, at, stop)[0]
        elif number == _SHAPE and kind == LEN:
            dims = decode_dims(view, at, stop) or ()
        elif number == _CONTENT and kind == LEN:
            content = (at, stop)
        else:
            seen.setdefault(number, []).append((kind, at, stop))
    dtype = DTYPES.get(dtype_number)
    if dtype is None or not is_possible(dims):
        shown = dtype or f"type number {dtype_number}"
        raise DecodeError(f"a tensor at byte {start} has an impossible type or shape: {shown}, {list(dims)}")
    if dtype.name in ("resource", "variant"):
        reason = f"a {dtype} has no value that could be read"
        return OpaqueTensor(bytes(view[start:end]), reason, dtype, dims)
    if content and content[1] > content[0] and dtype.itemsize:
        expected = math.prod(dims) * dtype.itemsize
        if content[1] - content[0] != expected:
            raise DecodeError(
                f"a tensor at byte {start} has {content[1] - content[0]} bytes of content, "
                f"{dtype} {list(dims)} needs {expected}"
            )
        return MappedTensor(buffer, content[0], dtype, dims)
    found = (
        _fixed_list(buffer, seen, dtype, dims)
        or _one_integer(view, seen, dtype, dims)
        or _typed_list(view, start, end, dtype, dims)
    )
    found.listed = True
    return found


def _fixed_list(
    buffer: Buffer, seen: dict[int, list[tuple[int, int, int]]], dtype: DType, dims: tuple[int, ...]
) -> Tensor | None:
    number, _ = _FIXED_LISTS.get(dtype.name, (0, 0))
    places = seen.get(number, ())
    if len(places) == 1 and places[0][0] == LEN:
        _, at, stop = places[0]
        if stop - at == math.prod(dims) * dtype.itemsize > 0:
            return MappedTensor(buffer, at, dtype, dims)
    return None


def _one_integer(
    view: memoryview, seen: dict[int, list[tuple[int, int, int]]], dtype: DType, dims: tuple[int, ...]
) -> Tensor | None:
    # Scalars are the most frequent constants by far; the general way through a message is slow.
    places = seen.get(_INTEGERS.get(dtype.name, 0), ())
    if dims == () and len(seen) == 1 and len(places) == 1 and places[0][0] == LEN:
        _, at, stop = places[0]
        value, end = read_varint(view, at, stop)
        if end == stop:
            value = signed(value)
            number: Any = np.array(value).astype(dtype.numpy)[()]
            return SplatTensor(number, dtype, ())
    return None


def _typed_list(view: memoryview, start: int, end: int, dtype: DType, dims: tuple[int, ...]) -> Tensor:
    message = schema.new("TensorProto")
    try:
        message.ParseFromString(bytes(view[start:end]))
    except Exception as error:  # noqa: BLE001 - the libraries behind protobuf raise different classes
        raise DecodeError(f"a tensor at byte {start} cannot be decoded: {error}") from None
    size = math.prod(dims)
    if dtype is dtypes.STRING:
        if message.tensor_content:
            values = _string_content(message.tensor_content, size, start)
        else:
            values = tuple(message.string_val)
        return StringTensor(values[:size], dims)  # as TensorFlow, which does not look at what is too much
    if dtype.name.startswith("float8"):
        stored: Array = np.frombuffer(message.float8_val, dtype.numpy)
    elif dtype.name not in _LISTS:
        return OpaqueTensor(bytes(view[start:end]), f"values of type {dtype} cannot be read", dtype, dims)
    else:
        name, number_type = _LISTS[dtype.name]
        values = getattr(message, name)
        stored = _from_numbers(np.fromiter(values, number_type, len(values)), dtype)
    stored = stored[:size]
    if size and stored.size <= 1:
        return SplatTensor(stored[0] if stored.size else dtype.numpy.type(0), dtype, dims)
    if 1 < stored.size <= size // 2:
        return RepeatedTensor(stored, dtype, dims)
    if 1 < stored.size < size:
        tail = np.broadcast_to(stored[-1], size - stored.size)
        return DeferredTensor(lambda: np.concatenate([stored, tail]), dtype, dims)
    return ArrayTensor(stored.reshape(dims), dtype)


def _from_numbers(numbers: Array, dtype: DType) -> Array:
    if dtype.name.startswith("complex"):
        whole = numbers[: numbers.size // 2 * 2]
        return np.ascontiguousarray(whole).view(dtype.numpy)
    if dtype.name in ("half", "bfloat16"):
        return np.ascontiguousarray(numbers.astype(np.uint16)).view(dtype.numpy)
    return numbers.astype(dtype.numpy, copy=False)


def _string_content(content: bytes, size: int, start: int) -> tuple[bytes, ...]:
    # TensorFlow packs several strings as all lengths, then all bytes.
    view, at = memoryview(content), 0
    lengths = []
    if size > len(content):
        raise DecodeError(f"a tensor at byte {start} has fewer bytes than strings")
    for _ in range(size):
        length, at = read_varint(view, at, len(content))
        lengths.append(length)
    if at + sum(lengths) != len(content):
        raise DecodeError(f"a tensor at byte {start}: the lengths of its strings do not add up")
    values = []
    for length in lengths:
        values.append(content[at : at + length])
        at += length
    return tuple(values)


def is_possible(dims: tuple[int, ...]) -> bool:
    """Whether a constant can have these dimensions; those beside one of 0 count as well, as in TensorFlow."""
    return len(dims) <= _MAX_RANK and min(dims, default=0) >= 0 and math.prod(filter(None, dims)) <= _MAX_ELEMENTS


def decode_dims(view: memoryview, start: int, end: int) -> tuple[int, ...] | None:
    """The dimensions of a TensorShapeProto, None for an unknown rank."""
    dims: list[int] = []
    for number, kind, at, stop in fields(view, start, end, "a shape"):
        if number == 2 and kind == LEN:
            size = 0
            for inner, inner_kind, inner_at, inner_stop in fields(view, at, stop, "a dimension"):
                if inner == 1 and inner_kind == VARINT:
                    size = signed(read_varint(view, inner_at, inner_stop)[0])
            dims.append(size)
        elif number == 3 and kind == VARINT and read_varint(view, at, stop)[0]:
            return None
    return tuple(dims)


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
        last = np.frombuffer(self._buffer.read(end - size, end) if self.count else bytes(size), np.uint8)
        return self.dtype.name in _LISTS and all(np.all(part.reshape(-1, size) == last) for part in rest.chunks(size))


def is_plain(view: memoryview, start: int, end: int, tensor: Tensor) -> bool:
    """Whether the TensorProto of `tensor` says its type, shape and elements as usual, and nothing else."""
    found = list(fields(view, start, end, "a tensor"))
    shapes = [bytes(view[at:stop]) for number, _, at, stop in found if number == _SHAPE]
    elements = {number for number, *_ in found} - {_DTYPE, _SHAPE}
    known = {_CONTENT, _LIST_FIELDS.get(_LISTS.get(tensor.dtype.name, ("",))[0])}
    return (
        any(number == _DTYPE for number, *_ in found)
        and shapes == [encode_shape(tensor.shape)]  # else it names dimensions, for instance
        and elements <= known
        and len(elements) <= 1
    )


def count_listed(view: memoryview, start: int, end: int, tensor: Tensor) -> int | None:
    """How many elements the typed list of the TensorProto of `tensor` holds, None where they are raw content."""
    name, _ = _LISTS.get(tensor.dtype.name, ("", None))
    size = tensor.dtype.itemsize if tensor.dtype.name in _FIXED_LISTS else 0
    listed = 0
    for number, kind, at, stop in fields(view, start, end, "a tensor"):
        if number == _CONTENT:
            return None
        if number == _LIST_FIELDS.get(name):
            if size:
                listed += stop - at
            elif kind == LEN:
                listed += int(np.count_nonzero(np.frombuffer(view[at:stop], np.uint8) < 0x80))
            else:
                listed += 1
    return listed // size if size else listed


class Piece:
    """Bytes to write of which the length is known beforehand, the content only when it is their turn."""

    def __init__(self, size: int, pieces: Callable[[], Iterator[bytes | memoryview | Array]]) -> None:
        self.size, self.pieces = size, pieces


def encode_shape(dims: tuple[int, ...]) -> bytes:
    """A TensorShapeProto with these dimensions."""
    return b"".join(length_delimited(2, tag(1, VARINT) + varint(dim) if dim else b"") for dim in dims)


def encode_tensor(tensor: Tensor) -> list[bytes | Piece]:
    """The TensorProto for `tensor`: raw content, or one typed value for a splat, or strings."""
    if isinstance(tensor, OpaqueTensor):
        return [tensor.encoded]
    head = tag(_DTYPE, VARINT) + varint(tensor.dtype.number) + length_delimited(_SHAPE, encode_shape(tensor.shape))
    if isinstance(tensor, StringTensor):
        return [head + _strings(tensor)]
    if tensor.size == 0:
        return [head]
    values = tensor.head()
    if values is not None and tensor.dtype.name.startswith("float8"):
        return [head + length_delimited(_FLOAT8, values.tobytes())]
    if values is not None and tensor.dtype.name in _LISTS:
        name, _ = _LISTS[tensor.dtype.name]
        return [head + length_delimited(_LIST_FIELDS[name], _listed(tensor.dtype, values).tobytes())]
    if tensor.dtype is dtypes.STRING:  # a view of one, for instance
        return [head + _strings(StringTensor(tuple(tensor.numpy().reshape(-1).tolist()), tensor.shape))]
    if isinstance(tensor, ListedTensor) and tensor.can_be_listed:
        return [head, *_typed_values(tensor)]
    return [head + tag(_CONTENT, LEN) + varint(tensor.nbytes), raw_content(tensor)]


def raw_content(tensor: Tensor) -> Piece:
    """The elements of `tensor` as raw bytes."""
    return Piece(tensor.nbytes, lambda: (np.ascontiguousarray(chunk) for chunk in tensor.chunks()))


def _strings(tensor: StringTensor) -> bytes:
    values = tensor.values
    if len(values) == tensor.size > 1:  # as TensorFlow writes them: all lengths, then all bytes
        return length_delimited(_CONTENT, b"".join(varint(len(value)) for value in values) + b"".join(values))
    return b"".join(length_delimited(_STRING, value) for value in values)


def _typed_values(tensor: ListedTensor) -> list[bytes | Piece]:
    if not tensor.count:
        return []
    name, _ = _LISTS[tensor.dtype.name]

    def pieces() -> Iterator[Array]:
        left = tensor.count
        for chunk in tensor.chunks():
            yield _listed(tensor.dtype, chunk[:left])
            left -= chunk.size
            if left <= 0:
                return

    fixed = tensor.dtype.name in _FIXED_LISTS
    size = tensor.count * tensor.dtype.itemsize if fixed else sum(piece.size for piece in pieces())
    return [tag(_LIST_FIELDS[name], LEN) + varint(size), Piece(size, pieces)]


def _listed(dtype: DType, numbers: Array) -> Array:
    """Some elements as they stand in the typed list of their type."""
    if dtype.name in _FIXED_LISTS:
        return numbers
    stored = numbers.view(np.uint16) if dtype.name in ("half", "bfloat16") else numbers
    return packed_varints(stored.astype(np.uint64 if stored.dtype.kind == "u" else np.int64).view(np.uint64))


def packed_varints(numbers: Array) -> Array:
    """The bytes of unsigned 64-bit `numbers` as varints, one behind the other."""
    places = np.arange(10, dtype=np.uint64) * np.uint64(7)
    groups = numbers[:, np.newaxis] >> places
    used = groups > 0
    used[:, 0] = True
    more = np.zeros_like(used)
    more[:, :-1] = used[:, 1:]
    encoded: Array = (groups & np.uint64(0x7F)).astype(np.uint8) | (more.astype(np.uint8) << 7)
    found: Array = encoded[used]
    return found
