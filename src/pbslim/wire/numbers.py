"""Lists of numbers as messages hold them ↔ numpy arrays, never by way of Python's own numbers."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from pbslim.ir.tensors import Array
from pbslim.wire.sources import Source
from pbslim.wire.varint import FIXED32, LEN, VARINT, MessageError, varints

_LONGEST = 10
_PIECE = 1 << 18
_FEW = 64


class Run(NamedTuple):
    """A list's numbers in one stretch of a message: a packed field, or fields of one number each with tags between.

    Attributes:
        kind: the wire type of the fields.
        fields: how many there are; 1 where they are packed.
        start, stop: from the first field's content to the end of the last one's.
    """

    kind: int
    fields: int
    start: int
    stop: int


def equal_fields(source: Source, at: int, end: int, first: bytes, kind: int) -> tuple[int, int]:
    """How many fields with the tag `first`, of one number each, stand one after the other from `at` on; and their end.

    A list may be written number by number, and there may be millions.
    """
    count, mark, piece = 0, np.frombuffer(first, np.uint8), _FEW  # most often there is no other one, or there are many
    while at < end:
        data = np.frombuffer(source[at : min(at + piece, end)], np.uint8)
        piece = min(8 * piece, _PIECE)
        if kind == VARINT:
            ends = np.flatnonzero(data < 0x80) + 1
            ends = ends[: ends.size // 2 * 2]  # tag and number in turn
            starts = np.concatenate([[0], ends[1:-1:2]])
            sound = ends[::2] - starts == mark.size
            sound &= ends[1::2] - ends[::2] <= _LONGEST
            starts = starts[: int(np.argmin(sound)) if not sound.all() else sound.size]
        else:
            step = mark.size + (4 if kind == FIXED32 else 8)
            starts = np.arange(0, data.size - step + 1, step)
            ends = np.repeat(starts + step, 2)
        same = (data[starts[:, np.newaxis] + np.arange(mark.size)] == mark).all(axis=1)
        found = int(np.argmin(same)) if not same.all() else same.size
        if found == 0:
            break
        count, at = count + found, at + int(ends[2 * found - 1])
        if found < same.size:
            break
    return count, at


def count_numbers(source: Source, run: Run) -> int:
    """How many varints there are in a run."""
    if run.kind != LEN:
        return run.fields
    return sum(int(np.count_nonzero(piece < 0x80)) for piece in _pieces(source, run))


def whole_numbers(source: Source, run: Run) -> Iterator[Array]:
    """The varints of a run as unsigned numbers of 64 bits, a piece at a time.

    Raises:
        MessageError: one does not end, or has more than ten bytes.
    """
    if run.kind == LEN and run.stop - run.start < _FEW:
        yield np.array(list(varints(source, run.start, run.stop)), np.uint64)
        return
    left = np.empty(0, np.uint8)
    step = 1 if run.kind == LEN else 2  # every other one is a tag
    first = 0
    for piece in _pieces(source, run):
        data = np.concatenate([left, piece])
        ends = np.flatnonzero(data[-_LONGEST:] < 0x80)
        whole = max(data.size - _LONGEST, 0) + (int(ends[-1]) + 1 if ends.size else 0)
        numbers = _varints(data[:whole], run.start)
        yield numbers[first::step]
        first = (first - numbers.size) % step
        left = data[whole:]
    if left.size:
        raise MessageError(f"a list of numbers at byte {run.start} ends within one of them")


def _pieces(source: Source, run: Run) -> Iterator[Array]:
    for at in range(run.start, run.stop, _PIECE):
        yield np.frombuffer(source[at : min(at + _PIECE, run.stop)], np.uint8)


def _varints(data: Array, place: int) -> Array:
    ends = np.flatnonzero(data < 0x80)
    if ends.size == data.size:
        return data.astype(np.uint64)
    starts = np.concatenate([[0], ends[:-1] + 1])
    lengths = ends - starts + 1
    longest = int(lengths.max(initial=0))
    if not ends.size or longest > _LONGEST:
        raise MessageError(f"a number in a list at byte {place} does not end")
    values = np.zeros(ends.size, np.uint64)
    for k in range(longest):
        having = np.flatnonzero(lengths > k)
        values[having] |= (data[starts[having] + k] & np.uint8(0x7F)).astype(np.uint64) << np.uint64(7 * k)
    return values


def fixed_numbers(source: Source, run: Run, dtype: np.dtype[np.generic]) -> Array:
    """The numbers of a run in which each takes as many bytes as one of `dtype`.

    Raises:
        MessageError: the bytes are no multiple of that, or the tags between them are not all the same.
    """
    data = np.frombuffer(source[run.start : run.stop], np.uint8)
    if run.kind != LEN and run.fields > 1:
        step = (data.size - dtype.itemsize) // (run.fields - 1)
        tags = step - dtype.itemsize
        rows = np.concatenate([data, data[dtype.itemsize : step]])
        if rows.size != run.fields * step or (rows.reshape(run.fields, step)[:, -tags:] != rows[-tags:]).any():
            raise MessageError(f"a list of numbers at byte {run.start} has tags of different forms")
        data = np.ascontiguousarray(rows.reshape(run.fields, step)[:, :-tags]).reshape(-1)
    if data.size % dtype.itemsize:
        raise MessageError(f"a list of numbers at byte {run.start} ends within one of them")
    return data.view(dtype)


def packed_varints(numbers: Array) -> Array:
    """The bytes of unsigned 64-bit `numbers` as varints, one after the other."""
    places = np.arange(_LONGEST, dtype=np.uint64) * np.uint64(7)
    groups = numbers[:, np.newaxis] >> places
    used = groups > 0
    used[:, 0] = True
    more = np.zeros_like(used)
    more[:, :-1] = used[:, 1:]
    encoded: Array = (groups & np.uint64(0x7F)).astype(np.uint8) | (more.astype(np.uint8) << 7)
    found: Array = encoded[used]
    return found
