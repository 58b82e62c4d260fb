"""Few values in a tensor, and codes that give them back."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from pbslim.quant.affine import decoded, quantizer, weights_range
from pbslim.quant.channels import RADIX, in_two_bytes
from pbslim.quant.grids import evenly_spaced, per_column, single_precision
from pbslim.quant.palettes import Array, palettized
from pbslim.quant.rounding import bucket_rounder, rounder

RANDOM = np.random.default_rng(0)
WEIGHTS = RANDOM.standard_normal((300, 24)).astype(np.float32) * np.float32(0.1)
LOW, HIGH = WEIGHTS.min(), WEIGHTS.max()
FACTORS = (RANDOM.standard_normal(24) * 3).astype(np.float32)


def min_first(values: Array) -> Array:
    """Codes of quantize_weights, and what Dequantize makes of them in single precision."""
    low, high = weights_range(LOW, HIGH)
    step = np.float32((np.float64(high) - low) / 255)
    first = np.float32(decoded(np.zeros(1, np.uint8), low, high)[0])
    result: Array = quantizer(low, high)(values).astype(np.float32) * step + first
    return result


def symmetric(values: Array) -> Array:
    step = np.float32(HIGH / 127)
    return np.clip(np.rint(values / step), -127, 127).astype(np.float32) * step


def with_zero_point(values: Array) -> Array:
    step = np.float32((HIGH - LOW) / 255)
    result: Array = (np.rint((values - LOW) / step) - np.rint(-LOW / step)).astype(np.float32) * step
    return result


EVEN: dict[str, Callable[[Array], Array]] = {
    "round_weights": rounder(LOW, HIGH, 256),
    "round_weights(num_steps=64)": rounder(LOW, HIGH, 64),
    "quantize_graph, weights_rounded": bucket_rounder(LOW, HIGH, 200),
    "quantize_weights": min_first,
    "symmetric": symmetric,
    "with a zero point": with_zero_point,
}


@pytest.mark.parametrize("tool", EVEN.values(), ids=list(EVEN))
def test_what_tools_leave_behind_is_given_back_to_the_last_bit(tool: Callable[[Array], Array]) -> None:
    values = tool(WEIGHTS)
    found = palettized(values)
    assert found is not None
    assert found.palette.table is None
    assert found.steps is not None
    assert found.steps.size == 1
    assert np.array_equal(found.values, values)
    assert found.codes.dtype == (np.int8 if np.ptp(found.codes.astype(int)) < 256 else np.int16)


@pytest.mark.parametrize("tool", EVEN.values(), ids=list(EVEN))
def test_factors_of_columns_are_found(tool: Callable[[Array], Array]) -> None:
    values = tool(WEIGHTS) * FACTORS
    values[:, 3], values[:, 5] = 0, values[0, 5]
    found = palettized(values)
    assert found is not None
    assert found.steps is not None
    assert found.steps.size == 24
    assert np.ptp(found.codes.astype(int)) <= 256
    assert (np.abs(found.values - values) <= 2.0**-13 * np.abs(found.steps)).all()


def test_codes_with_a_scale_per_channel_are_found() -> None:
    steps = np.abs(FACTORS) / 100
    codes = np.clip(np.rint(RANDOM.standard_normal((400, 24)) * 40), -127, 127)
    found = palettized(codes.astype(np.float32) * steps)
    assert found is not None
    assert found.palette.offset == 0
    assert np.array_equal(np.abs(found.codes), np.abs(codes))
    assert np.array_equal(found.values, codes.astype(np.float32) * steps)


@pytest.mark.parametrize("most", [9, 200, 256])
def test_uneven_values_have_a_table(most: int) -> None:
    table = RANDOM.standard_normal(most).astype(np.float32)
    values = table[RANDOM.integers(0, most, (300, 24))]
    found = palettized(values, in_bytes=True)
    assert found is not None
    assert found.palette.table is not None
    assert found.codes.dtype == np.int8
    assert np.array_equal(found.values, values)


def test_many_values_are_none() -> None:
    assert palettized(WEIGHTS) is None
    assert per_column(WEIGHTS[:9]) is None
    assert palettized(np.zeros((0, 4), np.float32)) is None
    almost = rounder(LOW, HIGH, 64)(WEIGHTS) * FACTORS
    almost[7, 7] *= np.float32(1.01)
    assert palettized(almost) is None
    table = RANDOM.standard_normal(257).astype(np.float32)
    assert palettized(np.tile(table, (8, 1)), in_bytes=True) is None


def test_257_values_take_two_bytes_of_which_one_costs_next_to_nothing() -> None:
    found = palettized(rounder(LOW, HIGH, 256)(WEIGHTS))
    assert found is not None
    assert np.ptp(found.codes) == 256
    first, second = in_two_bytes(found.codes)
    assert np.array_equal(first + RADIX * second.astype(int), found.codes)
    assert np.count_nonzero(second) < 10


def test_even_spacing_of_single_columns() -> None:
    columns = np.array([[1, 0.5, 2, 3], [7, 2, 2, 3.1], [4, 1.25, 2, 7]], np.float32)
    grid = evenly_spaced(columns)
    assert grid.fits.tolist() == [True, True, True, True]
    np.testing.assert_allclose(grid.step[:3], [3, 0.75, 1])
    assert grid.counts[:, :2].tolist() == [[0, 0], [2, 2], [1, 1]]
    assert not evenly_spaced(WEIGHTS).fits.any()


def test_no_way_of_computing_gives_these() -> None:
    even = np.arange(20, dtype=np.float32) * np.float32(0.1) + np.float32(3)
    assert single_precision(even) is not None
    even[4] = np.nextafter(even[4], np.float32(9))
    assert single_precision(even) is None
    assert per_column(np.ones((4, 4), np.float32)) is None


def test_bits_are_about_what_a_file_takes() -> None:
    values = rounder(LOW, HIGH, 14)(WEIGHTS)[:-1]
    found = palettized(values, in_bytes=True)
    assert found is not None
    numbers = found.plain_bits - 4 * values.size
    assert 0 < numbers < 2000
    assert found.coded_bits - numbers < 4 * values.size
