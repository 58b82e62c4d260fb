"""What a message to be written is made of: bytes, and pieces that are read or computed when it is their turn."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

import numpy as np

from pbslim.wire.sources import Source

_COPY_BYTES = 1 << 20


class Piece:
    """Bytes of which the length is known beforehand, the content only when it is their turn."""

    __slots__ = ("pieces", "size")

    def __init__(self, size: int, pieces: Callable[[], Iterator[Any]]) -> None:
        self.size, self.pieces = size, pieces


Part = bytes | Piece


def total(parts: Iterable[Part]) -> int:
    """Bytes that `parts` take together."""
    return sum(part.size if isinstance(part, Piece) else len(part) for part in parts)


def joined(parts: Iterable[Part]) -> bytes:
    """The bytes of `parts`, all at once."""
    return b"".join(b"".join(map(raw, part.pieces())) if isinstance(part, Piece) else part for part in parts)


def raw(piece: Any) -> Any:
    """The bytes of what a `Piece` gives: bytes already, or a contiguous array of any type."""
    return piece.reshape(-1).view(np.uint8).data if isinstance(piece, np.ndarray) else piece


def span(source: Source, start: int, stop: int) -> Piece:
    """Bytes that are copied from a source as they are, a piece at a time."""
    return Piece(
        stop - start,
        lambda: (source[at : min(at + _COPY_BYTES, stop)] for at in range(start, stop, _COPY_BYTES)),
    )
