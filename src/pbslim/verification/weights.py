"""Whether two graphs that compute the same have the same weights, whatever the inputs show of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from pbslim.analysis.diff import diff
from pbslim.errors import PbslimError
from pbslim.ir import Graph
from pbslim.passes import pipeline
from pbslim.passes.simplification import SIMPLIFY

_ROUNDING = 1e-5  # of the largest value: how far folding in another order takes weights apart


@dataclass(frozen=True)
class ChangedConstant:
    """A constant that differs: by how much, and the largest value in the first graph."""

    name: str
    largest_difference: float
    largest_value: float

    @property
    def share(self) -> float:
        """The difference as a share of the largest value."""
        return self.largest_difference / self.largest_value if self.largest_value else float("inf")


def changed_constants(
    first: Graph, second: Graph, *, inputs: Sequence[str], outputs: Sequence[str]
) -> list[ChangedConstant]:
    """The constants that differ by more than rounding, if that is all in which the graphs differ.

    Both are simplified first, as the recipe ``optimize`` does it, so that a graph and what the recipe made of it are
    comparable. Where more than constants differ then, there is nothing to say.
    """
    steps = pipeline.plan(SIMPLIFY).steps
    graphs = [first.copy(), second.copy()]
    try:
        for graph in graphs:
            fed = [name for name in inputs if name.partition(":")[0] in graph]
            pipeline.run(graph, steps, fed, outputs, functions=True)
        found = diff(*graphs, ignore_defaults=True)
    except PbslimError:
        return []
    if found.added or found.removed or found.functions:
        return []
    changed: list[ChangedConstant] = []
    for change in found.changed:
        if change.op != "Const" or len(change.changes) != 1 or change.largest_difference is None:
            return []
        largest = change.largest_value or 0.0
        if change.largest_difference > _ROUNDING * largest:
            changed.append(ChangedConstant(change.name, change.largest_difference, largest))
    return changed
