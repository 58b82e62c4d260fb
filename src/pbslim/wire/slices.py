"""Parts of tensors: how checkpoints and graphs write them, and what must be true of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from itertools import product
from math import prod

from pbslim.errors import DecodeError, counted
from pbslim.wire.varint import LEN, VARINT, fields, read_varint, signed

Extents = tuple[tuple[int, int], ...]
"""First index and length along each dimension; a length of -1 is the rest."""
Region = tuple[slice, ...]
"""A part of a tensor of known shape: where it starts and stops along each dimension."""
_ESCAPES = {0: b"\0\xff", 255: b"\xff\0"}
_MOST_CORNERS = 1 << 22


def read_extents(text: str) -> Extents | None:
    """What an element of the ``shape_and_slices`` of RestoreV2 asks for, None for everything.

    Raises:
        DecodeError: it is no such text.
    """
    if not text:
        return None
    found = []
    for part in text.split(" ")[-1].split(":"):
        start, comma, length = part.partition(",")
        if part == "-":
            found.append((0, -1))
        elif comma and start.isdecimal() and length.isdecimal():
            found.append((int(start), int(length)))
        else:
            raise DecodeError(f"'{text}' names no part of a tensor")
    return tuple(found)


def read_slice(message: bytes) -> Extents:
    """What a TensorSliceProto says."""
    found = []
    for number, kind, start, stop in fields(message, 0, len(message), "a slice"):
        if (number, kind) == (1, LEN):
            extent = {
                each: signed(read_varint(message, at, end)[0])
                for each, inner, at, end in fields(message, start, stop, "an extent")
                if inner == VARINT
            }
            found.append((extent.get(1, 0), extent.get(2, -1)))
    return tuple(found)


def slice_key(name: str, extents: Extents) -> bytes:
    """The key under which a table holds this slice of tensor `name`: bytes that sort as what they stand for."""
    escaped = b"".join(_ESCAPES.get(byte, bytes([byte])) for byte in name.encode(errors="surrogateescape"))
    numbers = (number for pair in extents for number in pair)
    return b"".join([b"\0", escaped, b"\0\1", _unsigned(len(extents)), *map(_signed, numbers)])


def _unsigned(number: int) -> bytes:
    size = (number.bit_length() + 7) // 8
    return bytes([size]) + number.to_bytes(size, "big")


def _signed(number: int) -> bytes:
    size = 1
    while not -(1 << 7 * size - 1) <= number < 1 << 7 * size - 1:
        size += 1
    mask = (0xFF00 >> size & 0xFF) << 8 * (size - 1)  # as many leading ones as bytes
    return (number % (1 << 8 * size) ^ mask).to_bytes(size, "big")


def require_tiling(parts: Sequence[Region], shape: tuple[int, ...], name: str) -> None:
    """Make sure that parts of a tensor cover each of its elements once.

    How often they cover an element is a sum of boxes. It follows from their corners, each with a sign that changes from
    one end of an edge to the other: sums whose corners cancel are equal.

    Raises:
        DecodeError: they do not, or are too many to be sure.
    """
    whole = tuple(slice(0, size) for size in shape)
    axes = [axis for axis, full in enumerate(whole) if any(each[axis] != full for each in parts)]
    if len(parts) << len(axes) > _MOST_CORNERS:
        raise DecodeError(f"{name} has too many slices: {len(parts)}, which cut {len(axes)} dimensions")
    corners: Counter[tuple[int, ...]] = Counter()
    for weight, part in [(-1, whole), *((1, each) for each in parts)]:
        for corner in product(*([(part[axis].start, 1), (part[axis].stop, -1)] for axis in axes)):
            corners[tuple(at for at, _ in corner)] += weight * prod(sign for _, sign in corner)
    if any(corners.values()):
        raise DecodeError(f"the slices of {name} do not cover each of its elements once")


def region_of(extents: Sequence[tuple[int, int]], shape: tuple[int, ...], name: str) -> Region:
    """The part that starts at the first number of each pair and has the second's length, -1 for all that is left.

    Raises:
        DecodeError: it is not inside of a tensor of this shape.
    """
    if len(extents) != len(shape):
        raise DecodeError(f"{name} has {counted(len(extents), 'dimension')}, not {len(shape)}")
    found = []
    for (start, length), size in zip(extents, shape, strict=True):
        stop = size if length < 0 else start + length
        if not 0 <= start <= stop <= size:
            raise DecodeError(f"{name} goes from {start} to {stop} in a dimension of {size}")
        found.append(slice(start, stop))
    return tuple(found)


def common(one: Region, other: Region) -> Region | None:
    """What two parts have in common, None for nothing."""
    found = tuple(slice(max(a.start, b.start), min(a.stop, b.stop)) for a, b in zip(one, other, strict=True))
    return found if all(each.start < each.stop for each in found) else None
