"""Give an attribute of all nodes, or of those of one op, another name.

Before::  m = Mul(a, b) {foo=3}
After::   m = Mul(a, b) {bar=3}        (old_attribute_name=foo, new_attribute_name=bar)
"""

from __future__ import annotations

from pbslim.ir import Graph
from pbslim.passes.registry import Context, transform


@transform(effect="annotates", in_functions=True)
def rename_attribute(
    graph: Graph,
    context: Context,
    *,
    old_attribute_name: str,
    new_attribute_name: str,
    op_name: tuple[str, ...] = ("*",),
) -> None:
    """Rename `old_attribute_name` to `new_attribute_name` in the nodes of op `op_name` (``"*"``: of every op).

    Of several `op_name` the first counts. A node that has both attributes keeps the value of the new one.
    """
    if old_attribute_name == new_attribute_name:
        return
    if len(op_name) > 1:
        context.note(f"of several op_name only the first counts, which is '{op_name[0]}'")
    for node in graph:
        value = node.attrs.stored().get(old_attribute_name)
        if old_attribute_name not in node.attrs or op_name[0] not in ("*", node.op):
            continue
        node.remove_attr(old_attribute_name)
        if new_attribute_name in node.attrs:
            context.note(f"'{node.name}' has a '{new_attribute_name}' already; its '{old_attribute_name}' is dropped")
        else:
            node.set_attr(new_attribute_name, value)
