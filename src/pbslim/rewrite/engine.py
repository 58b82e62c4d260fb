"""Apply a rule wherever a pattern fits.

The walk is the reference tool's: matches are searched in execution order and never share a node, so the first
one wins; the nodes of a match, replaced or not, end up at the place of its root. Equal results need equal rules.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field

from pbslim.ir import Graph, Node
from pbslim.ir.facts import has_ops, with_ops
from pbslim.ir.order import execution_order
from pbslim.rewrite.pattern import Match, Pattern, match, mismatch


class Skip(Exception):  # noqa: N818 - a rule's answer, not an error
    """Raised by a rule that leaves a match as it is.

    Args:
        reason: one the user can act on.
        order: in which the nodes of the match are put down again; breadth first if not given.
    """

    def __init__(self, reason: str, order: Sequence[Node] | None = None) -> None:
        super().__init__(reason)
        self.order = order


@dataclass(frozen=True)
class Skipped:
    """A place where a transform could have fired, and why it did not."""

    node: str
    reason: str


@dataclass
class Report:
    """What one walk did: the names of the roots that were rewritten, and the places that were left alone."""

    applied: list[str] = field(default_factory=list)
    skipped: list[Skipped] = field(default_factory=list)


Rule = Callable[[Match], Sequence[Node]]
"""Changes the graph around a match and gives the nodes that stay, in order; the others of the match are erased.

A rule looks at everything before it touches anything, so that `Skip` leaves the graph as it was.
"""


def find_all(graph: Graph, pattern: Pattern, but: Collection[str] = ()) -> list[Match]:
    """All matches that do not overlap, the earliest in execution order first; none at the nodes called `but`."""
    if pattern.ops is not None and not has_ops(graph, pattern.ops):
        return []  # most patterns do not occur in most graphs, and sorting is the larger part of a search
    taken: set[Node] = set()
    matches = []
    for node in execution_order(graph):
        found = match(pattern, node, taken) if node.name not in but else None
        if found:
            taken.update(found)
            matches.append(found)
    return matches


def rewrite(graph: Graph, pattern: Pattern, rule: Rule, but: Collection[str] = ()) -> Report:
    """One walk over the graph; new nodes are those that `rule` adds and returns.

    Args:
        but: nodes that are no roots, for instance those skipped before, whose matches would stand in the way of others.
    """
    report = Report()
    matches = {found.root: found for found in find_all(graph, pattern, but)}
    if not matches:
        return report
    inner = {node for found in matches.values() for node in found}
    order: dict[Node, None] = {}
    dropped: dict[Node, None] = {}
    for node in graph:
        found = matches.get(node)
        if found is None:
            if node not in inner:
                order[node] = None
            continue
        name = node.name
        try:
            kept = rule(found)
        except Skip as skip:
            report.skipped.append(Skipped(name, str(skip)))
            order.update(dict.fromkeys(skip.order or found.nodes))
            continue
        report.applied.append(name)
        order.update(dict.fromkeys(kept))
        dropped.update(dict.fromkeys(n for n in found if n not in kept))
    graph.erase(node for node in dropped if node not in order)
    graph.reorder(list(order))
    return report


def near_misses(graph: Graph, pattern: Pattern, *, anywhere: bool = False) -> list[Skipped]:
    """Where `pattern` begins to fit, and what keeps it from fitting.

    Args:
        anywhere: where the op of its root is, even if nothing else fits.
    """
    roots = with_ops(graph, pattern.ops or ())
    found = ((node.name, mismatch(pattern, node, anywhere=anywhere)) for node in roots)
    return [Skipped(name, reason) for name, reason in found if reason]


def rewrite_all(graph: Graph, pattern: Pattern, rule: Rule) -> Report:
    """Walk until nothing is left; a place that was skipped is not tried again and blocks no other."""
    total = Report()
    while True:
        report = rewrite(graph, pattern, rule, {skipped.node for skipped in total.skipped})
        if not report.applied and not report.skipped:
            return total
        total.applied += report.applied
        total.skipped += report.skipped


def read_elsewhere(match: Match, nodes: Sequence[Node], outputs: frozenset[str], *, controls: bool = True) -> None:
    """Raise `Skip` when something outside of `match` reads one of `nodes`, or it is an output of the graph.

    What stays as it is, such as the producer of what a convolution reads, is outside.

    Args:
        controls: whether control edges count as well, as they must where the node goes.
    """
    inside = match.own.union(nodes)
    for node in nodes:
        if node.name in outputs:
            raise Skip(f"'{node.name}' is an output of the graph")
        for reader in node.readers if controls else node.data_readers:
            if reader not in inside:
                raise Skip(f"'{node.name}' is read by '{reader.name}' as well")
