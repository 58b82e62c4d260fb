"""Bypass and remove nodes of the given ops: their readers read what they read.

Before::  x ─► Identity ─► CheckNumerics ─► Conv2D ─► y
After::   x ─► Conv2D ─► y        (op=Identity, op=CheckNumerics)
"""

from __future__ import annotations

from collections.abc import Sequence

from pbslim.errors import TransformError
from pbslim.ir import Graph, Node
from pbslim.ops.families import SWITCHES
from pbslim.passes.registry import Context, transform
from pbslim.rewrite import Match, Skip, anything, rewrite
from pbslim.rewrite import op as op_pattern


@transform(effect="exact", in_functions=True)
def remove_nodes(graph: Graph, context: Context, *, op: tuple[str, ...], max_inputs: int = 1) -> None:
    """Remove every node of the given `op` types that has 1 to `max_inputs` data inputs; the first one takes its place.

    Inputs and outputs of the graph stay, and so does a node right after a Switch that others wait for, because a
    control edge from the Switch itself would be alive in both branches.

    Raises:
        TransformError: no op is given.
    """
    if not op:
        raise TransformError("at least one op is needed, for instance remove_nodes(op=Identity)")

    def bypass(match: Match) -> Sequence[Node]:
        node = match.root
        if node.name in context.protected:
            raise Skip("it is an input or output of the graph")
        if any(value.uses for value in node.outputs if value.port):
            raise Skip("more than its first output is read")
        source = node.inputs[0]
        if node.control_readers and source.node.op in SWITCHES:
            raise Skip(f"others wait for it, and '{source.node.name}' has two branches")
        node.output().replace_all_uses_with(source)
        node.replace_control_uses_with([source.node])
        others = [
            n for n in match.nodes if n is not source.node and (set(n.readers) - {node} or n.name in context.protected)
        ]
        return [source.node, *(n for n in others if n is not node)]

    most = max((len(node.inputs) for node in graph), default=0) if max_inputs > 1 else 1
    for text in op:
        for count in range(1, min(max_inputs, most) + 1):
            pattern = op_pattern(text, *(anything(f"input{i}") for i in range(count)), name="node")
            while (report := rewrite(graph, pattern, bypass)).applied:
                pass
            context.merge(report)
