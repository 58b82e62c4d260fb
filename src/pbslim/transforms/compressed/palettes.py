"""The nodes that make few values of codes again: ``(code + offset) * step + low``, or ``table[code + offset]``.

Each does its own rounding to single precision, so that values that tools computed in this way come out to the last bit.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from pbslim.dtypes import FLOAT, INT32
from pbslim.ir import Value
from pbslim.ir.tensors import Array
from pbslim.transforms.compressed.decoders import Decoders, Op, gathered, product, total
from pbslim.transforms.compressed.stored import Stored


def numbers_of(stored: Stored) -> dict[str, Array]:
    """What decoding takes beside the codes: ``steps``, ``offset``, ``low``, ``table``; zeros are left out."""
    assert stored.palette is not None  # noqa: S101 - others have steps alone
    palette, found = stored.palette, {}
    if palette.table is not None:
        found["table"] = palette.table
    elif stored.steps is not None:
        found["steps"] = stored.steps
    found |= {key: np.array([number]) for key, number in (("offset", palette.offset), ("low", palette.low)) if number}
    return found


def decoding(decoders: Decoders, codes: Value, numbers: Mapping[str, Value]) -> Op:
    """The last of the nodes that decode.

    Args:
        codes: as floats.
        numbers: the values of `numbers_of`.
    """
    if "offset" in numbers:
        codes = decoders.sum(codes, numbers["offset"])
    if "table" in numbers:
        return gathered(numbers["table"], decoders.cast(codes, FLOAT, INT32), decoders.int32(0))
    if "low" in numbers:
        return total(decoders.product(codes, numbers["steps"]), numbers["low"])
    return product(codes, numbers["steps"])


def shared_numbers(decoders: Decoders, stored: Mapping[int, Stored]) -> dict[int, dict[str, Value]]:
    """The numbers of many constants, as pieces of one vector."""
    arrays = {(number, key): array for number, each in stored.items() for key, array in numbers_of(each).items()}
    found: dict[int, dict[str, Value]] = {number: {} for number in stored}
    if arrays:
        vector = np.concatenate([array.reshape(-1) for array in arrays.values()]).astype(FLOAT.numpy)
        parts = decoders.split(decoders.array(vector), [array.size for array in arrays.values()])
        for part, ((number, key), array) in zip(parts, arrays.items(), strict=True):
            found[number][key] = decoders.reshaped(part, array.shape, (array.size,))
    return found
