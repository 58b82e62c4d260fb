"""Codes in bytes: packing and deflate."""

from __future__ import annotations

import zlib

import numpy as np
import pytest

from pbslim.quant.deflate import deflated, zlib_stream
from pbslim.quant.packing import PER_BYTE, levels_for, packed, table


@pytest.mark.parametrize("levels", PER_BYTE)
@pytest.mark.parametrize("size", [0, 1, 2, 7, 100])
def test_the_table_takes_out_what_was_packed(levels: int, size: int) -> None:
    low = -(levels // 2)
    codes = np.random.default_rng(size).integers(low, low + levels, size)
    data = packed(codes, levels)
    assert data.dtype == np.uint8
    assert data.size == -(-size // PER_BYTE[levels])
    assert np.array_equal(table(levels)[data].reshape(-1)[:size], codes)
    assert (table(levels)[data].reshape(-1)[size:] == 0).all()


def test_the_fewest_levels_that_hold_the_codes() -> None:
    assert [levels_for(largest) for largest in (0, 1, 2, 3, 7, 8)] == [3, 3, 5, 15, 15, None]


def test_pieces_join_to_one_zlib_stream() -> None:
    random = np.random.default_rng(0)
    pieces = [np.rint(random.standard_normal(5000) * 2).astype(np.int8).tobytes(), b"", b"abc" * 500, b"x"]
    stream = zlib_stream((piece, deflated(piece)) for piece in pieces)
    assert zlib.decompress(stream) == b"".join(pieces)
    assert zlib.decompress(zlib_stream([])) == b""


def test_no_plain_zlib_is_shorter_on_codes() -> None:
    data = np.rint(np.random.default_rng(0).standard_normal(20000) * 3).astype(np.int8).tobytes()
    assert len(deflated(data)) < 0.95 * len(zlib.compress(data, 9))
    assert len(deflated(b"abcd" * 5000)) < 200
