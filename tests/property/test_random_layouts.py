"""Random changes of the order of axes: fewer nodes give the same bits."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import pbslim
from pbslim.engines import engine
from pbslim.ir.order import check
from tests.graphs import show
from tests.property.random_layouts import RandomLayouts


def _check(name: str, data: st.DataObject) -> None:
    made = RandomLayouts(data)
    if not made.outputs:
        return
    graph, program = made.graph, engine(name)
    before = program.load(graph.copy()).run(made.feeds, made.outputs)
    count = len(graph)
    pbslim.transform(graph, "cancel_transposes", list(made.feeds), made.outputs)
    check(graph)
    assert len(graph) < count or not graph.journal
    for was, now in zip(before, program.load(graph.copy()).run(made.feeds, made.outputs), strict=True):
        np.testing.assert_array_equal(now, was, strict=True)
    once = show(graph)
    pbslim.transform(graph, "cancel_transposes", list(made.feeds), made.outputs)
    assert show(graph) == once


@given(data=st.data())
@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_the_same_bits(data: st.DataObject) -> None:
    _check("builtin", data)


@pytest.mark.tensorflow
@given(data=st.data())
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_the_same_bits_in_tensorflow(data: st.DataObject) -> None:
    pytest.importorskip("tensorflow")
    _check("tensorflow", data)
