"""Engines run a graph: our own kernels, TensorFlow, OpenCV. Another one joins as a module that is named in `ENGINES`.

Each module holds its engine as ``ENGINE``; it is imported when it is first needed.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from importlib import import_module

from pbslim.engines.protocol import Array, Engine, Feeds, Program, Unsupported
from pbslim.errors import UsageError
from pbslim.ir import Graph

__all__ = ["ENGINES", "Array", "Engine", "Feeds", "Program", "Unsupported", "choose", "engine"]

ENGINES = ("builtin", "tensorflow", "opencv")
"""The engines by name, each of them a module here; ``auto`` tries the first two in this order."""


def engine(name: str) -> Engine:
    """The engine called `name`, usable here or not.

    Raises:
        UsageError: there is none.
    """
    if name not in ENGINES:
        raise UsageError(f"unknown engine '{name}' (known: auto, {', '.join(ENGINES)})")
    found: Engine = import_module(f"pbslim.engines.{name}").ENGINE
    return found


def choose(name: str, graph: Graph, fetches: Sequence[str], fed: Collection[str] = ()) -> Engine:
    """The engine to run `fetches` of `graph` with.

    Args:
        name: of an engine, or ``auto`` for the first that is usable and can run the graph.
        fetches: tensor names.
        fed: names of tensors that will be fed, before which nothing is needed.

    Raises:
        UsageError: there is no such engine, it is not installed, or it cannot run the graph; the message names the
            first node that is in the way.
    """
    reasons = []
    for each in map(engine, ["builtin", "tensorflow"] if name == "auto" else [name]):
        if problem := each.missing():
            reasons.append(problem)
        elif blocked := each.unsupported(graph, fetches, fed):
            more = f" (and {len(blocked) - 1} more)" if len(blocked) > 1 else ""
            reasons.append(f"the {each.name} engine cannot run {blocked[0]}{more}")
        else:
            return each
    raise UsageError("; ".join(reasons))
