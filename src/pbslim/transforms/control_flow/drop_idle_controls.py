"""Drop control edges from constants that wait for nothing themselves, and to constants that wait for no reason.

Before::  w (Const) ─► Identity ─► y,  w ┄► NoOp ┄► y,  x ─► y,  x ┄► b (Const) ─► y
After::   w (Const) ─► Identity ─► y,  NoOp ┄► y,       x ─► y,  b (Const) ─► y

They have no effect. The first kind keeps constants in the file that nothing else needs: exports of TensorFlow 2 have
one for each weight. The second kind hides from all other transforms that a weight is constant: functions that
TensorFlow 2 inlined tie each of theirs to an input.
"""

from __future__ import annotations

from pbslim import ops
from pbslim.analysis.constant_nodes import ConstantNodes
from pbslim.ir import Graph, Node
from pbslim.ir.order import reachable
from pbslim.ops.families import PLACES
from pbslim.passes.registry import Context, transform
from pbslim.transforms.constants.ends import ends_of


@transform(effect="exact", in_functions=True)
def drop_idle_controls(graph: Graph, context: Context) -> None:
    """Drop the control edges of needed nodes from constant nodes that wait for nothing that is not constant.

    A Const no longer waits for what runs anyway, outside of branches and loops, and after nothing that has an effect.

    Raises:
        TransformError: an input or output is not in the graph, an input is not a placeholder or is
            named twice, or no output is given.
    """
    ends = ends_of(graph, context)
    drop_controls(ConstantNodes(graph, ends.fed, ends.roots))


def drop_controls(nodes: ConstantNodes) -> None:
    """Do it for the graph of `nodes`."""
    if not any(node.controls for node in nodes.needed):
        return
    _release(nodes)
    constant = nodes.find()
    for node in nodes.order:
        if node in nodes.needed:
            node.set_controls(control for control in node.controls if constant.get(control, True))
    nodes.restrict()


def _release(nodes: ConstantNodes) -> None:
    """Drop the control edges to constants that make no difference."""
    waiting = [node for node in nodes.needed if node.op == "Const" and node.controls]
    if not waiting:
        return
    binding = reachable(filter(_binds, nodes.order), lambda node: node.readers)
    released = {node for node in waiting if binding.isdisjoint(node.controls)}
    ends = released | {value.node for value in nodes.fed}
    runs = reachable(nodes.roots, lambda node: () if node in ends else node.producers)
    for node in released:
        node.set_controls(control for control in node.controls if control not in runs)


def _binds(node: Node) -> bool:
    """Whether it matters that something runs after this node: it decides what runs, or may have an effect."""
    definition = ops.find(node.op)
    return node.op in PLACES or definition is None or definition.is_stateful
