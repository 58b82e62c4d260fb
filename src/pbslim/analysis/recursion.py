"""Functions that call themselves, directly or by way of others: TensorFlow refuses them, and inlining would not end."""

from __future__ import annotations

from pbslim.errors import GraphError
from pbslim.ir import Graph

_SHOWN = 5


def require_no_recursion(graph: Graph) -> None:
    """Make sure that no function calls itself, by calls, branches or loops.

    Raises:
        GraphError: one does; the message names the circle.
    """
    functions = graph.library.functions
    done: set[str] = set()
    for root in functions:
        path: dict[str, list[str]] = {}
        todo = [root]
        while todo:
            name = todo[-1]
            if name in done:
                todo.pop()
            elif name in path:
                if path[name]:
                    called = path[name].pop()
                    if called in path:
                        circle = [*list(path)[list(path).index(called) :], called]
                        shown = [f"'{each}'" for each in circle[:_SHOWN]] + (["…"] if len(circle) > _SHOWN else [])
                        raise GraphError(f"functions call each other without end: {' → '.join(shown)}")
                    todo.append(called)
                else:
                    del path[name]
                    done.add(name)
                    todo.pop()
            else:
                path[name] = sorted(functions[name].mentions())
