"""Cut a graph at tensors that are to be fed.

Before::  file ─► DecodeJpeg ─► image ─► Conv2D
After::   image (Placeholder) ─► Conv2D
"""

from __future__ import annotations

from collections.abc import Mapping

from pbslim.ir import AttrValue, Graph, Node, Value
from pbslim.rewrite.replacing import put_before


def cut(graph: Graph, attrs: Mapping[Value, Mapping[str, AttrValue]]) -> dict[Value, Node]:
    """Make each value a Placeholder with these attributes; what was before it is no longer read.

    The first output of a node that is cut keeps the name of the node, further ones have a number, as ``name_1``. Other
    outputs of the node must not be read by anything that stays.

    Returns:
        the Placeholder for each value.
    """
    ports: dict[Node, list[Value]] = {}
    for value in attrs:
        ports.setdefault(value.node, []).append(value)
    made: dict[Value, Node] = {}
    places: dict[Node, list[Node]] = {}
    for node, values in ports.items():
        first, *others = sorted(values, key=lambda value: value.port)
        for value in others:
            made[value] = graph.add(graph.unique_name(f"{node.name}_{value.port}"), "Placeholder", attrs=attrs[value])
            places.setdefault(node, []).append(made[value])
            value.replace_all_uses_with(made[value].output())
        made[first] = node
        node.become("Placeholder", attrs=attrs[first])
        if first.port:
            first.replace_all_uses_with(node.output())
    if places:
        put_before(graph, places)
    return made
