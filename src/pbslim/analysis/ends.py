"""Where a graph ends: the nodes that its outputs may be, when they are not named."""

from __future__ import annotations

import re
from collections.abc import Callable

from pbslim import ops
from pbslim.analysis.constants import way_to_constant
from pbslim.analysis.frames import conditional, decider
from pbslim.dtypes import INT32, INT64, RESOURCE, VARIANT
from pbslim.errors import DecodeError, GraphError
from pbslim.ir import Graph, Node, Value
from pbslim.ir.facts import has_ops, with_ops
from pbslim.ir.order import reachable, readers_of
from pbslim.ops.families import (
    ALIASES,
    ENTERS,
    EXITS,
    FEEDABLE,
    MERGES,
    NEXT_ITERATIONS,
    PLACEHOLDERS,
    SHAPES,
    SOURCES,
    SWITCHES,
    is_training,
)

_NO_END = FEEDABLE | NEXT_ITERATIONS | SWITCHES | {"Const", "LoopCond"}
_SCOPES = ("gradients/", "save/", "report_uninitialized_variables/")
# What tf.cond and the losses make by themselves and do not always use.
_UNUSED_PARTS = re.compile(r".*/(pred_id|switch_t|switch_f)(_\d+)?")
_UNUSED_SHAPES = re.compile(r".*/(shape|size|rank)(_\d+)?", re.IGNORECASE)
_MADE_UP = re.compile(r"(.*/)?(Const|zeros|ones|dilation_rate|.*Initializer/.*)(_\d+)?")


def find_ends(graph: Graph) -> list[Node]:
    """The nodes that give something, that nothing reads, and that are no leftovers of training, in file order.

    Of these the ones that depend on what is fed, that run once in each run, and that may have been wanted, if there
    are such. All results of a loop are ends if none of them is read. Where nothing but the shape of what is fed
    decides on any of them, what is read for its shape alone counts as well.
    """
    readers = readers_of(graph)
    fed = reachable(with_ops(graph, PLACEHOLDERS | SOURCES), lambda node: readers.get(node, ()))
    loops = _loops(graph)
    whole = {node for exits in loops.values() if not any(map(_is_read, exits)) for node in exits}
    fed |= {node for exits in loops.values() if not fed.isdisjoint(exits) for node in whole.intersection(exits)}
    found = [node for node in graph if not (node in readers and _is_read(node)) and _gives_results(node)]
    if has_ops(graph, SHAPES):
        valued = reachable(
            with_ops(graph, PLACEHOLDERS | SOURCES), lambda node: filter(_reads_values, readers.get(node, ()))
        )
        if valued and valued.isdisjoint(found):
            measured = {node for node in valued if _is_measured(node) and _gives_results(node)}
            found = [node for node in graph if node in found or node in measured]
    for wanted in (
        lambda node: node in fed,
        lambda node: node.op not in EXITS or node in whole or node.dtype_attr("T") not in (INT32, INT64),
        lambda node: not (node.op in SHAPES and _UNUSED_SHAPES.fullmatch(node.name)),
        lambda node: node.op != "Print",
    ):
        found = _preferred(found, wanted)
    try:
        places = conditional(graph)
    except GraphError:
        return found
    return _preferred(found, lambda node: node not in places)


def _preferred(nodes: list[Node], wanted: Callable[[Node], bool]) -> list[Node]:
    return [node for node in nodes if wanted(node)] or nodes


def _is_read(node: Node) -> bool:
    """Whether something reads it or waits for it, but for groups for which nothing waits."""
    for value in node.outputs:  # nearly always the first one is read
        if value.is_used:
            return True
    return any(reader.op != "NoOp" or reader.control_readers for reader in node.control_readers)


def _reads_values(node: Node) -> bool:
    return node.op not in SHAPES


def _is_measured(node: Node) -> bool:
    """Whether it is read for its shape alone."""
    uses = [use.node for value in node.outputs for use in value.uses]
    return bool(uses) and not any(map(_reads_values, uses))


def _gives_results(node: Node) -> bool:
    if node.op in _NO_END or is_training(node.op) or _UNUSED_PARTS.fullmatch(node.name):
        return False
    if any(scope in f"{node.name}/" for scope in _SCOPES):
        return False
    if node.op in MERGES and node.inputs and all(map(_is_pivot, node.inputs)):
        return False  # a branch that only does something, such as an assertion
    types = ops.output_dtypes(node.op, node.attrs)
    if types is None:
        return ops.output_count(node.op, node.attrs) != 0
    return any(not dtype.is_ref and dtype not in (RESOURCE, VARIANT) for dtype in types)


def _is_pivot(value: Value) -> bool:
    """Whether it is the predicate of its branch, and so nothing that was computed there."""
    node = decider(value)
    return node.op in SWITCHES and len(node.inputs) > 1 and decider(node.inputs[0]) is decider(node.inputs[1])


def _loops(graph: Graph) -> dict[object, set[Node]]:
    """The nodes that leave each loop, by what they leave it from."""
    found: dict[object, set[Node]] = {}
    for node in with_ops(graph, EXITS):
        found.setdefault(_frame(node), set()).add(node)
    return found


def _frame(leaving: Node) -> object:
    """The name of the loop that an Exit leaves: Exit ← Switch ← Merge ← Enter."""
    node = leaving
    for _ in range(3):
        if not node.inputs:
            return leaving
        node = node.inputs[0].node
    try:
        return (node.op in ENTERS and node.attr("frame_name", bytes)) or leaving
    except DecodeError:
        return leaving


def idle_constants(graph: Graph) -> list[Node]:
    """The constants that nothing reads, and the unread nodes that pass such a constant on as it is, in file order.

    Those with names that TensorFlow makes up come last.
    """
    candidates = with_ops(graph, ALIASES | {"Const"})
    found = [node for node in candidates if not _is_read(node) and way_to_constant(node.output())]
    return sorted(found, key=lambda node: bool(_MADE_UP.fullmatch(node.name)))
