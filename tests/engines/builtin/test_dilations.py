"""Depthwise convolutions with dilations."""

from __future__ import annotations

import numpy as np
import pytest

from pbslim.engines import engine
from pbslim.kernels import evaluate
from tests import graphs
from tests.kernels.operands import F4, numbers

X = numbers(F4, 2, 11, 12, 3)
FILTERS = numbers(F4, 3, 2, 3, 2)


@pytest.mark.parametrize("rates", [(2, 2), (1, 3), (3, 1)])
def test_they_are_followed(rates: tuple[int, int]) -> None:
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
