"""What a run on a graph starts from: what it is fed with, what comes out, what else must stay."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from pbslim.analysis.endpoints import find_names, require, require_frozen
from pbslim.analysis.ends import idle_constants
from pbslim.analysis.inputs import Input, how_to_cut, pipeline_inputs
from pbslim.analysis.tables import TABLES, fillers_of, tables_of
from pbslim.ir import Graph
from pbslim.ir.facts import has_ops
from pbslim.names import node_name, shortened
from pbslim.ops.families import PLACEHOLDERS
from pbslim.passes.registry import Step


@dataclass
class Wanted:
    """What is asked of a graph; what is not given is found from the graph itself.

    Attributes:
        fed: the inputs that are not placeholders, or of which something is said.
        inputs, outputs: tensor names.
        kept: names of nodes that must stay though no output needs them.
        notes: remarks for the user.
    """

    fed: list[Input]
    inputs: list[str]
    outputs: list[str]
    kept: frozenset[str]
    notes: list[str] = field(default_factory=list)

    def step(self, step: Step) -> Step:
        """A step of a recipe: the one that cuts the graph learns what is said of the inputs."""
        if step.transform.name != "strip_unused_nodes" or not self.fed:
            return step
        return replace(step, arguments={**step.arguments, "input": tuple(map(str, self.fed))})


def prepare(
    graph: Graph,
    inputs: Sequence[str] | None,
    outputs: Sequence[str] | None,
    *,
    keep: Sequence[str] = (),
    keep_constants: bool = False,
) -> Wanted:
    """What is asked of `graph`; see `pbslim.shrink`.

    Raises:
        UsageError: a name is not in the graph, nothing can be found, or the graph is not frozen.
    """
    fed = [_read_input(graph, text) for text in inputs or ()]
    names = find_names(graph, [each.tensor for each in fed], outputs)
    require_frozen(graph, names[1], names[0])
    kept = {require(graph, name).name for name in keep}
    tables = tables_of(graph[node_name(name)] for name in names[1]) if has_ops(graph, TABLES) else []
    kept.update(node.name for table in tables for node in fillers_of(graph, table))
    notes = []
    idle = [node.name for node in idle_constants(graph) if node.name not in kept.union(names[1])]
    if keep_constants:
        kept.update(idle)
    elif idle:
        notes.append(_dropped(idle))
    if sources := pipeline_inputs(graph, names[1], names[0]):
        notes.append(how_to_cut(sources))
    said = [each for each in fed if each.says or graph[each.node].op not in PLACEHOLDERS]
    return Wanted(said, *names, frozenset(kept), notes)


def _dropped(names: Sequence[str]) -> str:
    what = "1 constant that nothing reads is" if len(names) == 1 else f"{len(names)} constants that nothing reads are"
    return (
        f"{what} dropped: {shortened(names)}; if your program fetches them by name: --keep NAME,... or --keep-constants"
    )


def _read_input(graph: Graph, text: str) -> Input:
    name, _, port = text.partition(":")
    plain = name in graph and (not port or port.isdecimal())  # whatever the name looks like
    return Input.named(text) if plain else Input.parse(text)
