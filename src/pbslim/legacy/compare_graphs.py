"""Where two graphs differ, in the words of TensorFlow's ``compare_graphs``."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from pbslim.analysis.debug_text import attr_text, node_text
from pbslim.analysis.equality import same_attr
from pbslim.wire.files import GraphLike, load
from pbslim.wire.listing import ListedNode, listed_functions, listed_nodes


def compare_graphs(
    actual: GraphLike, expected: GraphLike, *, atol: float = 0.0, library: bool = False
) -> Iterator[str]:
    """A line for each difference, found as you go on; nothing when the graphs are equal.

    Nodes are compared by name, whatever their order; attributes that start with ``_`` and ``versions`` do not count.

    Args:
        actual: the graph that is looked at.
        expected: what it should be.
        atol: how far apart floats in tensors may be.
        library: compare the function libraries too.

    Raises:
        DecodeError: a function in the library is broken.
    """
    actual, expected = load(actual), load(expected)
    yield from _compare(listed_nodes(actual), listed_nodes(expected), atol)
    if library:
        found = {each.name: each for each in listed_functions(actual)}
        for wanted in listed_functions(expected):
            function = found.pop(wanted.name, None)
            if function is None:
                yield f"Did not find expected function '{wanted.name}'"
                continue
            if function.interface != wanted.interface:
                yield f"Function '{wanted.name}' has a signature or results that don't match expected"
            for text in _compare(function.nodes, wanted.nodes, atol):
                yield f"In function '{wanted.name}': {text}"
        for name in found:
            yield f"Found unexpected function '{name}'"


def _compare(actual: Iterable[ListedNode], expected: Iterable[ListedNode], atol: float) -> Iterator[str]:
    found = {node.name: node for node in actual}
    for wanted in expected:
        node = found.pop(wanted.name, None)
        if node is None:
            yield f"Did not find expected node '{node_text(wanted)}'"
        else:
            for text in _node_differences(node, wanted, atol):
                yield f"Node named '{node.name}' {text}"
    for node in found.values():
        yield f"Found unexpected node '{node_text(node)}'"


def _node_differences(actual: ListedNode, expected: ListedNode, atol: float) -> Iterator[str]:
    if actual.op != expected.op:
        yield f"has op '{actual.op}' that is not expected '{expected.op}'"
    if actual.device != expected.device:
        yield f"has device '{actual.device}' that is not expected '{expected.device}'"
    yield from _input_differences(actual.inputs, expected.inputs)
    here, there = ({key for key in node.attrs if not key.startswith("_")} for node in (actual, expected))
    for key in sorted(here | there, key=str.encode):
        if key not in here:
            yield f"missing expected attr '{key}' with value: {attr_text(expected, key)}"
        elif key in there and not same_attr(actual.attrs, expected.attrs, key, atol=atol):
            values = attr_text(actual, key), attr_text(expected, key)
            yield f"has attr '{key}' with value: {values[0]} that does not match expected: {values[1]}"
    for key in sorted(here - there, key=str.encode):
        yield f"has unexpected attr '{key}' with value: {attr_text(actual, key)}"


def _input_differences(actual: tuple[str, ...], expected: tuple[str, ...]) -> Iterator[str]:
    if len(actual) != len(expected):
        yield f"has inputs '{', '.join(actual)}' that don't match expected '{', '.join(expected)}'"
        return
    data = sum(not text.startswith("^") for text in actual)
    for index, (text, wanted) in enumerate(zip(actual[:data], expected[:data], strict=True)):
        if text.removesuffix(":0") != wanted.removesuffix(":0"):
            yield f"has input {index} '{text}' that doesn't match expected '{wanted}'"
    controls, wanted_controls = actual[data:], expected[data:]
    for text in dict.fromkeys(wanted_controls):
        if text not in controls:
            yield f"missing expected control input '{text}'"
    for text in dict.fromkeys(controls):
        if text not in wanted_controls:
            yield f"has unexpected control input '{text}'"
