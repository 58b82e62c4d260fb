"""What becomes of a value that is handed to functions: the bodies of calls, branches and loops."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping

from pbslim.analysis.constants import behind_aliases
from pbslim.errors import GraphError
from pbslim.ir import Body, Function, Graph, Node, Use, Value
from pbslim.ir.functions import mentioned
from pbslim.ops.families import CALLS, CASES, IFS, WHILES


def handed_to(use: Use, functions: Mapping[str, Function]) -> list[Value]:
    """What the same value is called in the functions that a node hands it to, and after a loop that keeps it.

    Nothing where the node is no call, branch or loop, or where the value does not stay as it is: a function returns
    it, a loop changes it, or a body cannot be read.
    """
    node, place = use.node, use.slot - (use.node.op in IFS | CASES)
    if node.op not in CALLS | IFS | CASES | WHILES or place < 0:
        return []
    try:
        bodies = [functions[name].body() for name in mentioned(node.attrs) if name in functions]
    except GraphError:
        return []
    if any(place >= len(body.arguments) for body in bodies):
        return []
    found = [body.graph[body.arguments[place]].output() for body in bodies]
    places = {at for body, value in zip(bodies, found, strict=True) for at in _returned(body, value)}
    if node.op in WHILES:
        return [*found, node.output(place)] if places == {place} else []
    return [] if places else found


def called_often(graph: Graph) -> set[Node]:
    """The nodes in functions that are called at several places: their arguments stand for several values.

    Of functions whose bodies nothing has asked for yet, none are given.
    """
    functions = graph.library.functions
    callees = {name: [*_called(function, functions)] for name, function in functions.items()}
    calls = Counter([*_mentions(graph, functions), *(name for names in callees.values() for name in names)])
    found, todo = set[str](), [name for name, count in calls.items() if count > 1]
    while todo:
        name = todo.pop()
        if name not in found:
            found.add(name)
            todo += callees[name]
    bodies = (functions[name].decoded for name in found)
    return {node for body in bodies if body for node in body.graph}


def _called(function: Function, functions: Mapping[str, Function]) -> Iterable[str]:
    return _mentions(function.decoded.graph, functions) if function.decoded else function.mentions()


def _mentions(graph: Graph, functions: Mapping[str, Function]) -> Iterator[str]:
    for node in graph if functions else ():
        yield from (name for name in (node.op, *mentioned(node.attrs)) if name in functions)


def _returned(body: Body, argument: Value) -> list[int]:
    """At which places a body returns an argument as it is."""
    return [at for at, tensor in enumerate(body.returns.values()) if behind_aliases(body.value(tensor)) == argument]
