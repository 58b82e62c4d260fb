"""Many constants in few zlib streams: least overhead, as a node takes as many bytes as many weights do.

A group is one stream of codes that is decoded and cut into pieces, one for each constant; all steps are one stream of
exponents, and all float16 numbers are one vector, that are cut likewise. Where codes are very small, several of them
share a byte before the stream is coded.
"""

from __future__ import annotations

from collections.abc import Collection, Hashable, Mapping, Sequence

import numpy as np

from pbslim.dtypes import FLOAT, HALF, INT8, INT32, UINT8
from pbslim.ir import Graph, Value
from pbslim.ir.tensors import Array
from pbslim.quant.channels import RADIX, STEP_ORIGIN, STEP_SHIFT, exponents_of, in_two_bytes, steps_of
from pbslim.quant.deflate import deflated, single_stream, zlib_stream
from pbslim.quant.half import RESOLUTION, in_halves
from pbslim.quant.streams import PLAIN, Coded, shortest
from pbslim.transforms.compressed.decoders import Decoders, become, become_joined, become_same, product
from pbslim.transforms.compressed.palettes import decoding, shared_numbers
from pbslim.transforms.compressed.restoring import followed, restored
from pbslim.transforms.compressed.stored import Stored, groups_of

_STREAM_COST = 150  # bytes of the nodes that take numbers out of a stream


def write_groups(
    graph: Graph, stored: Sequence[Stored], vectors: Mapping[str, Array], kept: Collection[str] = ()
) -> None:
    """Store constants as groups of codes.

    Args:
        stored: those that are codes become products of these and steps, or what a palette makes of them, the others
            reshaped float16.
        vectors: content of further constants by name, float16 or finer of `pbslim.quant.half`; they go, and what reads
            them reads the group.
        kept: names of vectors that must stay.
    """
    decoders = Decoders(graph)
    pieces = {each.name: each.pieces() for each in stored if not each.is_half}
    flat = [piece for _, parts in pieces.values() for piece in parts]
    wanted: dict[Hashable, Array] = {each.name: each.codes for each in stored if each.is_half}
    steps = {number: piece.steps for number, piece in enumerate(flat) if piece.steps is not None and not piece.palette}
    short = {number: each for number, each in steps.items() if np.array_equal(steps_of(exponents_of(each)), each)}
    wanted |= {number: each for number, each in steps.items() if number not in short}
    halves = _halves(decoders, wanted | dict(vectors)) | _steps(decoders, short)
    exact = shared_numbers(decoders, {number: piece for number, piece in enumerate(flat) if piece.palette})
    codes = _codes(decoders, [piece.codes for piece in flat], [piece.order for piece in flat])
    ops = (
        decoding(decoders, each, exact[number]) if number in exact else product(each, halves[number])
        for number, each in enumerate(codes)
    )
    for each in stored:
        node = graph[each.name]
        if each.name not in pieces:
            become_same(node, halves[each.name])
            continue
        axis, parts = pieces[each.name]
        own = [next(ops) for _ in parts]
        if len(own) == 1:
            become(node, own[0])
        else:
            become_joined(node, decoders, list(map(decoders.add, own)), axis)
    decoders.place()
    for name in vectors:
        if name in kept:
            become_same(graph[name], halves[name])
        else:
            graph[name].output().replace_all_uses_with(halves[name])
            graph.erase([graph[name]])


def _halves(decoders: Decoders, wanted: Mapping[Hashable, Array]) -> dict[Hashable, Value]:
    """All arrays of `wanted` as pieces of a few vectors of float16 numbers or finer ones, in their shapes."""
    found: dict[Hashable, Value] = {}
    keys = list(wanted)
    for group in groups_of([wanted[key].size for key in keys]):
        arrays = [wanted[keys[number]] for number in group]
        half, residual = in_halves(np.concatenate([array.astype(FLOAT.numpy).reshape(-1) for array in arrays]))
        values = _floats(decoders, half)
        if residual.any():
            values = _refined(decoders, values, residual.tobytes())
        parts = decoders.split(values, [array.size for array in arrays])
        for number, array, part in zip(group, arrays, parts, strict=True):
            found[keys[number]] = decoders.reshaped(part, array.shape, (array.size,))
    return found


def _refined(decoders: Decoders, values: Value, residual: bytes) -> Value:
    """float16 numbers with more bits; see `pbslim.quant.half`."""
    finer = decoders.cast(decoders.inflated(single_stream(residual), INT8), INT8)
    one, resolution = (decoders.array(np.array(number, np.float32)) for number in (1, RESOLUTION))
    return decoders.product(values, decoders.sum(decoders.product(finer, resolution), one))


def _steps(decoders: Decoders, steps: Mapping[int, Array]) -> dict[Hashable, Value]:
    """Steps in their shapes, from one stream of exponents."""
    if not steps:
        return {}
    data = np.concatenate([exponents_of(each).reshape(-1) for each in steps.values()]).tobytes()
    exponents = decoders.cast(decoders.inflated(single_stream(data), INT8), INT8, INT32)
    shifted = decoders.product(exponents, decoders.int32(1 << STEP_SHIFT), INT32)
    bits = decoders.sum(shifted, decoders.int32(STEP_ORIGIN), INT32)
    parts = decoders.split(decoders.floats_of(bits), [each.size for each in steps.values()])
    return {
        number: decoders.reshaped(part, each.shape, (each.size,))
        for part, (number, each) in zip(parts, steps.items(), strict=True)
    }


def _floats(decoders: Decoders, vector: Array) -> Value:
    """float16 numbers as floats, from a stream where that is clearly shorter: many zeros, or few different values."""
    data = vector.tobytes()
    coded = deflated(data)
    if len(coded) + _STREAM_COST > len(data):
        return decoders.floats(vector)
    return decoders.cast(decoders.inflated(zlib_stream([(data, coded)]), HALF), HALF)


def _codes(decoders: Decoders, pieces: Sequence[Array], orders: Sequence[Array | None]) -> list[Value]:
    """All pieces as floats in their shapes, those of one kind of stream in groups."""
    narrow = [number for number, piece in enumerate(pieces) if piece.dtype == np.int8]
    found_ways = shortest([pieces[number] for number in narrow], [orders[number] for number in narrow])
    coded = dict(zip(narrow, found_ways, strict=True))
    found: dict[int, Value] = {}
    for kind in sorted({each.kind for each in coded.values()}, reverse=True):
        members = [number for number, each in coded.items() if each.kind == kind]
        for group in groups_of([coded[number].size for number in members]):
            numbers = [members[place] for place in group]
            found |= zip(numbers, _group(decoders, [coded[number] for number in numbers]), strict=True)
    found = restored(decoders, coded, found)
    wide = [number for number in range(len(pieces)) if number not in coded]
    for group in groups_of([pieces[number].size for number in wide]):
        numbers = [wide[place] for place in group]
        found |= zip(numbers, _wide(decoders, [pieces[number] for number in numbers]), strict=True)
    return [decoders.reshaped(found[i], piece.shape, (piece.size,)) for i, piece in enumerate(pieces)]


def _wide(decoders: Decoders, pieces: Sequence[Array]) -> list[Value]:
    """Codes of two bytes as vectors of floats; low and high bytes are streams of their own, as they differ in kind."""
    low, high = (
        decoders.cast(decoders.inflated(zlib_stream((data, deflated(data)) for data in plane), INT8), INT8)
        for plane in zip(*((part.tobytes() for part in in_two_bytes(piece)) for piece in pieces), strict=True)
    )
    values = decoders.sum(low, decoders.product(high, decoders.array(np.array(RADIX, np.float32))))
    return decoders.split(values, [piece.size for piece in pieces])


def _group(decoders: Decoders, members: Sequence[Coded]) -> list[Value]:
    """The codes of each member, all of one kind, as a vector of floats."""
    stream = zlib_stream((each.data, each.deflated) for each in members)
    levels, has_trellis = members[0].kind
    sizes: list[int] = []
    places: list[int] = []
    for each in members:
        places.append(len(sizes))
        filler = len(each.data) * each.per_byte - each.size
        sizes += [each.size, filler] if filler else [each.size]
    if levels == PLAIN:
        values = decoders.cast(decoders.inflated(stream, INT8), INT8)
    else:
        index = decoders.cast(decoders.inflated(stream, UINT8), UINT8, INT32)
        values = decoders.reshaped(decoders.looked_up(decoders.table(levels), index), [-1])
    if has_trellis:
        values = followed(decoders, values, sum(sizes))
    parts = decoders.split(values, sizes)
    return [parts[place] for place in places]
