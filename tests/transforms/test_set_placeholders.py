"""Placeholders that become constants."""

from __future__ import annotations

import numpy as np
import pytest

from pbslim import api
from pbslim.errors import PbslimError
from tests.graphs import apply, parse


@pytest.mark.parametrize(
    ("dtype", "text", "value"),
    [
        ("float", "1.0", np.float32(1)),
        ("float", "1e99", np.float32(np.inf)),
        ("double", "-inf", np.float64(-np.inf)),
        ("half", "0.1", np.float16(0.1)),
        ("int32", "-7", np.int32(-7)),
        ("int64", "9223372036854775807", np.int64(2**63 - 1)),
        ("uint8", "255.0", np.uint8(255)),
        ("bool", "False", np.bool_(False)),
        ("bool", "1", np.bool_(True)),
        ("complex64", "1+2j", np.complex64(1 + 2j)),
        ("string", "some text", b"some text"),
    ],
)
@pytest.mark.parametrize("op", ["Placeholder", "PlaceholderWithDefault"])
def test_values(op: str, dtype: str, text: str, value: object) -> None:
    graph, _ = parse(f"d = Mystery()\np = {op}({'' if op == 'Placeholder' else 'd, '}dtype='{dtype}')\ny = F(p)")
    (result,) = api.transform(graph, f'set_placeholders(name="p:0", value="{text}")', ["p", "x"], ["y"])
    tensor = graph["p"].tensor()
    assert (graph["p"].op, graph["p"].inputs, str(tensor.dtype), tensor.shape) == ("Const", (), dtype, ())
    assert tensor.numpy()[()] == value
    assert result.inputs == ("x",)


def test_a_known_shape_is_filled() -> None:
    graph, _ = apply("set_placeholders(name=p, value=2)", "p = Placeholder(shape=[2, 3])\ny = Neg(p)\n-> y")
    np.testing.assert_array_equal(graph["p"].tensor().numpy(), np.full((2, 3), 2, np.float32))


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        ("name=i, value=1.5", "'i' cannot be set: its type is int32, so it cannot be '1.5'"),
        ("name=i, value=3000000000", "its type is int32, so it cannot be '3000000000'"),
        ("name=i, value=nan", "its type is int32, so it cannot be 'nan'"),
        ("name=i, value=true", "its type is int32, not bool"),
        ("name=b, value=2", "its type is bool, so it cannot be '2'"),
        ("name=q, value=1", "its type is quint8, so it cannot be '1'"),
        ("name=s, value=1", "its shape [?,3] is not known as a whole"),
        ("name=x, value=1", "'x' is not in the graph; its placeholders: i, b, q, s"),
        ("name=ii, value=1", "'ii' is not in the graph, did you mean 'i'?"),
        ("name=y, value=1", "'y' (Neg) is not a placeholder"),
        ("name=i", "set_placeholders needs 'value'"),
        ("name=i, value=1, name=b", "name and value must be given equally often"),
    ],
)
def test_refusals(arguments: str, problem: str) -> None:
    text = """
        i = Placeholder(dtype='int32')
        b = Placeholder(dtype='bool')
        q = Placeholder(dtype='quint8')
        s = Placeholder(shape=[-1, 3])
        y = Neg(s)
        -> y
    """
    with pytest.raises(PbslimError) as caught:
        apply(f"set_placeholders({arguments})", text)
    assert problem in str(caught.value)
