"""A graph in Graphviz's DOT language, as TensorFlow's ``graph_to_dot`` draws it."""

from __future__ import annotations

from collections.abc import Iterator

from pbslim.errors import printable
from pbslim.ir import Graph
from pbslim.wire.files import GraphLike, load
from pbslim.wire.nodes import spelled_inputs


def graph_to_dot(graph: GraphLike) -> str:
    """A node with its op for each node, an arrow for each input, a dashed one for each control input."""
    return "\n".join(["digraph graphname {", *_lines(load(graph)), "}", ""])


def _lines(graph: Graph) -> Iterator[str]:
    for node in graph:
        yield f"  {_quoted(node.name)} [label={_quoted(node.op)}];"
        for text in spelled_inputs(node):
            style = " [style=dashed]" if text.startswith("^") else ""
            producer = text.removeprefix("^").partition(":")[0]
            yield f"  {_quoted(producer)} -> {_quoted(node.name)}{style};"


def _quoted(text: str) -> str:
    # A backslash begins an escape in labels only, but doubled it means one there, and names may be labels.
    return '"' + printable(text).replace("\\", "\\\\").replace('"', '\\"') + '"'
