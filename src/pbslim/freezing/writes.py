"""Ops that change variables, random generators and the like while a model runs, which a frozen graph cannot."""

from __future__ import annotations

import re

from pbslim.analysis.conformity import used_bodies
from pbslim.errors import UsageError
from pbslim.freezing.restoring import variable_name
from pbslim.ir import Graph, Node, Value
from pbslim.ops.families import VARIABLES

_WRITES = re.compile(
    r"Assign(Add|Sub)?|Assign(Add|Sub)?VariableOp|(Resource)?(Sparse)?Apply\w+|(Resource)?Scatter(Nd)?"
    r"(Add|Div|Max|Min|Mul|Sub|Update)|CountUpTo|ResourceCountUpTo|RngReadAndSkip|RngSkip|StatefulStandardNormal(V2)?"
    r"|StatefulUniform\w*|DestroyResourceOp|ResourceStridedSliceAssign|StridedSliceAssign|AssignVariableXlaConcatND"
)


def require_no_writes(graph: Graph) -> None:
    """Make sure that no node changes a variable.

    Raises:
        UsageError: one does; the message names both.
    """
    for where in (graph, *(body.graph for body in used_bodies(graph).values())):
        for node in where:
            if _WRITES.fullmatch(node.op) and node.inputs:
                target = _name(node.inputs[0])
                raise UsageError(
                    f"'{node.name}' ({node.op}) changes '{target}' when the model runs, which a frozen graph cannot; "
                    "export the model without it (for training=False), or choose outputs that do not need it"
                )


def _name(value: Value) -> str:
    """The variable that a value stands for."""
    node: Node = value.node
    seen: set[Node] = set()
    while node.inputs and node not in seen and node.op not in VARIABLES:
        seen.add(node)
        node = node.inputs[0].node
    return variable_name(node).name.decode(errors="replace")
