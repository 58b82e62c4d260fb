"""Constant tensors: dtype and shape are free, the elements are read only on demand.

A big tensor is worked on in pieces (`Tensor.chunks`), so that memory stays far below its size.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from pbslim.dtypes import STRING, DType
from pbslim.errors import DecodeError

Array = npt.NDArray[Any]

CHUNK_BYTES = 1 << 19
"""How much of a tensor is worked on at a time: small enough for the processor's cache."""

_MAX_REPEATED = 1 << 26
_GLANCE = 1 << 12  # elements


class Buffer(Protocol):
    """Bytes that stay where they are, in a file or in memory."""

    def __len__(self) -> int: ...

    def __getitem__(self, key: slice, /) -> bytes | memoryview: ...


class Tensor(ABC):
    """A constant.

    Attributes:
        dtype: the element type as GraphDef knows it.
        shape: the dimensions; ``()`` is a scalar.
        listed: whether its file spells the elements in a field of their type (``float_val``) instead of raw bytes.
    """

    dtype: DType
    shape: tuple[int, ...]
    listed: bool = False

    @property
    def size(self) -> int:
        """The number of elements."""
        return math.prod(self.shape)

    @property
    def nbytes(self) -> int:
        """Bytes the elements take in memory (0 for types without a fixed size)."""
        return self.size * self.dtype.itemsize

    @property
    def stored_nbytes(self) -> int:
        """Bytes the elements take in a file."""
        return self.nbytes

    @abstractmethod
    def numpy(self) -> Array:
        """All elements, in a read-only array of this shape.

        Raises:
            DecodeError: the stored elements cannot be read.
        """

    def chunks(self, multiple_of: int = 1) -> Iterator[Array]:
        """The elements in C order as flat arrays; each but the last has a multiple of `multiple_of` elements."""
        flat = self.numpy().reshape(-1)
        step = chunk_length(self.dtype, multiple_of)
        for start in range(0, flat.size, step):
            yield flat[start : start + step]

    def first(self, count: int) -> Array:
        """The first elements, flat: `count`, or as many as there are (in one piece of work, if those are fewer)."""
        return next(iter(self.chunks()), np.empty(0, self.dtype.numpy))[:count]

    def head(self) -> Array | None:
        """The first elements, of which the last stands for all that follow; None where that is no shorter form.

        What looks at every element should look at these alone: the shape may be absurdly large.
        """
        return None

    def value_pieces(self) -> Iterable[Array]:
        """Flat arrays in which every element occurs, though not as often: the `head`, or else all `chunks`."""
        head = self.head()
        return self.chunks() if head is None else [head]

    def reshaped(self, shape: tuple[int, ...]) -> Tensor:
        """The same elements in another shape (of equal size), nothing read."""
        return ReshapedTensor(self, shape)

    def mapped(self, function: Callable[[Array], Array], dtype: DType | None = None) -> Tensor:
        """Each element through `function`, computed when it is read; `dtype` is the result's, if it differs."""
        return ElementwiseTensor(self, function, dtype)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.dtype}, {list(self.shape)})"


def chunk_length(dtype: DType, multiple_of: int) -> int:
    """Elements in one piece of work: about `CHUNK_BYTES`, a multiple of `multiple_of`."""
    wanted = CHUNK_BYTES // max(dtype.itemsize, 1)
    return max(wanted // multiple_of, 1) * multiple_of


def _frozen(array: Array) -> Array:
    view = array.view()
    view.flags.writeable = False
    return view


class ArrayTensor(Tensor):
    """A tensor that is held in memory."""

    def __init__(self, array: Array, dtype: DType | None = None) -> None:
        self.dtype = dtype or DType.from_numpy(array.dtype)
        self.shape = array.shape
        self._array = _frozen(np.ascontiguousarray(array, dtype=self.dtype.numpy).reshape(array.shape))

    def numpy(self) -> Array:
        """All elements."""
        return self._array


class MappedTensor(Tensor):
    """A tensor whose raw little-endian bytes lie in a buffer, usually an open file, and are read by each look."""

    def __init__(self, buffer: Buffer, start: int, dtype: DType, shape: tuple[int, ...]) -> None:
        self.dtype, self.shape = dtype, shape
        self._buffer, self._start = buffer, start

    def numpy(self) -> Array:
        """All elements; still in the buffer if that is memory."""
        data = self._buffer[self._start : self._start + self.nbytes]
        return np.frombuffer(data, self.dtype.numpy).reshape(self.shape)

    def first(self, count: int) -> Array:
        """The first elements; no others are read."""
        end = self._start + min(count, self.size) * self.dtype.itemsize
        return np.frombuffer(self._buffer[self._start : end], self.dtype.numpy)

    def value_pieces(self) -> Iterable[Array]:
        """All elements, and before them the first few, as who looks for something often finds it there."""
        yield self.first(_GLANCE)
        yield from self.chunks()

    def chunks(self, multiple_of: int = 1) -> Iterator[Array]:
        """The elements in pieces, each read just before it is given."""
        step = chunk_length(self.dtype, multiple_of) * self.dtype.itemsize
        end = self._start + self.nbytes
        for start in range(self._start, end, step):
            yield np.frombuffer(self._buffer[start : min(start + step, end)], self.dtype.numpy)

    def rows(self, first: int, last: int) -> Array:
        """The elements from index `first` to `last` of the first dimension."""
        width = math.prod(self.shape[1:]) * self.dtype.itemsize
        data = self._buffer[self._start + first * width : self._start + last * width]
        return np.frombuffer(data, self.dtype.numpy).reshape(last - first, *self.shape[1:])


class SplatTensor(Tensor):
    """One value for a whole shape; it is not expanded to be written."""

    def __init__(self, value: np.generic, dtype: DType, shape: tuple[int, ...]) -> None:
        self.value, self.dtype, self.shape = value, dtype, shape

    @property
    def stored_nbytes(self) -> int:
        """One element."""
        return self.dtype.itemsize

    def head(self) -> Array | None:
        """The value."""
        return np.full(min(self.size, 1), self.value, self.dtype.numpy)

    def numpy(self) -> Array:
        """A view that repeats the value without holding it more than once."""
        return np.broadcast_to(np.asarray(self.value, self.dtype.numpy), self.shape)

    def chunks(self, multiple_of: int = 1) -> Iterator[Array]:
        """The value, repeated a piece at a time."""
        step = min(chunk_length(self.dtype, multiple_of), self.size)
        piece = _frozen(np.full(step, self.value, self.dtype.numpy))
        for start in range(0, self.size, max(step, 1)):
            yield piece[: self.size - start]

    def reshaped(self, shape: tuple[int, ...]) -> Tensor:
        """Still one value."""
        return SplatTensor(self.value, self.dtype, shape)

    def mapped(self, function: Callable[[Array], Array], dtype: DType | None = None) -> Tensor:
        """Still one value."""
        result = function(np.full(1, self.value, self.dtype.numpy))
        return SplatTensor(result[0], dtype or self.dtype, self.shape)


class RepeatedTensor(Tensor):
    """A few values, of which the last fills the rest of the shape; they are not expanded to be written."""

    listed = True

    def __init__(self, values: Array, dtype: DType, shape: tuple[int, ...]) -> None:
        self.dtype, self.shape = dtype, shape
        self._values = _frozen(values)

    @property
    def stored_nbytes(self) -> int:
        """Those of the values."""
        return self._values.nbytes

    def head(self) -> Array | None:
        """The values."""
        return self._values

    def numpy(self) -> Array:
        """All elements.

        Raises:
            DecodeError: they are far too many for a tensor that a few values make up.
        """
        if self.size >= _MAX_REPEATED:
            raise DecodeError(f"a tensor repeats a value {self.size - self._values.size} times")
        return gathered(self)

    def chunks(self, multiple_of: int = 1) -> Iterator[Array]:
        """The elements in pieces."""
        step = chunk_length(self.dtype, multiple_of)
        for start in range(0, self.size, step):
            known = self._values[start : start + step]
            count = min(step, self.size - start)
            yield known if known.size == count else np.r_[known, np.full(count - known.size, self._values[-1])]

    def reshaped(self, shape: tuple[int, ...]) -> Tensor:
        """Still a few values."""
        return RepeatedTensor(self._values, self.dtype, shape)

    def mapped(self, function: Callable[[Array], Array], dtype: DType | None = None) -> Tensor:
        """Still a few values."""
        return RepeatedTensor(function(self._values), dtype or self.dtype, self.shape)


class ElementwiseTensor(Tensor):
    """The elements of another tensor through a function, computed a piece at a time whenever they are read.

    Args:
        source: where the elements come from.
        function: takes a flat piece of `source`, gives as many elements of `dtype`.
        dtype: of the result.
        multiple_of: the length of each piece is a multiple of this, so that a vector of that length can be
            applied along the last dimension.
    """

    def __init__(
        self, source: Tensor, function: Callable[[Array], Array], dtype: DType | None = None, multiple_of: int = 1
    ) -> None:
        self.dtype, self.shape = dtype or source.dtype, source.shape
        self._source, self._function, self._multiple_of = source, function, multiple_of

    def chunks(self, multiple_of: int = 1) -> Iterator[Array]:
        """The computed elements."""
        for piece in self._source.chunks(math.lcm(multiple_of, self._multiple_of)):
            yield self._function(piece)

    def first(self, count: int) -> Array:
        """The first elements; about as many are computed."""
        wanted = self._source.first(-(-count // self._multiple_of) * self._multiple_of)
        whole = wanted.size == self.size or wanted.size % self._multiple_of == 0
        return self._function(wanted)[:count] if whole else super().first(count)

    def numpy(self) -> Array:
        """All elements, computed anew."""
        return gathered(self)


class DeferredTensor(Tensor):
    """A tensor that is cheaper to compute again than to hold."""

    def __init__(self, compute: Callable[[], Array], dtype: DType, shape: tuple[int, ...]) -> None:
        self.dtype, self.shape, self._compute = dtype, shape, compute

    def numpy(self) -> Array:
        """All elements, computed anew."""
        return _frozen(np.ascontiguousarray(self._compute()).reshape(self.shape))


class ReshapedTensor(Tensor):
    """Another shape over the same elements."""

    def __init__(self, source: Tensor, shape: tuple[int, ...]) -> None:
        self.dtype, self.shape, self._source = source.dtype, shape, source

    def numpy(self) -> Array:
        """All elements."""
        return self._source.numpy().reshape(self.shape)

    def chunks(self, multiple_of: int = 1) -> Iterator[Array]:
        """The elements in pieces."""
        return self._source.chunks(multiple_of)

    def reshaped(self, shape: tuple[int, ...]) -> Tensor:
        """The same elements in yet another shape."""
        return self._source.reshaped(shape)


class StringTensor(Tensor):
    """A tensor of byte strings."""

    def __init__(self, values: tuple[bytes, ...], shape: tuple[int, ...]) -> None:
        self.dtype, self.shape, self.values = STRING, shape, values

    @property
    def stored_nbytes(self) -> int:
        """The bytes of all strings that are stored."""
        return sum(map(len, self.values))

    def numpy(self) -> Array:
        """All strings as ``bytes`` in an object array; fewer stored ones repeat the last."""
        array = np.empty(self.size, object)
        array[:] = b""
        stored = min(len(self.values), self.size)
        array[:stored] = self.values[:stored]
        if stored:
            array[stored:] = self.values[stored - 1]
        return _frozen(array.reshape(self.shape))


class OpaqueTensor(Tensor):
    """A tensor that is carried along but never read: resources, variants, and what cannot be decoded.

    Attributes:
        encoded: the TensorProto message as it stood in the file.
        reason: why it cannot be read.
    """

    def __init__(self, encoded: bytes, reason: str, dtype: DType, shape: tuple[int, ...]) -> None:
        self.encoded, self.reason, self.dtype, self.shape = encoded, reason, dtype, shape

    @property
    def stored_nbytes(self) -> int:
        """The bytes of the message."""
        return len(self.encoded)

    def numpy(self) -> Array:
        """Never works.

        Raises:
            DecodeError: always, with the reason.
        """
        raise DecodeError(self.reason)


def gathered(tensor: Tensor) -> Array:
    """The elements of all pieces of `tensor` in one array."""
    result = np.empty(tensor.size, tensor.dtype.numpy)
    at = 0
    for piece in tensor.chunks():
        result[at : at + piece.size] = piece
        at += piece.size
    return _frozen(result.reshape(tensor.shape))


def rechunked(pieces: Iterable[Array], size: int, dtype: DType, multiple_of: int) -> Iterator[Array]:
    """The first `size` elements of `pieces`, cut anew as `Tensor.chunks` promises."""
    step = chunk_length(dtype, multiple_of)
    waiting: list[Array] = []
    count = 0
    for piece in pieces:
        rest = piece[: size - count]
        count += rest.size
        while rest.size:
            room = step - sum(map(len, waiting))
            waiting.append(rest[:room])
            rest = rest[room:]
            if sum(map(len, waiting)) == step:
                yield np.concatenate(waiting) if len(waiting) > 1 else waiting[0]
                waiting = []
    if waiting:
        yield np.concatenate(waiting)
