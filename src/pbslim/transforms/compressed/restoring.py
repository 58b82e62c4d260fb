"""Codes in another order, or without rows and columns of zeros, become the matrix that they were taken from."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from pbslim.dtypes import FLOAT, INT8, INT16, INT32
from pbslim.ir import Value
from pbslim.ir.tensors import Array
from pbslim.quant.deflate import single_stream
from pbslim.quant.streams import Coded
from pbslim.transforms.compressed.decoders import Decoders


def restored(decoders: Decoders, coded: Mapping[int, Coded], values: Mapping[int, Value]) -> dict[int, Value]:
    """The codes of each constant in the order of its elements.

    Args:
        values: vectors of floats, one for each of `coded`.

    Returns:
        Vectors, or matrices [K, N], of all elements.
    """
    masks = {(number, i): mask for number, each in coded.items() for i, mask in enumerate(each.layout.masks)}
    places = _places(decoders, masks)
    orders = {number: each.layout.order for number, each in coded.items() if each.layout.order is not None}
    rows = _rows(decoders, orders)
    found = {}
    for number, value in values.items():
        layout = coded[number].layout
        if layout.by_column or layout.masks:
            value = decoders.reshaped(value, coded[number].shape)
        if layout.by_column:
            value = decoders.transposed(value)
        if number in rows:
            value = decoders.looked_up(value, rows[number])
        if layout.masks:
            value = decoders.padded(value, layout.rows is not None, layout.columns is not None)
            axes = [axis for axis, mask in enumerate((layout.rows, layout.columns)) if mask is not None]
            for i, axis in enumerate(axes):
                value = decoders.looked_up(value, places[number, i], axis)
        found[number] = value
    return found


def _places(decoders: Decoders, masks: Mapping[tuple[int, int], Array]) -> dict[tuple[int, int], Value]:
    """For each element of a mask the place of what is stored for it, from 1 on; 0 where nothing is."""
    if not masks:
        return {}
    data = np.concatenate(list(masks.values())).tobytes()
    stream = decoders.cast(decoders.inflated(single_stream(data), INT8), INT8)
    parts = decoders.split(stream, [mask.size for mask in masks.values()])
    counted = (decoders.product(part, decoders.summed_up(part)) for part in parts)
    return dict(zip(masks, (decoders.cast(each, FLOAT, INT32) for each in counted), strict=True))


def _rows(decoders: Decoders, orders: Mapping[int, Array]) -> dict[int, Value]:
    """For each row the place where it is stored."""
    if not orders:
        return {}
    places = [np.argsort(order).astype(np.int16) for order in orders.values()]
    data = np.concatenate(places).tobytes()
    stream = decoders.cast(decoders.inflated(single_stream(data), INT16), INT16)
    parts = decoders.split(stream, [each.size for each in places])
    return dict(zip(orders, (decoders.cast(each, FLOAT, INT32) for each in parts), strict=True))


def followed(decoders: Decoders, codes: Value, size: int) -> Value:
    """What codes along a trellis stand for, a vector of `size` floats; see `pbslim.quant.trellis`.

    A code is on the grid nearer to zero where an odd number of every second code before it is odd.
    """
    two = decoders.array(np.array(2, np.float32))
    pairs = decoders.reshaped(decoders.filled(decoders.remainder(codes, two), 1, 1 - size % 2), [-1, 2])
    nearer = decoders.reshaped(decoders.remainder(decoders.summed_up(pairs), two), [-1])
    nearer = decoders.product(decoders.first(nearer, size), decoders.array(np.array(-0.5, np.float32)))
    return decoders.sum(codes, decoders.product(decoders.sign(codes), nearer))
