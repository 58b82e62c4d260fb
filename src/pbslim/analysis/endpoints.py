"""Find what goes into a graph and what comes out of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from pbslim import ops
from pbslim.analysis.ends import find_ends
from pbslim.analysis.inputs import how_to_cut, pipeline_inputs
from pbslim.analysis.static_shapes import StaticShapes, static_shapes
from pbslim.errors import UsageError, counted
from pbslim.ir import Graph, Node
from pbslim.ir.facts import has_ops, with_ops
from pbslim.ir.order import ancestors, reachable
from pbslim.names import nearest, node_name
from pbslim.ops.families import FEEDABLE, PLACEHOLDERS, VARIABLES


@dataclass(frozen=True)
class Endpoint:
    """An input or output: tensor name, dtype name and shape as far as the graph says (``?`` otherwise)."""

    name: str
    dtype: str
    shape: str

    def __str__(self) -> str:
        return f"{self.name} {self.dtype} {self.shape}"


def find_endpoints(graph: Graph) -> tuple[list[Endpoint], list[Endpoint]]:
    """Inputs and outputs that the graph shows, as `find_names` finds them.

    Raises:
        UsageError: nothing can be found.
    """
    inputs, outputs = find_names(graph)
    return describe(graph, inputs), describe(graph, outputs)


def find_names(
    graph: Graph, inputs: Sequence[str] | None = None, outputs: Sequence[str] | None = None
) -> tuple[list[str], list[str]]:
    """Tensor names of inputs and outputs: those that are given, else those of its signature, or that the graph shows.

    Without a signature the outputs are what `find_ends` finds; an input is a placeholder that an output needs.

    Raises:
        UsageError: a name is not in the graph, or nothing can be found.
    """
    for name in [*(inputs or ()), *(outputs or ())]:
        require(graph, name)
    said = graph.signature
    if outputs:
        output_names = list(outputs)
    elif said and all(node_name(name) in graph for name in said.outputs.values()):
        output_names = list(dict.fromkeys(said.outputs.values()))
    else:
        output_names = [node.name for node in find_ends(graph)]
    if not output_names:
        raise UsageError("no outputs can be found in the graph; name them with --outputs")
    if inputs:
        return list(inputs), output_names
    needed = ancestors([graph[node_name(name)] for name in output_names])
    known = set(said.inputs.values()) if said else set()
    found = [n.name for n in graph if n.name in known or (n.op in PLACEHOLDERS and n in needed)]
    return found, output_names


def describe(graph: Graph, names: Sequence[str]) -> list[Endpoint]:
    """What the graph says of the tensors called `names`."""
    shapes = static_shapes(graph)
    return [_endpoint(graph, name, shapes) for name in names]


def require(graph: Graph, tensor: str) -> Node:
    """The node that a tensor name belongs to.

    Raises:
        UsageError: there is none; the message suggests the nearest name.
    """
    name = node_name(tensor)
    node = graph.get(name)
    if node is None:
        close = nearest(name, (other.name for other in graph))
        raise UsageError(f"the graph has no node '{name}'" + (f", did you mean '{close}'?" if close else ""))
    return node


def require_nodes(graph: Graph, names: Sequence[str], what: str) -> list[str]:
    """`names` themselves, if each is that of a node; `what` they are for messages: ``input`` or ``output``.

    Raises:
        UsageError: no output is given, one names a tensor, or a node is not in the graph.
    """
    if not names and what == "output":
        raise UsageError("name at least one output")
    for name in names:
        if ":" in name:
            raise UsageError(f"{what} '{name}' is a tensor; name the node '{name.partition(':')[0]}'")
        require(graph, name)
    return list(names)


def require_frozen(graph: Graph, outputs: Sequence[str], inputs: Sequence[str] = ()) -> None:
    """Make sure that no output needs a variable; what an input needs does not count.

    Raises:
        UsageError: one does, and a GraphDef holds no values of variables.
    """
    variables = _variables(graph, outputs, inputs)
    sources = pipeline_inputs(graph, outputs, inputs) if variables else []
    if sources and not _variables(graph, outputs, [*inputs, *(each.node for each in sources)]):
        raise UsageError(f"the graph is not frozen, but only its input pipeline needs variables: {how_to_cut(sources)}")
    if variables:
        raise UsageError(
            f"the graph is not frozen: {counted(len(variables), 'variable')} without values here, such as "
            f"'{variables[0]}'; freeze it first: pbslim freeze MODEL --checkpoint PREFIX -o frozen.pb"
        )


def _variables(graph: Graph, outputs: Sequence[str], inputs: Sequence[str]) -> list[str]:
    fed = {graph[node_name(name)] for name in inputs}
    roots = [graph[node_name(name)] for name in outputs]
    if not has_ops(graph, VARIABLES):
        return []
    needed = reachable(roots, lambda node: () if node in fed else node.producers) - fed
    return [node.name for node in with_ops(graph, VARIABLES) if node in needed]


def _endpoint(graph: Graph, tensor: str, shapes: StaticShapes) -> Endpoint:
    node = require(graph, tensor)
    if node.op in FEEDABLE:
        dtype = node.dtype_attr("dtype")
        return Endpoint(tensor, str(dtype or "?"), str(node.shape_attr("shape")))
    port = int(tensor.partition(":")[2] or 0) if tensor.partition(":")[2].isdigit() else 0
    return Endpoint(tensor, str(ops.output_dtype(node.op, node.attrs, port) or "?"), str(shapes.of(node.output(port))))
