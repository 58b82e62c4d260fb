"""round_weights and quantize_weights, and the numbers behind them."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import pbslim
from pbslim.dtypes import FLOAT
from pbslim.errors import TransformError
from pbslim.ir import ArrayTensor, Graph, SplatTensor
from pbslim.quant.affine import quantizer, round_half_away, weights_range
from pbslim.quant.ranges import value_range
from pbslim.quant.rounding import rounder
from pbslim.rewrite import Skipped
from tests.graphs import apply, parse

RAMP = str([float(i) for i in range(16)])
SEED = np.random.default_rng(0)
CASES = {
    "gaussian": SEED.normal(size=4096).astype(np.float32),
    "all negative": -SEED.random(100).astype(np.float32) - 1,
    "all positive": SEED.random(100).astype(np.float32) + 1,
    "one outlier": np.r_[SEED.normal(size=99), 1e6].astype(np.float32),
    "all zero": np.zeros(20, np.float32),
    "all equal": np.full(20, 3.25, np.float32),
    "one element": np.array([7], np.float32),
    "tiny": np.full(20, 1e-8, np.float32),
}


def test_rounding_moves_to_the_middle_of_the_bucket() -> None:
    graph, _ = apply("round_weights(num_steps=4)", f"w = Const({RAMP})\n-> w", [])
    middle = [1.875] * 4 + [5.625] * 4 + [9.375] * 4 + [13.125] * 3 + [16.875]
    np.testing.assert_array_equal(graph["w"].tensor().numpy(), np.array(middle, np.float32))


@pytest.mark.parametrize("values", CASES.values(), ids=CASES)
def test_no_value_moves_more_than_half_a_step(values: np.ndarray) -> None:
    low, high = value_range([values])
    rounded = rounder(low, high, 64)(values)
    width = (max(float(high), 1.2e-38) - float(low)) or max(abs(float(low)), 1.0)
    assert np.abs(rounded - values).max() <= width / 64 / 2 * (1 + 1e-5) + np.abs(values).max() * 3e-7
    assert len(np.unique(rounded)) <= 65


@pytest.mark.parametrize("values", CASES.values(), ids=CASES)
def test_codes_decode_to_within_a_step(values: np.ndarray) -> None:
    low, high = weights_range(*value_range([values]))
    codes = quantizer(low, high)(values)
    step = (float(high) - float(low)) / 255
    decoded = float(low) + codes.astype(np.float64) * step
    assert np.abs(decoded - values).max() <= step * 1.01


@given(st.floats(-1e9, 1e9))
def test_halves_go_away_from_zero(value: float) -> None:
    rounded = float(round_half_away(np.array([value]))[0])
    assert abs(rounded - value) <= 0.5
    if abs(value - int(value)) == 0.5:
        assert abs(rounded) > abs(value)


@pytest.mark.parametrize("transform", ["round_weights", "quantize_weights(minimum_size=16)"])
@pytest.mark.parametrize(
    ("values", "reason"),
    [([np.nan], "it holds NaN or infinity"), ([3e38, -3e38], "its range is too wide for a float")],
)
def test_a_range_without_measure_is_skipped(transform: str, values: list[float], reason: str) -> None:
    graph, _ = parse(f"w = Const({RAMP})\n-> w")
    broken = np.arange(16, dtype=np.float32)
    broken[: len(values)] = values
    graph["w"].set_attr("value", ArrayTensor(broken))
    (result,) = pbslim.transform(graph, transform)
    assert [(s.node, s.reason) for s in result.skipped] == [("w", reason)]
    assert graph["w"].op == "Const"


def test_small_and_other_constants_stay() -> None:
    text = f"a = Const([1.5] )\nb = Const({RAMP}, dtype='double')\n-> a, b"
    _, results = apply("round_weights quantize_weights(minimum_size=16)", text, [])
    assert not any(result.changed for result in results)


def test_quantized_parts_stand_before_the_dequantize() -> None:
    graph, _ = apply("quantize_weights(minimum_size=16)", f"w = Const({RAMP})\ny = Neg(w, ^w)\n-> y", [])
    names = ["w_quantized_const", "w_quantized_min", "w_quantized_max", "w", "y"]
    assert [node.name for node in graph] == names
    assert graph["w"].op == "Dequantize"
    assert graph["w_quantized_const"].tensor().numpy().tolist() == [17 * i for i in range(16)]


def test_a_taken_name_is_not_reused() -> None:
    text = f"w = Const({RAMP})\nw_quantized_min = Const([1])\ny = Add(w, w_quantized_min)\n-> y"
    graph, _ = apply("quantize_weights(minimum_size=16)", text, [])
    assert graph["w"].inputs[1].name == "w_quantized_min_1"


@pytest.mark.parametrize("op", ["Switch", "RefSwitch", "_SwitchN"])
def test_a_constant_in_a_branch_keeps_its_anchor(op: str) -> None:
    text = f"p = Placeholder()\ns = {op}(p, p)\nt = Identity(s:1)\nw = Const({RAMP}, ^t)\ny = Mul(t, w)\n-> y"
    graph, _ = apply("round_weights quantize_weights(minimum_size=16)", text)
    assert graph["w_quantized_const"].controls == (graph["t"],)


def test_num_steps_must_be_positive() -> None:
    with pytest.raises(TransformError, match="round_weights: num_steps must be at least 1, not 0"):
        apply("round_weights(num_steps=0)", "x = Placeholder()\n-> x")


COARSE = np.repeat(np.linspace(-1, 0.7, 257).astype(np.float32), 8)
"""As a tensor is after `round_weights`."""


def coarse_graph(values: np.ndarray) -> Graph:
    graph, _ = parse("w = Const([1])\ny = Neg(w)\n-> y")
    graph["w"].set_attr("value", ArrayTensor(values))
    graph.forget_changes()
    return graph


@pytest.mark.parametrize("transform", ["round_weights(num_steps=256, ", "quantize_weights("])
def test_what_was_rounded_before_stays_where_that_is_asked_for(transform: str) -> None:
    graph = coarse_graph(COARSE)
    (result,) = pbslim.transform(graph, transform + "keep_coarse=true)")
    assert not result.changed
    assert "257 different values already" in result.skipped[0].reason
    (result,) = pbslim.transform(graph, transform.rstrip(", ") + ")")
    assert result.changed


def test_rounding_twice_changes_nothing_where_that_is_asked_for() -> None:
    graph = coarse_graph(SEED.normal(size=10000).astype(np.float32))
    text = "round_weights(num_steps=64, keep_coarse=true)"
    first, second = (pbslim.transform(graph, text)[0] for _ in range(2))
    assert first.changed
    assert not second.changed


@pytest.mark.parametrize("values", [np.tile(np.array([0, 1], np.float32), 700), np.zeros(2000, np.float32)])
def test_few_values_that_codes_give_back_are_quantized(values: np.ndarray) -> None:
    graph = coarse_graph(values)
    pbslim.transform(graph, "quantize_weights(keep_coarse=true)")
    assert graph["w"].op == "Dequantize"


def test_one_value_for_a_whole_shape_is_short_enough() -> None:
    graph = coarse_graph(COARSE)
    graph["w"].set_attr("value", SplatTensor(np.float32(0), FLOAT, (1024,)))
    (result,) = pbslim.transform(graph, "quantize_weights(keep_coarse=true)")
    assert result.skipped == [Skipped("w", "its 1024 elements are stored in 4 bytes already")]


@pytest.mark.parametrize("transform", ["fold_batch_norms", "fold_old_batch_norms", "fold_batch_norms(algebraic=true"])
def test_weights_that_were_rounded_before_keep_their_scale_apart(transform: str) -> None:
    text = """
        x = Placeholder()
        w = Const([[[[1]]]])
        s = Const([2, 3])
        z = Const([0, 0])
        o = Const([1, 1])
        c = Conv2D(x, w, strides=[1, 1, 1, 1], padding='SAME')
        y = {}
        -> y
    """
    old = transform == "fold_old_batch_norms"
    graph, outputs = parse(text.format("FusedBatchNorm(c, s, z, z, o, is_training=False)" if old else "Mul(c, s)"))
    weights = ArrayTensor(np.repeat(COARSE, 2).reshape(1, 1, -1, 2))
    graph["w"].set_attr("value", weights)
    call = (
        (transform if "(" in transform else transform + "(") + (", " if "(" in transform else "") + "keep_coarse=true)"
    )
    (result,) = pbslim.transform(graph, call, ["x"], outputs)
    assert graph["w"].tensor() is weights
    assert "only 257 different values" in str(result.skipped)
    pbslim.transform(graph, call.replace("true)", "false)"), ["x"], outputs)
    assert graph["w"].tensor() is not weights
