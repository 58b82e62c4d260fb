"""Whatever is wrong with a graph is told in one line."""

from __future__ import annotations

import itertools
import random
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from pbslim.dtypes import DTYPES
from pbslim.engines import engine
from pbslim.engines.builtin import steps
from pbslim.errors import PbslimError
from pbslim.ir import Graph
from tests import graphs
from tests.engines.builtin.test_program import BRANCH, LOOP

ARRAYS = """
    x = Placeholder()
    two = Const(2, dtype='int32')
    zero = Const(0, dtype='int32')
    a = TensorArrayV3(two, dtype='float')
    w = TensorArrayWriteV3(a, zero, x, a:1)
    g = TensorArrayReadV3(a, zero, w, dtype='float')
    shape = Const([-1], dtype='int32')
    l = TensorListReserve(shape, two, element_dtype='float', shape_type='int32')
    s = TensorListSetItem(l, zero, x, element_dtype='float')
    t = TensorListGetItem(s, zero, shape, element_dtype='float')
    n = SwitchN(x, zero)
    y = Add(g, t)
    b = NonMaxSuppressionV3(x, x, two, y, y)
    z = IdentityN(y, g, T=['float', 'float'])
"""
OPS = [
    *(
        "Add",
        "Const",
        "Enter",
        "Exit",
        "Identity",
        "LoopCond",
        "Merge",
        "NextIteration",
        "NoOp",
        "Switch",
        "If",
        "Case",
    ),
    *("PartitionedCall", "StackV2", "TensorArrayV3", "TensorListStack", "_SwitchN", "HashTableV2", "DecodeJpeg"),
]
FEEDS = {"x": np.array([1.0, -2.0], np.float32), "p": np.array(True), "n": np.array(2, np.int32)}
VALUES: list[Any] = [0, -1, 2**40, 0.5, True, b"text", (), (1, 2), None, DTYPES[1], DTYPES[7], DTYPES[20], DTYPES[21]]


def damage(graph: Graph, chance: random.Random) -> None:
    """Change one thing about one node."""
    nodes = list(graph)
    node, other = chance.choice(nodes), chance.choice(nodes)
    kind = chance.randrange(6)
    if kind == 0 and node.inputs:
        inputs = list(node.inputs)
        del inputs[chance.randrange(len(inputs))]
        node.set_inputs(inputs)
    elif kind == 1 and node.inputs:
        node.set_input(chance.randrange(len(node.inputs)), other.output(chance.choice([0, 0, 1, 7])))
    elif kind == 2:
        node.set_op(chance.choice(OPS))
    elif kind == 3:
        node.set_controls([*node.controls, other])
    elif kind == 4:
        keys = [*node.attrs, "T", "dtype", "num_outs", "frame_name", "f", "branches", "is_constant"]
        node.set_attr(chance.choice(keys), chance.choice(VALUES))
    else:
        node.set_inputs([*node.inputs, other.output()])


@pytest.fixture
def few_turns(monkeypatch: pytest.MonkeyPatch) -> None:
    """No loop goes on forever."""
    turns = steps.LoopStep._turns  # noqa: SLF001

    def limited(self: Any, *args: Any) -> Iterator[Any]:
        return itertools.islice(turns(self, *args), 50)

    monkeypatch.setattr(steps.LoopStep, "_turns", limited)


@pytest.mark.usefixtures("few_turns")
@pytest.mark.parametrize("text", [BRANCH, LOOP, ARRAYS], ids=["branch", "loop", "arrays"])
def test_damaged_graphs(text: str) -> None:
    chance = random.Random(1)  # noqa: S311 - nothing secret
    builtin = engine("builtin")
    told = ran = 0
    for _ in range(800):
        graph = graphs.parse(text)[0]
        for _ in range(chance.randint(1, 3)):
            damage(graph, chance)
        fetches = [chance.choice([node.name for node in graph])]
        try:
            builtin.unsupported(graph, fetches, [name for name in FEEDS if name in graph])
            with builtin.load(graph) as program:
                program.run({name: value for name, value in FEEDS.items() if name in graph}, fetches)
            ran += 1
        except PbslimError as error:
            told += 1
            assert "\n" not in str(error)  # noqa: PT017
    assert told > 160
    assert ran > 80
