"""Batches of inputs that are made when they are looked at, as all of them together may take much memory."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, overload

import numpy as np
import numpy.typing as npt

from pbslim.kept import Kept

Array = npt.NDArray[Any]
Batch = dict[str, Array]
"""The values of all inputs by name."""


class Made(Sequence[Batch]):
    """A sequence of batches, each made anew by each look at it.

    Args:
        make: gives the batch of a number.
        numbers: those of the batches that there are.
    """

    def __init__(self, make: Callable[[int], Batch], numbers: range) -> None:
        self._make, self._numbers = make, numbers

    def __len__(self) -> int:
        return len(self._numbers)

    @overload
    def __getitem__(self, key: int) -> Batch: ...

    @overload
    def __getitem__(self, key: slice) -> Made: ...

    def __getitem__(self, key: int | slice) -> Batch | Made:
        return Made(self._make, self._numbers[key]) if isinstance(key, slice) else self._make(self._numbers[key])


def renamed(batches: Sequence[Batch], names: Sequence[str]) -> Made:
    """The same with other names for the inputs, in their order."""
    return Made(lambda number: dict(zip(names, batches[number].values(), strict=True)), range(len(batches)))


def kept(batches: Sequence[Batch]) -> Made:
    """The same batches, made now but out of memory where they are large."""
    arrays: dict[str, Kept] = {}
    for batch in batches:
        for name, array in batch.items():
            arrays.setdefault(name, Kept()).append(array)
    return Made(lambda number: {name: each[number] for name, each in arrays.items()}, range(len(batches)))


def batch_size(batch: Mapping[str, Array]) -> int:
    """How many samples a batch holds: the first dimension that its inputs share."""
    sizes = {len(value) for value in batch.values() if np.ndim(value)}
    return sizes.pop() if len(sizes) == 1 else 1
