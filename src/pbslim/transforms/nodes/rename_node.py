"""Give one node another name.

Before::  super/deep/output = Softmax(x)
After::   output = Softmax(x)        (old_node_name="super/deep/output", new_node_name=output)

Who reads the node follows, and so do colocations with it in ``_class``.
"""

from __future__ import annotations

import re

from pbslim.errors import TransformError
from pbslim.ir import Graph
from pbslim.names import nearest, node_name
from pbslim.passes.registry import Context, transform

_NAME = re.compile(r"[A-Za-z0-9_.][A-Za-z0-9_./>\\-]*")


@transform(effect="exact")
def rename_node(graph: Graph, context: Context, *, old_node_name: str, new_node_name: str) -> None:
    """Rename node `old_node_name` to `new_node_name`.

    Where it is an input or output of the graph, the transforms that follow know it under its new name.

    Raises:
        TransformError: the new name is taken, or none that TensorFlow accepts.
    """
    if not _NAME.fullmatch(new_node_name):
        raise TransformError(
            f"'{new_node_name}' cannot be the name of a node: letters, digits and _ . / > - are allowed"
        )
    node = graph.get(old_node_name)
    if node is None:
        close = nearest(old_node_name, (other.name for other in graph))
        context.note(f"the graph has no node '{old_node_name}'" + (f", did you mean '{close}'?" if close else ""))
        return
    if new_node_name in graph and graph[new_node_name] is not node:
        raise TransformError(f"'{old_node_name}' cannot become '{new_node_name}': another node has that name")
    graph.rename({node: new_node_name})
    for kind, names in (("input", context.inputs), ("output", context.outputs)):
        if old_node_name in map(node_name, names):
            context.note(f"{kind} '{old_node_name}' of the graph is called '{new_node_name}' now")
    context.inputs = tuple(_renamed(name, old_node_name, new_node_name) for name in context.inputs)
    context.outputs = tuple(_renamed(name, old_node_name, new_node_name) for name in context.outputs)


def _renamed(tensor: str, old: str, new: str) -> str:
    return tensor.replace(old, new, 1) if node_name(tensor) == old else tensor
