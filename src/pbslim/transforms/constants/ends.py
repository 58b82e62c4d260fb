"""Where a graph begins and ends for those transforms that ask what is constant between."""

from __future__ import annotations

from dataclasses import dataclass

from pbslim import ops
from pbslim.errors import TransformError, counted
from pbslim.ir import Graph, Node, Value
from pbslim.ops.families import FEEDABLE
from pbslim.passes.registry import Context


@dataclass(frozen=True)
class Ends:
    """The values that are fed and fetched, and the nodes that run for their effect."""

    fed: list[Value]
    fetched: list[Value]
    kept: list[Node]

    @property
    def roots(self) -> list[Node]:
        """The nodes that must run."""
        return [*(value.node for value in self.fetched), *self.kept]


def ends_of(graph: Graph, context: Context) -> Ends:
    """What `context` names.

    Raises:
        TransformError: an input or output is not in the graph, an input is not a placeholder or is
            named twice, or there is no output.
    """
    if twice := next((name for k, name in enumerate(context.inputs) if name in context.inputs[:k]), None):
        raise TransformError(f"input '{twice}' is named twice")
    fed = [_value(graph, name, "input") for name in context.inputs]
    fetched = [_value(graph, name, "output") for name in context.outputs]
    ends = Ends(fed, fetched, [graph[name] for name in context.kept])
    if not ends.roots:
        raise TransformError("no outputs are given, so nothing would be left; name them with --outputs")
    for value in fed:
        if value in fetched:
            raise TransformError(f"'{value.name}' is both an input and an output")
        if value.node.op not in FEEDABLE:
            raise TransformError(
                f"input '{value.name}' is a {value.node.op}, not a Placeholder; run strip_unused_nodes before"
            )
    return ends


def _value(graph: Graph, text: str, what: str) -> Value:
    name, _, port = text.rpartition(":")
    if not (name and port.isdigit()):
        name, port = text, "0"
    node = graph.get(name)
    if node is None:
        raise TransformError(f"{what} '{text}' is not in the graph")
    count = ops.output_count(node.op, node.attrs)
    if count is not None and int(port) >= count:
        raise TransformError(f"{what} '{text}': {node.op} has {counted(count, 'output')}")
    return node.output(int(port))
