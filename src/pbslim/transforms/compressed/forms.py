"""The ways of storing one constant by itself."""

from __future__ import annotations

from collections.abc import Callable

from pbslim.dtypes import FLOAT, HALF, INT8, INT32, UINT8
from pbslim.ir import Node, Value
from pbslim.ir.tensors import Array
from pbslim.quant.half import as_half
from pbslim.quant.packing import PER_BYTE, packed
from pbslim.transforms.compressed.decoders import Decoders, Op, become, become_cast, become_joined, product
from pbslim.transforms.compressed.palettes import decoding, numbers_of
from pbslim.transforms.compressed.stored import Stored

_CAST_COST = 70  # bytes that a Cast takes in a file


def _steps(decoders: Decoders, stored: Stored) -> Value:
    """The steps as floats; few are not worth a Cast, and small ones are no float16."""
    assert stored.steps is not None  # noqa: S101 - float16 is written by `write_half`
    if stored.steps.size * (FLOAT.itemsize - HALF.itemsize) <= _CAST_COST or as_half(stored.steps) is None:
        return decoders.array(stored.steps.astype(FLOAT.numpy))
    return decoders.floats(stored.steps)


def write_half(decoders: Decoders, node: Node, stored: Stored) -> None:
    """Const half → Cast."""
    become_cast(node, decoders.array(stored.codes))


def write_channels(decoders: Decoders, node: Node, stored: Stored) -> None:
    """Const int8 → Cast → Mul by the steps."""
    finish(node, stored, decoders, lambda piece: decoders.cast(decoders.array(piece, INT8), INT8))


def write_packed(decoders: Decoders, node: Node, stored: Stored, levels: int) -> None:
    """Const uint8 → Cast → GatherV2 from a table → Reshape → Mul by the steps."""

    def decode(piece: Array) -> Value:
        index = decoders.cast(decoders.array(packed(piece, levels), UINT8), UINT8, INT32)
        found = decoders.looked_up(decoders.table(levels), index)
        if piece.size % PER_BYTE[levels]:
            found = decoders.first(decoders.reshaped(found, [-1]), piece.size)
        return decoders.reshaped(found, piece.shape)

    finish(node, stored, decoders, decode)


def finish(node: Node, stored: Stored, decoders: Decoders, decode: Callable[[Array], Value]) -> None:
    """Let `node` be the decoded codes times the steps, or what their palette makes of them.

    Args:
        decode: adds the nodes that give the codes of a piece as floats, in its shape.
    """
    axis, pieces = stored.pieces()
    ops = [_last(decoders, decode(piece.codes), piece) for piece in pieces]
    if len(ops) == 1:
        become(node, ops[0])
    else:
        become_joined(node, decoders, list(map(decoders.add, ops)), axis)


def _last(decoders: Decoders, codes: Value, stored: Stored) -> Op:
    if stored.palette is None:
        return product(codes, _steps(decoders, stored))
    return decoding(decoders, codes, {key: decoders.array(array) for key, array in numbers_of(stored).items()})
