"""Remove every control edge.

Before::  a ─► Mul ─► y,  init ┄► Mul
After::   a ─► Mul ─► y

Ops with side effects then run in any order.
"""

from __future__ import annotations

from pbslim import ops
from pbslim.analysis.frames import frame_controls
from pbslim.ir import Graph, Node
from pbslim.passes.registry import Context, transform


@transform(effect="exact", in_functions=True)
def remove_control_dependencies(graph: Graph, context: Context) -> None:
    """Drop all inputs that start with ``^``.

    Only a node that reads nothing and is held in a loop or branch by such an edge, as the constants there are, keeps
    it: it would run outside, and the graph would not.
    """
    for node in graph:
        if not node.controls:
            continue
        held = () if node.inputs else frame_controls(node)
        if held:
            context.skip(node.name, "its control inputs hold it in a loop or branch")
        elif ordered := [n.name for n in (node, *node.controls) if _has_effects(n)]:
            context.note(f"'{ordered[0]}' has side effects, and its order among the others is no longer held")
        node.set_controls(held)


def _has_effects(node: Node) -> bool:
    definition = ops.find(node.op)
    return definition is None or definition.is_stateful
