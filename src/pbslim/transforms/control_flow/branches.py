"""Take the branch that a constant predicate says; the other one goes.

A taken Switch becomes an Identity, and so does a Merge of which one input is left: names stay, and what waits for
such a node is dead or alive exactly when it was before. A functional If becomes a call of the branch.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np

from pbslim.dtypes import INT32
from pbslim.ir import ArrayTensor, AttrValue, FunctionRef, Graph, Node, Value
from pbslim.ir.order import ancestors
from pbslim.ops.families import MERGES

_CALLS = {"If": "StatefulPartitionedCall", "StatelessIf": "PartitionedCall"}
PREDICATES = {"Switch": 1, "If": 0, "StatelessIf": 0}
"""Op → the number of the input that decides."""


class Undecidable(Exception):  # noqa: N818 - an answer, not an error
    """A branch cannot be taken; the text says why."""

    def __init__(self, node: Node, reason: str) -> None:
        super().__init__(reason)
        self.node = node


def take_branches(graph: Graph, taken: Mapping[Node, bool], fed: Iterable[Node], roots: Iterable[Value]) -> None:
    """Rewrite `graph` as if each node of `taken` always had this predicate.

    Args:
        fed: nodes that are alive whatever they wait for.
        roots: values that must stay.

    Raises:
        Undecidable: one of `roots` would never have a value, or a Merge would tell another branch than before;
            nothing has changed.
    """
    switches = {node: int(value) for node, value in taken.items() if node.op == "Switch"}
    fed = list(fed)
    live = _live(graph, switches, fed)
    merges = {node: _live_inputs(node, live) for node in live if node.op in MERGES}
    merges = {node: slots for node, slots in merges.items() if len(slots) < len(node.inputs)}
    for value in roots:
        if value not in live.get(value.node, ()):
            raise Undecidable(value.node, f"the output '{value.name}' is in a branch that is never taken")
        if value.node in merges and value.port:
            raise Undecidable(value.node, f"'{value.name}' says which branch was taken and is an output")
    for node, slots in merges.items():
        if len(slots) > 1 and node.output(1).uses:
            raise Undecidable(node, "it says which of several branches was taken")
    spared = ancestors(fed)  # what an input waits for is not asked for, but must not dangle
    dead = [node for node in graph if node not in live and node not in spared]
    for node, then in taken.items():
        if node.op in _CALLS:
            _become_call(node, then)
    for node, slots in merges.items():
        _narrow(graph, node, slots, [control for control in node.controls if control in live])
    for node in graph:
        if node in switches and node in live:
            node.output(1).replace_all_uses_with(node.output(0))
            _become_identity(node, node.inputs[0], node.controls)
    graph.erase(dead)


class _Ports:
    """The ports of a live node that get a value."""

    def __init__(self, only: int | None) -> None:
        self.only = only

    def __contains__(self, value: Value) -> bool:
        return self.only is None or value.port == self.only


def _live(graph: Graph, switches: Mapping[Node, int], fed: Iterable[Node]) -> dict[Node, _Ports]:
    """The nodes that run at all; a loop does when something enters it."""
    live = {node: _Ports(None) for node in fed}

    def runs(node: Node) -> bool:
        alive = [value.node in live and value in live[value.node] for value in node.inputs]
        if node.op in MERGES:
            return any(alive)
        return all(alive) and all(control in live for control in node.controls)

    todo = list(graph)[::-1]
    while todo:
        node = todo.pop()
        if node not in live and runs(node):
            live[node] = _Ports(switches.get(node))
            todo += node.readers
    return live


def _live_inputs(node: Node, live: Mapping[Node, _Ports]) -> list[int]:
    return [slot for slot, value in enumerate(node.inputs) if value.node in live and value in live[value.node]]


def _narrow(graph: Graph, merge: Node, slots: list[int], controls: list[Node]) -> None:
    """Leave a Merge only these inputs."""
    merge.set_controls(controls)
    if len(slots) > 1:
        merge.set_inputs([merge.inputs[slot] for slot in slots])
        merge.set_attr("N", len(slots))
        return
    if merge.output(1).uses:
        attrs: dict[str, AttrValue] = {"dtype": INT32, "value": ArrayTensor(np.array(slots[0], np.int32), INT32)}
        index = graph.add(graph.unique_name(f"{merge.name}/value_index"), "Const", attrs=attrs, controls=[merge])
        merge.output(1).replace_all_uses_with(index.output())
    _become_identity(merge, merge.inputs[slots[0]], controls)


def _become_identity(node: Node, value: Value, controls: Iterable[Node]) -> None:
    attrs = {"T": node.attrs["T"]} if "T" in node.attrs else {}
    node.become("Identity", [value], attrs, controls=controls, device=node.device)


def _become_call(node: Node, then: bool) -> None:
    branch = node.attrs.get("then_branch" if then else "else_branch")
    if not isinstance(branch, FunctionRef):
        return
    attrs = {key: node.attrs[key] for key in ("Tin", "Tout") if key in node.attrs}
    node.become(_CALLS[node.op], node.inputs[1:], {"f": branch, **attrs}, controls=node.controls, device=node.device)
