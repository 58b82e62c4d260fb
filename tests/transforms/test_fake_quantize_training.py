"""Training in eight bits: `fake_quantize_training` before, `remove_ema` after."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import pbslim
from pbslim.dtypes import FLOAT, STRING
from pbslim.ir import ArrayTensor, Graph, StringTensor
from pbslim.wire import load, save, to_bytes
from tests.graphs import apply, check_refuses, check_transform, parse, show

QUANTIZE = "fake_quantize_training"
GIVEN = """
    x = Placeholder()
    a = Relu6(x)
    b = Tanh(x)
    y = MatMul(a, b)
"""
LEARNED = """
    x = Placeholder()
    w = Const([[1, 2], [3, -4]])
    y = MatMul(x, w)
"""
FAKE_QUANT = """
    {x}/Decay = Const(0.999)
    {x}/ReductionAxes/RangeStart = Const(0, dtype='int32')
    {x}/ReductionAxes/RangeDelta = Const(1, dtype='int32')
    {x}/ReductionAxes/InputRank = Rank({read})
    {x}/ReductionAxes/ReductionAxes = Range({axes}/RangeStart, {axes}/InputRank, {axes}/RangeDelta)
    {x}/Min = Min({read}, {axes}/ReductionAxes)
    {x}/Max = Max({read}, {axes}/ReductionAxes)
    {x}/Min/Variable = VariableV2(dtype='float', shape=[])
    {x}/Min/IsInitialized = IsVariableInitialized({x}/Min/Variable)
    {x}/Min/Switch = Switch({x}/Min, {x}/Min/IsInitialized)
    {x}/Min/EMA/OneConst = Const(1)
    {x}/Min/EMA/DecayComplement = Sub({x}/Min/EMA/OneConst, {x}/Decay)
    {x}/Min/EMA/ValueDiff = Sub({x}/Min/Variable, {x}/Min/Switch:1)
    {x}/Min/EMA/UpdateValue = Mul({x}/Min/EMA/ValueDiff, {x}/Min/EMA/DecayComplement)
    {x}/Min/EMA/EMAValue = Sub({x}/Min/Variable, {x}/Min/EMA/UpdateValue)
    {x}/Min/Merge = Merge({x}/Min/Switch, {x}/Min/EMA/EMAValue, N=2)
    {x}/Min/AssignValue = Assign({x}/Min/Variable, {x}/Min/Merge)
    {x}/Max/Variable = VariableV2(dtype='float', shape=[])
    {x}/Max/IsInitialized = IsVariableInitialized({x}/Max/Variable)
    {x}/Max/Switch = Switch({x}/Max, {x}/Max/IsInitialized)
    {x}/Max/EMA/OneConst = Const(1)
    {x}/Max/EMA/DecayComplement = Sub({x}/Max/EMA/OneConst, {x}/Decay)
    {x}/Max/EMA/ValueDiff = Sub({x}/Max/Variable, {x}/Max/Switch:1)
    {x}/Max/EMA/UpdateValue = Mul({x}/Max/EMA/ValueDiff, {x}/Max/EMA/DecayComplement)
    {x}/Max/EMA/EMAValue = Sub({x}/Max/Variable, {x}/Max/EMA/UpdateValue)
    {x}/Max/Merge = Merge({x}/Max/Switch, {x}/Max/EMA/EMAValue, N=2)
    {x}/Max/AssignValue = Assign({x}/Max/Variable, {x}/Max/Merge)
    {x}/FakeQuantWithMinMaxVars = FakeQuantWithMinMaxVars({read}, {x}/Min/AssignValue, {x}/Max/AssignValue)
"""
NODES_ADDED = len(FAKE_QUANT.strip().splitlines())


def _fake_quant(name: str, read: str = "") -> str:
    return FAKE_QUANT.format(x=name, read=read or name, axes=f"{name}/ReductionAxes")


def _quantized(text: str) -> Graph:
    graph, _ = apply(QUANTIZE, text)
    return graph


def _inputs(graph: Graph, name: str) -> list[str]:
    return [value.name for value in graph[name].inputs]


def test_a_range_that_is_learned() -> None:
    after = LEARNED.replace("MatMul(x, w)", "MatMul(x/FakeQuantWithMinMaxVars, w/FakeQuantWithMinMaxVars)")
    check_transform(QUANTIZE, LEARNED + "-> y", after + _fake_quant("x") + _fake_quant("w") + "-> y")


def test_a_range_that_the_op_gives() -> None:
    after = GIVEN.replace("MatMul(a, b)", "MatMul(a/FakeQuantWithMinMaxVars, b/FakeQuantWithMinMaxVars)")
    for name, low, high in (("a", 0, 6), ("b", -1, 1)):
        after += f"{name}/InputMin = Const({low})\n{name}/InputMax = Const({high})\n"
        operands = f"{name}, {name}/InputMin, {name}/InputMax"
        after += f"{name}/FakeQuantWithMinMaxVars = FakeQuantWithMinMaxVars({operands})\n"
    check_transform(QUANTIZE, GIVEN + "-> y", after + "-> y")


@pytest.mark.parametrize(
    ("lines", "bounds"),
    [
        ("s = Sigmoid(x)", (0, 1)),
        ("r = Relu6(x)\np = MaxPool(r)\ni = Identity(p)\nd = Const([2, 2], dtype='int32')\ns = Reshape(i, d)", (0, 6)),
        ("r = Relu6(x)\nt = Tanh(x)\nd = Const(0, dtype='int32')\ns = ConcatV2(r, t, d)", (-1, 6)),
        ("r = Relu6(x)\nd = Const(0, dtype='int32')\ns = ConcatV2(r, x, d)", None),
        ("r = Relu6(x)\ns = Add(r, r)", None),
        ("s = Relu(x)", None),
    ],
)
def test_ranges_that_ops_hand_on(lines: str, bounds: tuple[float, float] | None) -> None:
    graph = _quantized(f"x = Placeholder()\n{lines}\ny = MatMul(s, s)\n-> y")
    assert _inputs(graph, "y") == ["s/FakeQuantWithMinMaxVars"] * 2
    operands = _inputs(graph, "s/FakeQuantWithMinMaxVars")
    if bounds is None:
        assert operands == ["s", "s/Min/AssignValue", "s/Max/AssignValue"]
    else:
        assert [float(graph[name].tensor().numpy()) for name in operands[1:]] == [*bounds]


def test_chains_ports_and_readers_that_stay() -> None:
    text = """
        x = Placeholder()
        s = Split(x, x, num_split=2)
        w = Const([[1, 2], [3, 4]])
        a = MatMul(s:1, w)
        b = Conv2D(s, w)
        c = MatMul(a, b)
        d = MatMul(c, c)
        gradients/e = MatMul(s:1, w)
        f = Neg(a)
        -> d, f, gradients/e
    """
    graph = _quantized(text)
    assert _inputs(graph, "a") == ["s_1/FakeQuantWithMinMaxVars", "w/FakeQuantWithMinMaxVars"]
    assert _inputs(graph, "s_1/FakeQuantWithMinMaxVars")[0] == "s:1"
    assert _inputs(graph, "b") == ["s/FakeQuantWithMinMaxVars", "w/FakeQuantWithMinMaxVars"]
    assert _inputs(graph, "d") == ["c/FakeQuantWithMinMaxVars"] * 2
    assert _inputs(graph, "gradients/e") == ["s:1", "w"]
    assert _inputs(graph, "f") == ["a"]
    assert len(graph) == 9 + 6 * NODES_ADDED


def test_the_order_of_the_nodes() -> None:
    graph = _quantized("y = MatMul(x, w)\nw = Const([[1, 2], [3, -4]])\nx = Placeholder()\n-> y")
    added = [line.split()[0] for name in ("x", "w") for line in _fake_quant(name).strip().splitlines()]
    assert [node.name for node in graph] == ["w", "x", "y", *added]


def test_twice_changes_nothing_more() -> None:
    for text in (GIVEN, LEARNED):
        assert show(apply(f"{QUANTIZE} {QUANTIZE}", text + "-> y")[0]) == show(_quantized(text + "-> y"))


def test_control_edges_stay() -> None:
    graph = _quantized("a = NoOp()\n" + LEARNED.replace("(x, w)", "(x, w, ^a)") + "z = NoOp(^y)\n-> y, z")
    assert [node.name for node in graph["y"].controls] == ["a"]
    assert [node.name for node in graph["z"].controls] == ["y"]


def test_names_that_are_taken() -> None:
    graph = _quantized(LEARNED + "x/Min = Neg(x)\n-> y, x/Min")
    assert graph["x/Min"].op == "Neg"
    assert _inputs(graph, "x/Min/AssignValue") == ["x/Min/Variable", "x/Min/Merge"]
    assert _inputs(graph, "x/Min/Switch") == ["x/Min_1", "x/Min/IsInitialized"]


LOOP = """
    start = Const([[1, 2], [3, 4]])
    enter = Enter(start, frame_name='loop')
    merge = Merge(enter, next, N=2)
    product = MatMul(merge, merge)
    cond = Less(product, merge)
    switch = Switch(merge, cond)
    next = NextIteration(switch:1)
    exit = Exit(switch)
    -> exit
"""


@pytest.mark.parametrize(
    ("graph", "reason"),
    [
        (LEARNED.replace("(x, w)", "(x, w, T='double')") + "-> y", "computes in double"),
        (LOOP, "in a loop"),
        ("w = Const([[2, 2], [2, 2]])\ny = MatMul(w, w)\n-> y", "all its values are 2"),
        ("m = Const(-1)\nx = Placeholder()\nq = FakeQuantWithMinMaxVars(x, m, m)\ny = MatMul(q, q)\n-> y", "already"),
    ],
)
def test_refuses(graph: str, reason: str) -> None:
    check_refuses(QUANTIZE, graph, reason)


SAVER = """
    v = VariableV2(dtype='float', shape=[2, 2])
    x = Placeholder()
    r = Relu6(x)
    y = MatMul(r, v)
    sv/Const = Const('here', dtype='string')
    sv/SaveV2/tensor_names = Const(['v'], dtype='string')
    sv/SaveV2/shape_and_slices = Const([''], dtype='string')
    sv/SaveV2 = SaveV2(sv/Const, sv/SaveV2/tensor_names, sv/SaveV2/shape_and_slices, v, dtypes=['float'])
    sv/names = Const(['v'], dtype='string')
    sv/slices = Const([''], dtype='string')
    sv/RestoreV2 = RestoreV2(sv/Const, sv/names, sv/slices, dtypes=['float'])
    sv/Assign = Assign(v, sv/RestoreV2)
    sv/restore_all = NoOp(^sv/Assign)
    -> y, sv/SaveV2, sv/restore_all
"""


def test_ranges_are_saved_with_the_weights() -> None:
    graph = _quantized(SAVER)
    saved = ["v", "v/Min/Variable", "v/Max/Variable"]
    assert _inputs(graph, "sv/SaveV2")[3:] == saved
    assert graph["sv/SaveV2"].attrs["dtypes"] == (FLOAT,) * 3
    assert graph["sv/SaveV2/tensor_names"].tensor().numpy().tolist() == [name.encode() for name in saved]
    assert graph["sv/SaveV2/shape_and_slices"].tensor().numpy().tolist() == [b""] * 3
    restored = [node.name for node in graph["sv/restore_all"].controls]
    assert restored == ["sv/Assign", "sv/Assign/_1_qt", "sv/Assign/_3_qt"]
    assert _inputs(graph, "sv/Assign/_3_qt") == ["v/Max/Variable", "sv/RestoreV2/_2_qt"]
    operands = _inputs(graph, "sv/RestoreV2/_2_qt")
    assert operands == ["sv/Const", "sv/RestoreV2/_2_qt/tensor_names", "sv/RestoreV2/_2_qt/shape_and_slices"]
    names = graph[operands[1]].tensor()
    assert isinstance(names, StringTensor)
    assert (names.values, names.shape, names.dtype) == ((b"v/Max/Variable",), (1,), STRING)


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        ("restore_all", "restore", "no 'sv/restore_all'"),
        ("sv/SaveV2/tensor_names = Const(['v']", "q = Const(['v']", "not constant"),
        ("-> y", "z = Identity(sv/SaveV2/tensor_names)\n-> y", "read by others"),
    ],
)
def test_checkpoints_that_stay_as_they_are(old: str, new: str, reason: str) -> None:
    text = SAVER.replace(old, new)
    if "q = " in text:
        text = text.replace("sv/SaveV2 =", "sv/SaveV2/tensor_names = Placeholder(dtype='string')\nsv/SaveV2 =")
    graph, results = apply(QUANTIZE, text)
    assert reason in results[0].notes[0]
    assert len(graph["sv/SaveV2"].inputs) == 4
    assert "v/FakeQuantWithMinMaxVars" in graph


class Session:
    """A graph in TensorFlow that keeps its variables."""

    def __init__(self, graph: Graph) -> None:
        tf = pytest.importorskip("tensorflow")
        graph_def = tf.compat.v1.GraphDef()
        graph_def.ParseFromString(to_bytes(graph))
        with tf.Graph().as_default() as imported:
            tf.compat.v1.import_graph_def(graph_def, name="")
        self._session = tf.compat.v1.Session(graph=imported)

    def act(self, node: str) -> None:
        """Run a node for its effect."""
        self._session.run(node)

    def run(self, fetch: str, **feeds: Any) -> np.ndarray:
        return np.asarray(self._session.run(f"{fetch}:0", {f"{name}:0": value for name, value in feeds.items()}))


def _expected(x: np.ndarray, low: float, high: float) -> np.ndarray:
    """What LEARNED gives with these bounds for `x`."""
    text = LEARNED.replace("(x, w)", "(x/q, w/q)")
    for name, bounds in (("x", (low, high)), ("w", (-4, 3))):
        text += f"{name}/low = Const({bounds[0]!r})\n{name}/high = Const({bounds[1]!r})\n"
        text += f"{name}/q = FakeQuantWithMinMaxVars({name}, {name}/low, {name}/high)\n"
    return Session(parse(text)[0]).run("y", x=x)


def _moved(old: np.float32, new: np.float32) -> np.float32:
    return old - (old - new) * (np.float32(1) - np.float32(0.999))


@pytest.mark.tensorflow
def test_ranges_move_with_each_batch_and_are_frozen_where_they_are(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    batches = random.normal(size=(3, 4, 2)).astype(np.float32) * np.float32(5)
    graph = _quantized(LEARNED + "-> y")
    session = Session(graph)
    low, high = batches[0].min(), batches[0].max()
    for i, batch in enumerate(batches):
        if i:
            low, high = _moved(low, batch.min()), _moved(high, batch.max())
        np.testing.assert_array_equal(session.run("y", x=batch), _expected(batch, float(low), float(high)))

    for node in graph:
        if node.op == "VariableV2":
            value = session.run(node.name)
            node.become("Const", attrs={"dtype": FLOAT, "value": ArrayTensor(value)})
    save(graph, tmp_path / "frozen.pb")
    frozen = load(tmp_path / "frozen.pb")
    pbslim.transform(frozen, "remove_ema", ["x"], ["y"])
    assert len(frozen) == 3 + 2 * 3
    want = _expected(batches[0], float(low), float(high))
    np.testing.assert_array_equal(Session(frozen).run("y", x=batches[0]), want)


@pytest.mark.tensorflow
def test_a_checkpoint_brings_the_ranges_back(tmp_path: Path) -> None:
    text = SAVER.replace("'here'", repr(str(tmp_path / "checkpoint")))
    text += "one = Const([[1, -2], [3, 4]])\nv/set = Assign(v, one)\n"
    graph, _ = apply(QUANTIZE, text)
    written, read = Session(graph), Session(graph)
    written.act("v/set")
    x = np.ones((2, 2), np.float32)
    want = written.run("y", x=x)
    written.act("sv/SaveV2")
    read.act("sv/restore_all")
    assert read.run("v/Min/Variable") == -2
    assert read.run("v/Max/Variable") == 4
    np.testing.assert_array_equal(read.run("y", x=x), want)
