"""``print(graph)``: the form in which these tests draw graphs, shortened."""

from __future__ import annotations

import numpy as np
import pytest

from pbslim.dtypes import FLOAT, DType
from pbslim.ir import ArrayTensor, Graph, SplatTensor
from tests.functions import load
from tests.graphs import parse, show

TEXT = """\
x = Placeholder(shape=[-1, 2])
i = Const([1, 2], dtype='int32')
s = Const(['a', 'é'], dtype='string')
b = Const(True, dtype='bool')
w = Const([[1.0, 2.5], [3.0, 1e-07]])
y = MatMul(x, w, ^i, ^s, transpose_b=True)
z = Cast(y, DstT='half', SrcT='float')
p = Split(b, y, num_split=2)
n = NoOp(^p)
c = Conv2D(y, w, data_format='NCHW', padding='SAME', strides=[1, 1, 2, 2], device='/gpu:0')
k = Pack(p:1, p, N=2)
f = PartitionedCall(k, Tin=['float'], Tout=['float', 'int32'], f='F')"""


def test_small_graphs_can_be_read_back() -> None:
    graph, _ = parse(TEXT)
    assert str(graph) == TEXT
    assert show(parse(str(graph))[0]) == show(graph)
    assert repr(graph) == "<Graph of 12 nodes>"


def test_what_goes_without_saying_is_left_out() -> None:
    graph, _ = parse("x = Placeholder()\ny = Relu(x)")
    graph["y"].set_attr("_output_shapes", ())
    graph["x"].set_attr("shape", graph["x"].shape_attr("shape"))
    assert str(graph) == "x = Placeholder()\ny = Relu(x)"


def test_long_graphs_and_big_constants_are_cut_short() -> None:
    graph = Graph()
    for tensor in (ArrayTensor(np.zeros((3, 3, 2), np.float32)), SplatTensor(np.float32(1), FLOAT, (1 << 40,))):
        graph.add(f"c{len(graph)}", "Const", attrs={"dtype": FLOAT, "value": tensor})
    previous = graph.add("x", "Placeholder", attrs={"dtype": DType.parse("float")}).output()
    for i in range(100):
        previous = graph.add(f"n{i}", "Neg", [previous], {"T": FLOAT}).output()
    lines = str(graph).splitlines()
    assert lines[:2] == ["c0 = Const(<float [3, 3, 2]>)", "c1 = Const(<float [1099511627776]>)"]
    assert lines[50:52] == ["# … 43 more nodes", "n90 = Neg(n89)"]
    assert len(lines) == 61


def test_functions_are_named() -> None:
    graph = load("x = Placeholder()\ny = F(x)\n-> y", {"F(a: float)": "n = Neg(a)\n-> y = n:y:0"})
    assert str(graph).splitlines()[-1] == "# 1 function: F"


@pytest.mark.parametrize("name", ["a\x1b[31m", "a\nb = NoOp()", "a\u202eb"])
def test_names_control_no_terminal(name: str) -> None:
    graph = Graph()
    graph.add(name, "NoOp", attrs={"text": name.encode() * 100})
    assert str(graph).isprintable()
    assert len(str(graph)) < 300


def test_what_cannot_be_read_is_no_error() -> None:
    graph = Graph()
    graph.add("c", "Const")
    graph["c"].set_inputs([graph.missing_node("gone").output()])
    assert str(graph) == "c = Const(?, gone)"
