"""The numbers behind quantize_graph, against TensorFlow's ops and against formulas in double precision."""

from __future__ import annotations

import os

import numpy as np
import numpy.typing as npt
import pytest

from pbslim.quant.affine import op_quantizer, zero_range
from pbslim.quant.rounding import bucket_rounder

ONEDNN = os.environ.get("TF_ENABLE_ONEDNN_OPTS") != "0"

SEED = np.random.default_rng(0)
CASES = {
    "gaussian": SEED.normal(size=4096).astype(np.float32),
    "all negative": -SEED.random(100).astype(np.float32) - 1,
    "all positive": SEED.random(100).astype(np.float32) + 1,
    "one outlier": np.r_[SEED.normal(size=99), 1e6].astype(np.float32),
    "narrow": np.array([0, 0.0005, 0.001], np.float32),
    "all zero": np.zeros(20, np.float32),
    "all equal": np.full(20, 3.25, np.float32),
    "all equal and negative": np.full(20, -3.25, np.float32),
    "one small element": np.array([1e-3], np.float32),
    "hardly a float": np.array([0, 1e-37], np.float32),
}
Floats = npt.NDArray[np.float32]


@pytest.mark.parametrize("values", CASES.values(), ids=CASES)
@pytest.mark.parametrize("min_first", [False, True])
def test_codes_come_back_within_half_a_step(values: Floats, min_first: bool) -> None:
    low, high = zero_range(values.min(), values.max())
    assert low <= 0 <= high
    codes = op_quantizer(low, high, min_first=min_first)(values)
    step = (float(high) - float(low)) / 255
    start = np.round(low / step) * step if min_first else float(low)  # where TensorFlow's Dequantize starts
    slack = 4 * np.finfo(np.float32).eps * max(abs(low), abs(high))
    assert np.abs(start + codes * step - values).max() <= step * (1 if min_first else 0.5) + slack


@pytest.mark.tensorflow
@pytest.mark.parametrize("name", ["gaussian", "all positive", "one outlier"])
@pytest.mark.parametrize("mode", ["MIN_COMBINED", "MIN_FIRST"])
def test_codes_are_those_of_quantize_v2(name: str, mode: str) -> None:
    tensorflow = pytest.importorskip("tensorflow")
    if ONEDNN and mode == "MIN_FIRST":
        pytest.skip("oneDNN rounds otherwise")
    low, high = zero_range(CASES[name].min(), CASES[name].max())
    codes = op_quantizer(low, high, min_first=mode == "MIN_FIRST")(CASES[name])
    made = tensorflow.quantization.quantize(CASES[name], low, high, tensorflow.quint8, mode=mode)
    assert (np.asarray(tensorflow.bitcast(made[0], tensorflow.uint8)) == codes).all()


@pytest.mark.parametrize("values", CASES.values(), ids=CASES)
@pytest.mark.parametrize("bits", [0, 1, 4, 8])
def test_buckets(values: Floats, bits: int) -> None:
    rounded = bucket_rounder(values.min(), values.max(), 2**bits)(values)
    assert rounded.dtype == np.float32
    assert len(np.unique(rounded)) <= 2**bits
    half = np.ptp(values.astype(np.float64)) / 2**bits / 2
    facts = np.finfo(np.float32)
    slack = 4 * facts.eps * float(np.abs(values).max()) + 2**bits * float(facts.smallest_subnormal)
    assert np.abs(rounded - values.astype(np.float64)).max() <= half + slack


def test_the_example_of_the_original() -> None:
    values = np.array([0, 0.3, 0.6, 1], np.float32)
    assert bucket_rounder(values[0], values[3], 2)(values).tolist() == [0.25, 0.25, 0.75, 0.75]
