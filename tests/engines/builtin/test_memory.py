"""A result is overwritten only where nothing else shares its memory."""

from __future__ import annotations

import tracemalloc
from typing import Any

import numpy as np
import pytest

from pbslim.dtypes import FLOAT
from pbslim.engines import engine
from pbslim.engines.builtin import passing
from pbslim.engines.builtin.memory import OWN_MEMORY
from pbslim.ir.tensors import DeferredTensor, MappedTensor
from pbslim.kernels import Prepared, kernel_names
from tests import graphs
from tests.kernels.cases import CASES
from tests.kernels.operands import Case

X = np.array([[1, -2], [3, 4]], np.float32)


@pytest.mark.parametrize("op", sorted(OWN_MEMORY))
def test_results_share_nothing_with_operands(op: str) -> None:
    def shares(each: Case) -> bool:
        operands = [a.copy() for a in each.operands]
        with np.errstate(all="ignore"):
            result = Prepared(each.op, each.attrs, each.types)(operands)[0]
        return any(result is a or np.shares_memory(result, a) for a in operands) or not result.flags.writeable

    assert op in kernel_names()
    assert not any(shares(each) for each in CASES if each.op == op)


CHAIN = """
    x = Placeholder()
    c = Const([1, 2])
    a = Mul(x, c)
    b = Relu(a)
    d = Add(b, c)
    e = Tanh(d)
    view = Reshape(e, s)
    s = Const([2, 2], dtype='int32')
    f = Exp(view)
    g = Exp(e)
    y = Sub(f, g)
"""


@pytest.mark.parametrize(("fetches", "spare"), [(["y"], "bdey"), (["y", "a"], "dey"), (["y", "f", "d"], "bdy")])
def test_only_what_nobody_reads_any_more_is_overwritten(
    fetches: list[str], spare: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """``f`` and ``g`` must not overwrite ``e``, of which there is a view; nor may anything overwrite x or c."""
    overwriting = []
    names = {"Relu": "b", "Add": "d", "Tanh": "e", "Sub": "y"}
    original = Prepared.__call__

    def watched(self: Prepared, inputs: Any, spare: Any = ()) -> Any:
        if spare:
            overwriting.append(names[self.op])
        return original(self, inputs, spare)

    x = X.copy()
    with engine("builtin").load(graphs.parse(CHAIN)[0]) as program:
        expected = [program.run({"x": X}, [name])[0].copy() for name in fetches]
        monkeypatch.setattr(Prepared, "__call__", watched)
        for _ in range(2):
            overwriting.clear()
            found = program.run({"x": x}, fetches)
            assert "".join(sorted(overwriting)) == spare
            for mine, theirs in zip(found, expected, strict=True):
                np.testing.assert_array_equal(mine, theirs)
    np.testing.assert_array_equal(x, X)


def test_plans_that_share_constants_take_turns() -> None:
    """Other feeds and fetches make other plans, and each overwrites what it can."""
    graph, _ = graphs.parse(CHAIN + "    h = Relu(c)\n    i = Neg(h)\n    j = BiasAdd(x, c)\n")
    plans = [("x", ["y"]), ("x", ["a", "i", "j"]), ("a", ["y", "i"]), ("b", ["y", "c"])]
    expected = []
    for fed, fetches in plans:
        with engine("builtin").load(graph) as alone:
            expected.append([each.copy() for each in alone.run({fed: X}, fetches)])
    with engine("builtin").load(graph) as program:
        for (fed, fetches), results in list(zip(plans, expected, strict=True)) * 3:
            found = program.run({fed: X.copy()}, fetches)
            for mine, theirs in zip(found, results, strict=True):
                np.testing.assert_array_equal(mine, theirs)


@pytest.mark.parametrize("start", [0, 1])
def test_nobody_can_write_into_a_constant(start: int) -> None:
    graph, _ = graphs.parse("c = Const([1, 2])\ny = Neg(c)\n-> y")
    values = np.array([1, 2], np.float32)
    graph["c"].set_attr("value", MappedTensor(bytes(start) + values.tobytes(), start, FLOAT, (2,)))
    with engine("builtin").load(graph) as program:
        [found] = program.run({}, ["c"])
        assert found.flags.aligned
        assert not found.flags.writeable
        np.testing.assert_array_equal(program.run({}, ["c", "y"]), [values, -values])


def test_a_huge_constant_is_read_by_each_run_and_held_by_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(passing, "_HUGE", X.nbytes)
    graph, _ = graphs.parse("x = Placeholder()\nc = Const([[1.0, 2], [3, 4]])\nd = Const([1.0])\ny = AddN(x, c)\n-> y")
    reads: list[str] = []
    for name in ("c", "d"):
        array = graph[name].tensor().numpy()

        def read(name: str = name, array: Any = array) -> Any:
            reads.append(name)
            return array.copy()

        graph[name].set_attr("value", DeferredTensor(read, FLOAT, array.shape))
    program = engine("builtin").load(graph)
    for _ in range(3):
        y = program.run({"x": X}, ["y", "d"])[0]
        assert np.array_equal(y, np.add(X, [[1, 2], [3, 4]]))
    assert reads.count("c") == 3
    assert reads.count("d") == 1
    program.release()
    assert len(program.run({"x": X}, ["d"])) == 1
    assert reads.count("d") == 2


def test_what_is_folded_goes_as_soon_as_nothing_reads_it() -> None:
    size, length = 1 << 18, 20
    chain = "\n".join(f"n{i} = Neg({f'n{i - 1}' if i else 'c'})" for i in range(length))
    graph, _ = graphs.parse(f"x = Placeholder()\nc = Const([1.0])\n{chain}\ny = Mul(x, n{length - 1})\n-> y")
    graph["c"].set_attr("value", DeferredTensor(lambda: np.ones(size, np.float32), FLOAT, (size,)))
    program = engine("builtin").load(graph)
    tracemalloc.start()
    (y,) = program.run({"x": np.full((), 2, np.float32)}, ["y"])
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert (y == 2).all()
    assert peak < 5 * y.nbytes  # of twenty
