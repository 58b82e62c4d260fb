"""Ops that change variables, random generators and the like while a model runs, which a frozen graph cannot."""

from __future__ import annotations

import re
from collections.abc import Iterable

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


def drop_writes(graph: Graph, roots: Iterable[Node]) -> None:
    """No longer wait for nodes that change what `roots` do not read: that it changes cannot be seen in their values.

    Raises:
        UsageError: one changes what they read; the message names both.
    """
    writes = {node for node in graph if _is_write(node)}
    needed = reachable(roots, lambda node: () if node in writes else node.producers)
    read = {variable_name(node) for node in needed if node.op in VARIABLES}
    for node in writes:
        if node.data_readers or _target(node) in read:
            raise _refusal(node)
        node.replace_control_uses_with(())
    for body in used_bodies(graph).values():
        for node in body.graph:
            if _is_write(node):
                raise _refusal(node)


def _is_write(node: Node) -> bool:
    return bool(_WRITES.fullmatch(node.op) and node.inputs)


def _refusal(node: Node) -> UsageError:
    name = _target(node).name.decode(errors="replace")
    return UsageError(
        f"'{node.name}' ({node.op}) changes '{name}' when the model runs, which a frozen graph cannot; "
        "export the model without it (for training=False), or choose outputs that do not need it"
    )


def _target(write: Node) -> VariableName:
    """The variable that a node changes."""
    node = write.inputs[0].node
    seen: set[Node] = set()
    while node.inputs and node not in seen and node.op not in VARIABLES:
        seen.add(node)
        node = node.inputs[0].node
    return variable_name(node)
