"""Codes of several constants together, in the order and without the zeros that make them short."""

from __future__ import annotations

import zlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pbslim.quant import deflate, streams
from pbslim.quant.deflate import deflated, single_stream
from pbslim.quant.layouts import Layout, layouts_of
from pbslim.quant.packing import PER_BYTE, packed, table
from pbslim.quant.streams import PLAIN, Coded, shortest


def _gaussian(*shape: int, scale: float = 3.0, seed: int = 0) -> np.ndarray:
    return np.clip(np.rint(np.random.default_rng(seed).standard_normal(shape) * scale), -127, 127).astype(np.int8)


def _decoded(coded: Coded, shape: tuple[int, ...]) -> np.ndarray:
    """The codes again, as a reader would take them out."""
    if coded.levels == PLAIN:
        flat = np.frombuffer(coded.data, np.int8)
    else:
        flat = table(coded.levels)[np.frombuffer(coded.data, np.uint8)].reshape(-1)
    stored = flat[: coded.size].reshape(coded.shape)
    if len(shape) < 2:
        return stored
    matrix = np.zeros((int(np.prod(shape[:-1])), shape[-1]), np.int8)
    rows = coded.layout.rows if coded.layout.rows is not None else np.ones(matrix.shape[0], bool)
    columns = coded.layout.columns if coded.layout.columns is not None else np.ones(matrix.shape[1], bool)
    matrix[np.ix_(rows, columns)] = stored.T if coded.layout.by_column else stored
    return matrix.reshape(shape)


@given(
    rows=st.integers(1, 40),
    columns=st.integers(1, 40),
    scale=st.sampled_from([0.3, 1.0, 20.0]),
    dead=st.sampled_from([0.0, 0.1, 0.7]),
    seed=st.integers(0, 9),
)
def test_what_was_coded_comes_out_again(rows: int, columns: int, scale: float, dead: float, seed: int) -> None:
    random = np.random.default_rng(seed)
    codes = _gaussian(rows, columns, scale=scale, seed=seed)
    codes[random.random(rows) < dead] = 0
    codes[:, random.random(columns) < dead] = 0
    for coded in shortest([codes, codes.reshape(-1), codes.reshape(1, rows, columns)]):
        shape = (rows * columns,) if len(coded.shape) == 1 else codes.shape
        assert np.array_equal(_decoded(coded, shape).reshape(rows, columns), codes)


def test_columns_of_their_own_kind_come_one_after_the_other() -> None:
    codes = _gaussian(8192, 64) * np.where(np.arange(64) % 2, 1, 20).astype(np.int8)
    [coded], [turned] = shortest([codes]), shortest([np.ascontiguousarray(codes.T)])
    assert coded.layout.by_column
    assert turned.layout == Layout()
    assert coded.deflated == turned.deflated


@pytest.mark.parametrize("axis", [0, 1])
def test_what_is_zero_is_left_out(axis: int) -> None:
    codes = _gaussian(400, 300, scale=1.0)
    dead = np.random.default_rng(1).random(codes.shape[axis]) < 0.5
    codes[(slice(None),) * axis + (dead,)] = 0
    codes[:, 7] = 0
    [coded] = shortest([codes])
    kept = coded.layout.columns if axis else coded.layout.rows
    if kept is not None:
        assert np.array_equal(kept, codes.any(axis=1 - axis))
    whole = packed(codes, coded.levels).tobytes() if coded.levels in PER_BYTE else codes.tobytes()
    assert coded.size < 0.6 * codes.size or len(coded.deflated) < 0.6 * len(whole)


def test_a_plain_matrix_stays_in_its_order() -> None:
    assert layouts_of(_gaussian(300, 200)) == [Layout()]
    assert layouts_of(np.zeros((300, 200), np.int8)) == [Layout()]
    assert layouts_of(np.zeros((0, 200), np.int8)) == [Layout()]


def test_of_many_codes_a_part_shows_how_they_are_stored(monkeypatch: pytest.MonkeyPatch) -> None:
    """The same bytes as of all ways tried in full, where codes are of one kind throughout."""
    pieces = [_gaussian(300, 64, scale=scale) for scale in (0.4, 1.2, 20.0)]
    whole = shortest(pieces)
    monkeypatch.setattr(streams, "_LARGE", 1000)
    monkeypatch.setattr(streams, "_EXCERPT", 4000)
    for piece, one, other in zip(pieces, shortest(pieces), whole, strict=True):
        assert np.array_equal(_decoded(one, piece.shape), piece)
        assert (one.levels, one.data) == (other.levels, other.data)


def test_of_many_bytes_a_part_shows_how_they_are_deflated(monkeypatch: pytest.MonkeyPatch) -> None:
    repeated, noisy = bytes(range(200)) * 300, _gaussian(60000).tobytes()
    whole = [deflated(data) for data in (repeated, noisy)]
    monkeypatch.setattr(deflate, "_LARGE", 1000)
    monkeypatch.setattr(deflate, "_EXCERPT", 5000)
    assert [deflated(data) for data in (repeated, noisy)] == whole
    assert zlib.decompress(single_stream(noisy)) == noisy
