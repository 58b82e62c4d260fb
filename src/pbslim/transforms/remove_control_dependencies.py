"""Remove every control edge.

Before::  a ─► Mul ─► y,  init ┄► Mul
After::   a ─► Mul ─► y

Ops with side effects then run in any order, and constants inside a loop lose the edge that holds them there.
"""

from __future__ import annotations

from pbslim.ir import Graph
from pbslim.passes.registry import Context, transform


@transform(effect="exact", in_functions=True)
def remove_control_dependencies(graph: Graph, context: Context) -> None:
    """Drop all inputs that start with ``^``."""
    for node in graph:
        if node.controls and node.op == "Const" and any(c.op == "Identity" for c in node.controls):
            in_branch = any(v.node.op == "Switch" for c in node.controls for v in c.inputs)
            if in_branch:
                context.note(f"'{node.name}' was held inside a loop or branch by a control edge; the graph may not run")
        node.set_controls(())
