"""Ops that change variables, random generators and the like while a model runs, which a frozen graph cannot."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable

from pbslim.analysis.conformity import used_bodies
from pbslim.errors import UsageError
from pbslim.freezing.restoring import VariableName, variable_name
from pbslim.ir import Graph, Node
from pbslim.ir.order import reachable
from pbslim.ops.families import VARIABLES

_WRITES = re.compile(
    r"Assign(Add|Sub)?|Assign(Add|Sub)?VariableOp|(Resource)?(Sparse)?Apply\w+|(Resource)?Scatter(Nd)?"
    r"(Add|Div|Max|Min|Mul|Sub|Update)|CountUpTo|ResourceCountUpTo|RngReadAndSkip|RngSkip|StatefulStandardNormal(V2)?"
    r"|StatefulUniform\w*|DestroyResourceOp|ResourceStridedSliceAssign|StridedSliceAssign|AssignVariableXlaConcatND"
)


def drop_writes(graph: Graph, roots: Collection[Node], *, all_updates: bool = False) -> None:
    """No longer wait for what changes variables that `roots` do not read: their values cannot show that it does.

    Args:
        all_updates: nor for what changes those that they do read; so each run is like the first one.

    Raises:
        UsageError: what they read depends on such a node; the message names it and the variable.
    """
    writes = [node for node in graph if _is_write(node)]
    behind = reachable(writes, lambda node: node.readers)
    kept = reachable(roots, lambda node: [*(value.node for value in node.inputs), *_without(node.controls, behind)])
    read = {variable_name(node) for node in kept if node.op in VARIABLES}
    for node in writes:
        if node in kept:
            raise _refusal(node)
        if _target(node) in read and not all_updates:
            raise _refusal(node, can_go=True)
    for node in kept:
        node.set_controls(_without(node.controls, behind))
    for body in used_bodies(graph).values():
        for node in body.graph:
            if _is_write(node):
                raise _refusal(node)


def _without(nodes: Iterable[Node], others: Collection[Node]) -> list[Node]:
    return [node for node in nodes if node not in others]


def _is_write(node: Node) -> bool:
    return bool(_WRITES.fullmatch(node.op) and node.inputs)


def _refusal(node: Node, *, can_go: bool = False) -> UsageError:
    name = _target(node).name.decode(errors="replace")
    return UsageError(
        f"'{node.name}' ({node.op}) changes '{name}' when the model runs, which a frozen graph cannot; "
        "export the model without it (for training=False)" + (", or drop it (--drop-updates)" if can_go else "")
    )


def _target(write: Node) -> VariableName:
    """The variable that a node changes."""
    node = write.inputs[0].node
    seen: set[Node] = set()
    while node.inputs and node not in seen and node.op not in VARIABLES:
        seen.add(node)
        node = node.inputs[0].node
    return variable_name(node)
