"""Arrays that are kept for later, outside of memory where they are large."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from tempfile import TemporaryFile
from typing import IO, Any, overload

import numpy as np
import numpy.typing as npt

from pbslim.errors import PbslimError

Array = npt.NDArray[Any]

LARGE = 1 << 16


@dataclass(frozen=True)
class _Place:
    """Where an array lies in a file, in C order from byte `start` on."""

    file: IO[bytes]
    start: int
    shape: tuple[int, ...]
    dtype: np.dtype[Any]

    def read(self, count: int) -> Array:
        """So many elements from its first on, also of those that follow it."""
        self.file.seek(self.start)
        return np.fromfile(self.file, self.dtype, count)


class Kept(Sequence[Array]):
    """Arrays in their order: what a tensor is for each of many batches, say.

    Large ones lie in a temporary file, and each look reads them anew.

    Args:
        large: bytes of an array from which on it goes to the file.
    """

    def __init__(self, large: int = LARGE) -> None:
        self._large = large
        self._arrays: list[Array | _Place] = []
        self._file: IO[bytes] | None = None
        self._end = 0

    def __del__(self) -> None:
        if self._file is not None:
            self._file.close()

    def append(self, array: Array) -> None:
        """Keep another array.

        Raises:
            PbslimError: there is no room for them.
        """
        if array.nbytes < self._large or array.dtype.hasobject:
            self._arrays.append(array)
            return
        try:
            if self._file is None:
                self._file = TemporaryFile(buffering=0)  # noqa: SIM115 - closed when nothing needs it any more
            self._file.seek(self._end)
            array.tofile(self._file)
        except OSError as error:
            raise PbslimError(f"no room for a temporary file: {error.strerror or error}") from None
        self._arrays.append(_Place(self._file, self._end, array.shape, array.dtype))
        self._end += array.nbytes

    def __len__(self) -> int:
        return len(self._arrays)

    @overload
    def __getitem__(self, key: int) -> Array: ...

    @overload
    def __getitem__(self, key: slice) -> list[Array]: ...

    def __getitem__(self, key: int | slice) -> Array | list[Array]:
        """One array, or several."""
        if isinstance(key, slice):
            return [self[i] for i in range(*key.indices(len(self)))]
        place = self._arrays[key]
        return place.read(math.prod(place.shape)).reshape(place.shape) if isinstance(place, _Place) else place

    def stacked(self, sizes: Sequence[int]) -> Array:
        """All in one array, those of batches with one sample per entry along axis 0 as far as the shapes allow.

        Args:
            sizes: how many samples each batch holds.
        """
        shapes = [each.shape for each in self._arrays]
        tails = {shape[1:] for shape in shapes}
        if len(tails) == 1 and all(shape and shape[0] == size for shape, size in zip(shapes, sizes, strict=True)):
            return self._joined((sum(sizes), *tails.pop()))
        if len({*shapes}) == 1:
            return self._joined((len(shapes), *shapes[0]))
        last = {shape[-1] if shape else 1 for shape in shapes}
        width = last.pop() if len(last) == 1 else 1
        return self._joined((-1, width)) if width else self[0]

    def _joined(self, shape: tuple[int, ...]) -> Array:
        places = [each for each in self._arrays if isinstance(each, _Place)]
        if len(places) == len(self) and len({each.dtype for each in places}) == 1:
            return places[0].read(self._end // places[0].dtype.itemsize).reshape(shape)
        return np.concatenate([each.reshape(-1) for each in self]).reshape(shape)
