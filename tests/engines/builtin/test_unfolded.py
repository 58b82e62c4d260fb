"""Depthwise convolutions with dilations, and batch norms in training form."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from pbslim.engines import engine
from pbslim.kernels import evaluate
from tests import graphs
from tests.engines.builtin.against_tensorflow import build, check
from tests.kernels.operands import F4, numbers

X = numbers(F4, 2, 11, 12, 3)
FILTERS = numbers(F4, 3, 2, 3, 2)


@pytest.mark.parametrize("rates", [(2, 2), (1, 3), (3, 1)])
def test_dilations_are_followed(rates: tuple[int, int]) -> None:
    """As by a filter with zeros in between."""
    spread = np.zeros([2 * rates[0] + 1, rates[1] + 1, 3, 2], F4)
    spread[:: rates[0], :: rates[1]] = FILTERS
    attrs = {"strides": (1, 1, 1, 1), "padding": b"SAME"}
    expected = evaluate("DepthwiseConv2dNative", attrs, [X, spread])[0]
    graph, _ = graphs.parse(f"""
        x = Placeholder()
        w = Placeholder()
        y = DepthwiseConv2dNative(x, w, strides=[1, 1, 1, 1], dilations=[1, {rates[0]}, {rates[1]}, 1], padding='SAME')
    """)
    assert engine("builtin").unsupported(graph, ["y"]) == []
    with engine("builtin").load(graph) as program:
        [found] = program.run({"x": X, "w": FILTERS}, ["y"])
    np.testing.assert_allclose(found, expected, rtol=1e-6, atol=1e-5)


@pytest.mark.tensorflow
@pytest.mark.parametrize("data_format", ["NHWC", "NDHWC"])
@pytest.mark.parametrize("share", [1.0, 0.25])
def test_batch_norms_in_training_form(data_format: str, share: float) -> None:
    x = numbers(F4, 2, 4, 5, 3) if data_format == "NHWC" else numbers(F4, 2, 4, 2, 3, 3)
    vectors = [np.abs(numbers(F4, 3, seed=k)) + F4(0.1) for k in range(4)]

    def make(tf: Any) -> list[Any]:
        operands = [tf.compat.v1.placeholder(tf.float32, [None] * x.ndim, name="x"), *vectors]
        attrs = {"epsilon": 0.01, "data_format": data_format, "is_training": True}
        versions = [tf.raw_ops.FusedBatchNormV3]
        if data_format == "NHWC":
            versions += [tf.raw_ops.FusedBatchNorm, tf.raw_ops.FusedBatchNormV2]
        names = ("x", "scale", "offset", "mean", "variance")
        fed = dict(zip(names, operands, strict=True))
        return [output for op in versions for output in op(**fed, exponential_avg_factor=share, **attrs)[:3]]

    graph_def, names = build(make, old=False)
    check(graph_def, names, {"x": x}, tolerance=2e-6)
