from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from pbslim.ir import Graph
from pbslim.ir.facts import by_op, fact, has_ops, names, with_ops
from pbslim.ir.order import execution_order, file_order, readers_of
from tests.graphs import parse
from tests.property.random_graphs import RandomGraph

TEXT = """
    x = Placeholder()
    a = Relu(x)
    b = Neg(a, ^x)
    c = Relu(b)
    -> c
"""


def test_a_fact_is_found_once_while_nothing_changes() -> None:
    asked: list[tuple[str, ...]] = []

    @fact
    def ops(graph: Graph, *wanted: str) -> int:
        asked.append(wanted)
        return sum(node.op in wanted for node in graph)

    graph, _ = parse(TEXT)
    assert [ops(graph, "Relu"), ops(graph, "Relu"), ops(graph, "Neg"), ops(graph, "Relu")] == [2, 2, 1, 2]
    assert asked == [("Relu",), ("Neg",)]
    mark = len(graph.journal)
    graph["c"].set_op("Neg")
    assert ops(graph, "Relu") == 1
    graph.rollback(mark)
    assert ops(graph, "Relu") == 2


def test_nodes_by_op_are_in_file_order() -> None:
    graph, _ = parse(TEXT)
    assert [node.name for node in with_ops(graph, ("Neg", "Relu"))] == ["a", "b", "c"]
    assert [node.name for node in with_ops(graph, ("Relu",))] == ["a", "c"]
    assert with_ops(graph, ("MatMul",)) == []
    assert has_ops(graph, {"Neg", "MatMul"})
    assert not has_ops(graph, {"MatMul"})


def _facts(graph: Graph) -> object:
    """All facts, in terms of names."""
    return (
        names(graph),
        {op: [node.name for node in nodes] for op, nodes in by_op(graph).items()},
        [node.name for node in file_order(graph)],
        [node.name for node in execution_order(graph)],
        {node.name: [reader.name for reader in readers] for node, readers in readers_of(graph).items()},
    )


@settings(max_examples=30)
@given(st.integers(0, 1000), st.lists(st.tuples(st.integers(0, 5), st.integers(0, 99), st.integers(0, 99)), max_size=8))
def test_facts_are_those_of_a_fresh_copy_after_every_change(seed: int, steps: list[tuple[int, int, int]]) -> None:
    graph = RandomGraph(seed, 3).graph
    start, all_nodes = _facts(graph), list(graph)
    for kind, i, k in steps:
        nodes = [node for node in all_nodes if graph.get(node.name) is node]  # each reads earlier ones alone
        first, second = sorted((i % len(nodes), k % len(nodes)))
        one, other = nodes[first], nodes[second]
        if kind == 0 and other.inputs and first < second:
            other.set_input(0, one.output())
        elif kind == 1 and first < second:
            other.set_controls([one])
        elif kind == 2:
            graph.rename({one: graph.unique_name("other")})
        elif kind == 3:
            graph.reorder(list(graph)[::-1])
        elif kind == 4 and not one.readers:
            graph.erase([one])
        else:
            one.replace_control_uses_with(nodes[:first][:1])
        assert _facts(graph) == _facts(graph.copy())
    graph.rollback()
    assert _facts(graph) == start
