"""What two graphs are compared by: the outputs that both have, and the inputs that are made or read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from pbslim.analysis.endpoints import find_names, require, require_frozen
from pbslim.errors import UsageError
from pbslim.ir import Graph
from pbslim.names import node_name
from pbslim.verification.batches import renamed
from pbslim.verification.feeds import Pixels, Samples, generate_samples
from pbslim.verification.given import given_samples, read_labelled, read_samples, require_finite
from pbslim.verification.running import Side

Array = npt.NDArray[Any]


def find_ends(
    sides: tuple[Side, Side], inputs: Sequence[str] | None, outputs: Sequence[str] | None
) -> tuple[list[str], list[str]]:
    """The inputs of the first graph, and the outputs that both have."""
    first, second = (side.graph for side in sides)
    wanted = list(outputs or _outputs(first, second))
    alien = [] if outputs else [name for name in wanted if node_name(name) not in first]
    if alien:
        raise UsageError(f"the first graph has no node '{alien[0]}', an output of the second; name others: --outputs")
    for side in sides:
        for name in wanted:
            require(side.graph, name)
        require_frozen(side.graph, wanted, [*side.fed(dict.fromkeys(inputs or (), np.zeros(0)))])
    return find_names(sides[0].graph, inputs, wanted)[0], wanted


def _outputs(first: Graph, second: Graph) -> list[str]:
    """The outputs of the second graph; what a model says of those of the first if nobody says them of the second."""
    said = find_names(first)[1] if first.signature and not second.signature else []
    return said if said and all(node_name(name) in second for name in said) else find_names(second)[1]


@dataclass(frozen=True)
class Inputs:
    """How inputs are made or read."""

    graph: Graph
    names: list[str]
    count: int
    seed: int
    pixels: Pixels | None
    cut: Side | None = None

    def samples(
        self, feeds: Mapping[str, Array] | Path | None, evaluation: Path | None
    ) -> tuple[Samples, Array | None]:
        """The samples, and labels if there are any."""
        if feeds is not None and evaluation is not None:
            raise UsageError("--feeds and --eval both give the inputs; name one")
        if evaluation is not None:
            return read_labelled(evaluation, self.graph, self.names, self.pixels)
        if isinstance(feeds, Path):
            return read_samples(feeds, self.graph, self.names, self.pixels), None
        if feeds is not None:
            require_finite(feeds, "the given inputs")
            return given_samples(feeds, self.graph, self.names, self.pixels), None
        graph, names = self.graph, self.names
        if self.cut:  # at inner tensors, of which the second graph says more
            graph, names = self.cut.graph, [self.cut.renamed[name] for name in names]
        made = generate_samples(graph, names, samples=self.count, seed=self.seed, pixels=self.pixels)
        return replace(made, batches=renamed(made.batches, self.names)), None
