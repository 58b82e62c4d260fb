"""Drop control edges from constants that wait for nothing themselves.

Before::  w (Const) ─► Identity ─► y,  w ┄► NoOp ┄► y
After::   w (Const) ─► Identity ─► y,  NoOp ┄► y

They have no effect, but keep constants in the file that nothing else needs: exports of TensorFlow 2 have one for each
weight.
"""

from __future__ import annotations

from pbslim.analysis.constant_nodes import ConstantNodes
from pbslim.ir import Graph
from pbslim.passes.registry import Context, transform
from pbslim.transforms.constants.ends import ends_of


@transform(effect="exact", in_functions=True)
def drop_idle_controls(graph: Graph, context: Context) -> None:
    """Drop the control edges of needed nodes from constant nodes that wait for nothing that is not constant.

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
    constant = nodes.find()
    for node in nodes.order:
        if node in nodes.needed:
            node.set_controls(control for control in node.controls if constant.get(control, True))
    nodes.restrict()
