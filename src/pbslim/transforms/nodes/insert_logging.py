"""Print the values of nodes to stderr whenever the graph runs.

Before::  x ─► Conv2D ─► Relu ─► y
After::   x ─► Conv2D ─► Print ─► Relu ─► y        (op=Conv2D)

With ``op=RequantizationRange, show_name=true, message="__requant_min_max:"`` the lines printed are what
``freeze_requantization_ranges`` reads.
"""

from __future__ import annotations

from pbslim import ops
from pbslim.dtypes import DType
from pbslim.errors import counted
from pbslim.ir import AttrValue, Graph, Node, Value
from pbslim.ops.families import NEXT_ITERATIONS, SWITCHES
from pbslim.passes.registry import Context, transform
from pbslim.rewrite import Skip
from pbslim.wire import EXPLICIT_PORTS


@transform(effect="exact")
def insert_logging(
    graph: Graph,
    context: Context,
    *,
    op: tuple[str, ...] = (),
    prefix: tuple[str, ...] = (),
    message: str = "",
    show_name: bool = False,
    show_op: bool = False,
    first_n: int = -1,
    summarize: int = 1024,
) -> None:
    """Log every node that is read, or only those of the given `op` types, with names that begin with a `prefix`.

    Each line starts with ``;op;`` (`show_op`), ``;name of the Print node;`` (`show_name`) and `message`, followed by
    up to `summarize` elements of each output that is read. `first_n` ends the logging of a node after so many runs;
    -1 never does.
    """
    order = []
    for node in graph:
        order.append(node)
        if (op and node.op not in op) or (prefix and not node.name.startswith(prefix)):
            continue
        try:
            values, types = _logged(node)
        except Skip as skip:
            context.skip(node.name, str(skip))
            continue
        name = graph.unique_name(f"{node.name}__print__")
        head = (f";{node.op};" if show_op else "") + (f";{name};" if show_name else "")
        text = (head + message).encode()
        attrs: dict[str, AttrValue] = {
            "T": types[0],
            "U": types,
            "message": text,
            "first_n": first_n,
            "summarize": summarize,
        }
        printer = graph.add(name, "Print", attrs=attrs, origin=EXPLICIT_PORTS)
        if not values[0].uses:
            node.replace_control_uses_with([printer])
        values[0].replace_all_uses_with(printer.output())
        printer.set_inputs([values[0], *values])
        order.append(printer)
    graph.reorder(order)


def _logged(node: Node) -> tuple[list[Value], tuple[DType, ...]]:
    """The outputs of `node` that are read, the first of which is to go through the Print, and their types."""
    values = [value for value in node.outputs if value.uses]
    if not values and not node.control_readers:
        raise Skip("nothing reads it, so nothing would run its Print")
    if node.op in SWITCHES:
        raise Skip("only one of its outputs has a value at a time; log the nodes that read it")
    if node.op in NEXT_ITERATIONS:
        raise Skip("it closes a loop; log the node that it reads")
    lists = [use.node for value in values for use in value.uses if "TensorList" in use.node.op]
    if node.op == "Const" and lists:
        raise Skip(f"'{lists[0].name}' ({lists[0].op}) wants to know its value when the graph is loaded")
    types = ops.output_dtypes(node.op, node.attrs)
    if types is None:
        known = "an attribute that says so is missing" if ops.find(node.op) else f"op '{node.op}' is not known"
        raise Skip(f"the types of its outputs are not known: {known}")
    if not types:
        raise Skip("it has no outputs")
    values = values or [node.output()]
    if values[-1].port >= len(types):
        raise Skip(f"it has {counted(len(types), 'output')}, and '{values[-1].name}' is read")
    read = tuple(types[value.port] for value in values)
    if any(dtype.is_ref for dtype in read):
        raise Skip("it gives a reference to a variable; log the node that reads it")
    return values, read
