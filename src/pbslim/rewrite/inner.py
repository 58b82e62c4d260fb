"""Nodes that a rule takes away, and what the node that stays then waits for."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from pbslim.ir import Node, Value
from pbslim.rewrite import Match, Skip
from pbslim.rewrite.engine import read_elsewhere


def must_be_inner(match: Match, nodes: Iterable[Node], inputs: frozenset[str], outputs: frozenset[str]) -> None:
    """Raise `Skip` unless `nodes` matter inside of `match` alone; `inputs` and `outputs` of the graph do not."""
    nodes = list(nodes)
    for node in nodes:
        if node.name in inputs:
            raise Skip(f"'{node.name}' is an input of the graph")
    read_elsewhere(match, nodes, outputs)


def is_inner(value: Value, protected: Collection[str]) -> bool:
    """Whether `value` is read once, is all that is asked of its node, and the node waits for nothing else."""
    node = value.node
    if value.port or node.controls or node.control_readers or node.name in protected:
        return False
    return sum(len(each.uses) for each in node.outputs) == 1


def beyond(controls: Iterable[Node], inputs: Iterable[Value]) -> list[Node]:
    """Those of `controls` that a reader of `inputs` does not wait for anyway."""
    read = {value.node for value in inputs}
    return [control for control in controls if control not in read]
