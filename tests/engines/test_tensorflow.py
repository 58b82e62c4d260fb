"""What the TensorFlow engine takes, and what it tells."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from pbslim.engines.tensorflow import ENGINE
from pbslim.errors import PbslimError
from pbslim.wire import save
from tests.graphs import parse

tf = pytest.importorskip("tensorflow")


def test_the_text_form(tmp_path: Path) -> None:
    save(parse("x = Placeholder(shape=[2])\ny = Neg(x)\n-> y")[0], tmp_path / "g.pbtxt", as_text=True)
    with ENGINE.load(tmp_path / "g.pbtxt") as program:
        assert program.run({"x": np.ones(2, np.float32)}, ["y"])[0].tolist() == [-1, -1]


def test_the_reason_is_told_with_its_node() -> None:
    text = "x = Placeholder(shape=[2, -1])\nw = Const([[1], [2]])\nmine = MatMul(x, w)\n-> mine"
    with ENGINE.load(parse(text)[0]) as program, pytest.raises(PbslimError) as raised:
        program.run({"x": np.ones((2, 3), np.float32)}, ["mine"])
    assert str(raised.value).startswith("TensorFlow cannot run the graph: node 'mine': Matrix size-incompatible")
    assert "\n" not in str(raised.value)


def test_an_open_program_leaves_the_default_graph_alone() -> None:
    with ENGINE.load(parse("x = Placeholder()\ny = Neg(x)\n-> y")[0]):
        assert tf.executing_eagerly()
    assert tf.executing_eagerly()
