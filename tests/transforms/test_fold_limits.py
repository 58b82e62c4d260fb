"""What fold_constants leaves alone since it would take too much, and what it computes once."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest

import pbslim
from pbslim.analysis.results import ComputedTensor
from pbslim.dtypes import FLOAT, INT32, STRING, DType
from pbslim.ir import ArrayTensor, Graph, Node, StringTensor, Tensor, Value
from pbslim.kernels import evaluate, limits
from pbslim.wire import to_bytes

SIZE = 70_000
LARGE = 2**28 - 1


class Draft:
    """A graph that is made node by node."""

    def __init__(self) -> None:
        self.graph = Graph()

    def add(self, op: str, *inputs: Value, **attrs: object) -> Value:
        return self.graph.add(f"n{len(self.graph)}", op, inputs, attrs).output()  # type: ignore[arg-type]

    def const(self, value: object, dtype: DType = FLOAT) -> Value:
        tensor: Tensor = ArrayTensor(np.array(value, dtype.numpy), dtype) if dtype is not STRING else text(value)
        return self.add("Const", dtype=dtype, value=tensor)

    def fill(self, *dims: int, value: object = 0.5, dtype: DType = FLOAT) -> Value:
        return self.add("Fill", self.const(dims, INT32), self.const(value, dtype), T=dtype, index_type=INT32)

    def some(self, size: int = SIZE) -> Value:
        """Many elements that are not one value for a whole shape."""
        return self.add("Exp", self.fill(size), T=FLOAT)

    def end(self, value: Value, dtype: DType = FLOAT) -> Graph:
        x = self.graph.add("x", "Placeholder", attrs={"dtype": dtype})
        self.graph.add("y", "Add", [x.output(), value], {"T": dtype})
        self.graph.forget_changes()
        return self.graph


def text(value: object) -> Tensor:
    assert isinstance(value, bytes)
    return StringTensor((value,), ())


def fold(graph: Graph, arguments: str = "") -> list[str]:
    (result,) = pbslim.transform(graph, f"fold_constants({arguments})", ["x"], ["y"])
    return [f"{skipped.node}: {skipped.reason}" for skipped in result.skipped]


def summed(draft: Draft, value: Value) -> Value:
    return draft.add("Sum", value, draft.const([0], INT32), T=FLOAT, Tidx=INT32, keep_dims=False)


def result(graph: Graph) -> Tensor:
    return graph["y"].inputs[1].node.tensor()


# Computed once


def test_what_two_read_is_computed_once(monkeypatch: pytest.MonkeyPatch) -> None:
    counted = count_calls(monkeypatch)
    draft = Draft()
    value = draft.some()
    for _ in range(24):
        value = draft.add("Add", value, value, T=FLOAT)
    graph = draft.end(value)
    assert not fold(graph)
    assert counted == ["Exp"] + ["Add"] * 24
    np.testing.assert_allclose(result(graph).numpy(), np.full(SIZE, np.exp(np.float32(0.5)) * 2**24), rtol=1e-6)
    assert len(counted) == 25  # it was still at hand


@pytest.mark.parametrize("count", [400, pytest.param(2000, marks=pytest.mark.slow)])
def test_long_chains(count: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pbslim.analysis.results._BYTES", 4 * SIZE + 1)  # so that hardly anything is kept
    monkeypatch.setattr("pbslim.analysis.results._WORK", 1 << 40)
    draft = Draft()
    value = draft.some()
    for _ in range(count):
        value = draft.add("Neg", value, T=FLOAT)
    graph = draft.end(value)
    assert not fold(graph)
    first = result(graph).numpy()
    np.testing.assert_array_equal(first, np.exp(np.full(SIZE, 0.5, np.float32)))
    assert len(to_bytes(graph)) > 4 * SIZE


def count_calls(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    called: list[str] = []

    def counting(op: str, *arguments: object) -> list[np.ndarray]:
        called.append(op)
        return evaluate(op, *arguments)  # type: ignore[arg-type]

    monkeypatch.setattr("pbslim.analysis.results.evaluate", counting)
    return called


def test_what_is_dropped_is_computed_again_when_it_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pbslim.analysis.results._BYTES", 4 * SIZE)
    draft = Draft()
    values = [draft.add("Mul", draft.some(), draft.const(factor), T=FLOAT) for factor in (1, 2, 3)]
    joined = draft.add("AddN", *[summed(draft, value) for value in values], N=3, T=FLOAT)
    last = draft.add("Mul", values[0], joined, T=FLOAT)
    counted = count_calls(monkeypatch)
    graph = draft.end(last)
    assert not fold(graph)
    made, before = result(graph), len(counted)
    assert isinstance(made, ComputedTensor)
    unit = np.exp(np.float32(0.5))
    np.testing.assert_allclose(made.numpy(), np.full(SIZE, unit * unit * SIZE * 6), rtol=1e-4)
    assert len(counted) == before  # the last one is kept
    made.reshaped((7, SIZE // 7)).numpy()
    pbslim.transform(graph, "round_weights", ["x"], ["y"])
    assert len(to_bytes(graph)) > 4 * SIZE


# Too much


@pytest.mark.parametrize(
    ("op", "attrs"),
    [("Exp", {}), ("Neg", {}), ("Cumsum", {"Tidx": INT32}), ("Unique", {"out_idx": INT32}), ("Softmax", {})],
)
def test_operands_that_are_one_value_are_not_expanded_beyond_measure(op: str, attrs: dict[str, object]) -> None:
    draft = Draft()
    more = [draft.const(0, INT32)] if op == "Cumsum" else []
    graph = draft.end(draft.add(op, draft.fill(LARGE), *more, T=FLOAT, **attrs))
    reasons, peak = folded_within(graph)
    assert f"an operand has {LARGE} elements, more than" in reasons[0]
    assert peak < 1 << 22


def test_results_and_strings_are_bounded() -> None:
    made = Draft()
    size = made.const(LARGE, INT32)
    number = made.add("Range", made.const(0, INT32), size, made.const(1, INT32), Tidx=INT32)
    graph = made.end(number, INT32)
    reasons, peak = folded_within(graph)
    assert "Range: the result would have 268435455 elements, more than 2097" in reasons[0]
    made = Draft()
    joined = made.add("StringJoin", made.fill(1 << 24, value=b"a", dtype=STRING), made.const(b"b", STRING), N=2)
    reasons, more = folded_within(made.end(joined, STRING))
    assert "an operand has 16777216 elements" in reasons[0]
    assert max(peak, more) < 1 << 22


def folded_within(graph: Graph, arguments: str = "") -> tuple[list[str], int]:
    """Why nodes stayed, and the bytes that were taken to find out."""
    draft = Draft()
    fold(draft.end(draft.add("Neg", draft.const(0), T=FLOAT)))  # imports
    tracemalloc.start()
    reasons = fold(graph, arguments)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return reasons, peak


def test_operands_together() -> None:
    draft = Draft()
    parts = [draft.add("Exp", draft.fill(1_500_000, value=k / 9), T=FLOAT) for k in range(9)]
    graph = draft.end(summed(draft, draft.add("AddN", *parts, N=9, T=FLOAT)))
    reasons, peak = folded_within(graph, "max_growth_in_bytes=4096")
    assert any("its operands take more than 16777" in reason for reason in reasons)
    assert peak < 60 << 20


def test_work_altogether() -> None:
    draft = Draft()
    products = [
        draft.add("MatMul", a, a, T=INT32, transpose_a=False, transpose_b=False)
        for a in (draft.fill(300, 300, value=k, dtype=INT32) for k in range(12))
    ]
    graph = draft.end(draft.add("AddN", *products, N=12, T=INT32), INT32)
    reasons = fold(graph)
    assert any("it would take too long" in reason or "already" in reason for reason in reasons)
    assert sum(node.op == "MatMul" for node in graph) >= 7  # 300**3 is a fifth of what is allowed
    assert limits.current().work == np.inf


def test_a_large_file_allows_more() -> None:
    draft = Draft()
    large = draft.const(np.ones(3_000_000))
    graph = draft.end(summed(draft, draft.add("Exp", large, T=FLOAT)))
    assert not fold(graph)
    assert result(graph).numpy() == pytest.approx(3_000_000 * np.e, rel=1e-4)


def test_results_that_are_too_large_together() -> None:
    draft = Draft()
    parts = [draft.some(1_000_000) for _ in range(12)]
    total = parts[0]
    x = draft.graph.add("z", "Placeholder", attrs={"dtype": FLOAT}).output()
    for part in parts:
        total = draft.add("Mul", total, draft.add("Add", x, part, T=FLOAT), T=FLOAT)
    graph = draft.end(total)
    (step,) = pbslim.transform(graph, "fold_constants", ["x", "z"], ["y"])
    reasons = [skipped.reason for skipped in step.skipped]
    assert reasons == ["together the results are too large for a file of this size"] * 4
    assert sum(node.op == "Exp" for node in graph) == 4


def test_one_walk_finds_all_that_fails() -> None:
    """Each of these fails by itself; what is behind it is then no constant either."""
    draft = Draft()
    value, zero = draft.const(1, INT32), draft.const(0, INT32)
    for _ in range(300):
        broken = draft.add("FloorDiv", draft.const(1, INT32), zero, T=INT32)
        value = draft.add("Add", value, broken, T=INT32)
    graph = draft.end(value, INT32)
    walks = 0
    from pbslim.analysis.constant_nodes import ConstantNodes

    find = ConstantNodes.find

    def counting(self: ConstantNodes) -> dict[Node, bool]:
        nonlocal walks
        walks += 1
        return find(self)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ConstantNodes, "find", counting)
        assert len(fold(graph)) == 300
    assert walks <= 3


@pytest.mark.parametrize("count", [1, 2])
def test_one_result_can_take_the_place_of_a_constant(count: int) -> None:
    draft = Draft()
    weights = draft.const(np.arange(5000))
    z = draft.graph.add("z", "Placeholder", attrs={"dtype": FLOAT}).output()
    total = z
    for factor in range(count):
        half = draft.add("Mul", weights, draft.const(factor), T=FLOAT)
        total = draft.add("Add", total, half, T=FLOAT)
    graph = draft.end(total)
    (step,) = pbslim.transform(graph, "fold_constants(max_growth_in_bytes=4096)", ["x", "z"], ["y"])
    assert len(step.skipped) == (0 if count == 1 else count)
    assert sum(node.op == "Mul" for node in graph) == (0 if count == 1 else count)
