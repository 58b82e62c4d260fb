"""What a run starts from: what is fed, what comes out, what else stays."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pbslim import api
from pbslim.errors import PbslimError, UsageError
from pbslim.ir import Graph
from pbslim.shrinking.proof import Proof
from pbslim.wire import save
from tests.graphs import parse

RAMP = str([float(i) for i in range(2000)])
TEXT = f"""
    x = Placeholder(shape=[-1, 2000])
    w = Const({RAMP})
    transitions = Const({RAMP})
    layers = Const(3, dtype='int32')
    y = Mul(x, w)
"""


def shrunk(tmp_path: Path, recipe: str = "eight-bit-legacy", **options: Any) -> tuple[api.ShrinkResult, Graph]:
    source, out = tmp_path / "in.pb", tmp_path / "out.pb"
    save(parse(TEXT)[0], source)
    result = api.shrink(source, out, recipe, **options)
    return result, api.load(out)


def test_constants_that_nothing_reads_are_named(tmp_path: Path) -> None:
    result, graph = shrunk(tmp_path)
    assert "transitions" not in graph
    assert result.notes == [
        "2 constants that nothing reads are dropped: transitions, layers; "
        "if your program fetches them by name: --keep NAME,... or --keep-constants"
    ]


@pytest.mark.parametrize("recipe", ["optimize", "round-legacy", "eight-bit-legacy"])
@pytest.mark.parametrize("options", [{"keep_constants": True}, {"keep": ["transitions", "layers:0"]}])
def test_they_can_be_kept_as_they_are(tmp_path: Path, recipe: str, options: dict[str, Any]) -> None:
    result, graph = shrunk(tmp_path, recipe, **options)
    assert result.notes == []
    np.testing.assert_array_equal(graph["transitions"].tensor().numpy(), np.arange(2000, dtype=np.float32))
    assert graph["layers"].tensor().numpy() == 3


def test_one_of_them_can_be_kept(tmp_path: Path) -> None:
    result, graph = shrunk(tmp_path, keep=["layers"])
    assert "layers" in graph
    assert result.notes[0].startswith("1 constant that nothing reads is dropped: transitions;")
    with pytest.raises(UsageError, match="no node 'layer', did you mean 'layers'"):
        shrunk(tmp_path, keep=["layer"])


def test_what_is_said_of_an_input_counts(tmp_path: Path) -> None:
    result, graph = shrunk(tmp_path, "optimize", inputs=["x:float[4,2000]"])
    assert [str(each) for each in result.inputs] == ["x float [4,2000]"]
    assert graph["x"].shape_attr("shape").dims == (4, 2000)


def test_placeholders_can_be_set(tmp_path: Path) -> None:
    source, out = tmp_path / "in.pb", tmp_path / "out.pb"
    text = """
        x = Placeholder(shape=[-1, 4])
        keep = Placeholder(shape=[])
        train = Placeholder(dtype='bool', shape=[])
        s = Shape(x)
        r = RandomUniform(s, dtype='float', T='int32')
        a = Add(keep, r)
        m = Floor(a)
        d = RealDiv(x, keep)
        y = Mul(d, m)
        w = Switch(y, train)
        p = Neg(w:1)
        q = Abs(w)
        z = Merge(q, p, N=2)
    """
    save(parse(text)[0], source)
    values = {"keep": 1.0, "train": False}
    result = api.shrink(source, out, "optimize", values=values, proof=Proof(min_snr=100.0))
    assert sorted(node.op for node in api.load(out)) == ["Abs", "Identity", "Placeholder"]
    assert [each.name for each in result.inputs] == ["x"]
    with pytest.raises(PbslimError, match="'keep' cannot be set: its type is float, so it cannot be 'x'"):
        api.shrink(source, out, "optimize", values={"keep": "x"})
