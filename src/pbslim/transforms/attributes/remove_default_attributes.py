"""Leave out attributes that say what is the default, and notes of TensorFlow's optimizers.

Before::  Conv2D(x, w) {T=float, data_format=NHWC, dilations=[1,1,1,1], padding=SAME, strides=[1,1,1,1], _cloned=true}
After::   Conv2D(x, w) {T=float, padding=SAME, strides=[1,1,1,1]}

Readers fill in defaults themselves, and older ones refuse attributes that they do not know, whatever their value.
"""

from __future__ import annotations

from pbslim import ops
from pbslim.ir import AttrValue, Graph
from pbslim.ops import MISSING
from pbslim.passes.registry import Context, transform

_NOTES = ("_cloned", "_grappler_")


@transform(effect="exact", in_functions=True)
def remove_default_attributes(graph: Graph, context: Context) -> None:  # noqa: ARG001
    """Remove each attribute that has the value that its absence means, but for types, as few tools know their defaults.

    Nodes whose op is not known stay as they are.
    """
    drop_defaults(graph)


def drop_defaults(graph: Graph) -> None:
    """Do it, where there is no pipeline."""
    for node in graph:
        definition = ops.find(node.op) if node.op not in graph.library.functions else None
        for name, value in list(node.attrs.items()) if definition else ():
            attr = definition.attrs.get(name) if definition else None
            said = attr is not None and attr.kind != "type" and attr.default is not MISSING
            if name.startswith(_NOTES) or (attr is not None and said and _is_same(value, attr.default)):
                node.remove_attr(name)


def _is_same(value: AttrValue, default: object) -> bool:
    if isinstance(default, tuple):
        return isinstance(value, tuple) and len(value) == len(default) and all(map(_is_same, value, default))
    return type(value) is type(default) and isinstance(value, bytes | int | float | bool) and value == default
