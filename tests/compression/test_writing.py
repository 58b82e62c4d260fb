"""What is written beside the weights."""

from __future__ import annotations

import numpy as np
import pytest

from pbslim.compression.compressor import written
from pbslim.compression.model import Model
from pbslim.engines import engine
from tests import functions

WEIGHTS = np.random.default_rng(0).standard_normal((20, 20)).round(3).tolist()
MAIN = f"""
    x = Placeholder(dtype='float', shape=[-1, 20])
    weights = Const({WEIGHTS})
    y = F(x, weights)
    -> y
"""
BODY = {
    "F(rows: float, matrix: float)": """
        a_long_name/product = MatMul(rows, matrix, transpose_a=False)
        a_long_name/relu = Relu(a_long_name/product:product:0)
        a_long_name/result = Neg(a_long_name/relu:activations:0)
        -> result = a_long_name/result:y:0
    """
}


@pytest.mark.parametrize("form", ["coded", "codes"])
def test_inner_names_and_defaults_of_functions_take_no_room(form: str) -> None:
    graph = functions.load(MAIN, BODY)
    model = Model.of(graph, engine("builtin").load(graph), ["x"], ["y"])
    rounded = {each.site.name: each.round(0.1) for each in model.rounders({})}
    found = written(model, rounded, form)
    body = found.library.functions["F"].body()
    inner = [node for node in body.graph if node.name not in body.arguments]
    if form == "coded":
        assert [node.name for node in inner] == ["0", "1", "a_long_name/result"]
        assert "transpose_a" not in inner[0].attrs
    else:
        assert inner[0].name == "a_long_name/product"
    x = np.ones((3, 20), np.float32)
    (expected,) = engine("builtin").load(graph).run({"x": x, **model.content(rounded)}, ["y"])
    (values,) = engine("builtin").load(found).run({"x": x}, ["y"])
    assert np.array_equal(values, expected)
