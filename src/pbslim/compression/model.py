"""A graph whose weights can be changed while it runs."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType

import numpy as np

from pbslim.analysis.constants import const_value
from pbslim.analysis.frames import conditional
from pbslim.analysis.weight_sites import Site, find_sites
from pbslim.compression.evaluation import Evaluator
from pbslim.compression.judge import Judge
from pbslim.compression.moments import Moments, collect
from pbslim.compression.rounding import Rounded, SiteRounder
from pbslim.engines import Feeds, Program
from pbslim.engines.protocol import find_value
from pbslim.ir import Graph
from pbslim.ir.order import ancestors
from pbslim.ir.tensors import Array
from pbslim.quant.half import LARGEST, MOST_BITS, fine_enough, finer
from pbslim.transforms.compressed.selection import half_constants, matches

_UNKNOWN = 4  # bits more than float16 for a bias where nobody knows how exact it must be


@dataclass
class Model:
    """What is compressed.

    Attributes:
        graph: simplified already; it is not changed before the end.
        program: the same, loaded by an engine.
        judge: of its outputs.
        sites: the weights whose bits are chosen.
        vectors: other float constants, by name, that are stored as float16 or a little finer.
        unseen: weights that are no sites, as nothing that is compared depends on them: those after a selection, say.
        engine: the name of what runs the program.
        exact_vectors: whether vectors are only those that are stored exactly.
    """

    graph: Graph
    program: Program
    inputs: Sequence[str]
    outputs: Sequence[str]
    judge: Judge
    sites: list[Site] = field(default_factory=list)
    vectors: dict[str, Array] = field(default_factory=dict)
    unseen: Sequence[str] = ()
    engine: str = "builtin"
    exact_vectors: bool = False

    @classmethod
    def of(
        cls,
        graph: Graph,
        program: Program,
        inputs: Sequence[str],
        outputs: Sequence[str],
        keep: Sequence[str] = (),
        asked: Sequence[str] = (),
        engine: str = "builtin",
    ) -> Model:
        """The model with its sites.

        Args:
            keep: names of constants to leave alone, in which ``*`` stands for anything.
            asked: names of those that are sites though nothing shows what becomes of them.
        """
        protected = {name.partition(":")[0] for name in (*inputs, *outputs)}
        found = [site for site in find_sites(graph, protected) if not matches(site.name, keep)]
        judge = Judge.of(graph, outputs)
        compared = ancestors(find_value(graph, tensor).node for tensor in judge.tensors)
        # What no comparison shows would seem to bear any coarseness.
        sites = [site for site in found if not compared or graph[site.name] in compared or matches(site.name, asked)]
        names = {site.name for site in sites}
        unseen = [site.name for site in found if site.name not in names]
        vectors = half_constants(graph, protected | names, keep)
        return cls(graph, program, inputs, outputs, judge, sites, vectors, unseen, engine)

    @property
    def names(self) -> list[str]:
        """Of the sites."""
        return [site.name for site in self.sites]

    def site(self, name: str) -> Site:
        """The site of that name."""
        return next(site for site in self.sites if site.name == name)

    def moments(
        self, samples: Sequence[Feeds], on_sample: Callable[[], None] = lambda: None, *, means_only: bool = False
    ) -> dict[str, Moments]:
        """What the inputs of the sites are like; see `collect`."""
        inner = {use.node for site in self.sites for use in site.uses if self.graph.get(use.node.name) is not use.node}
        often, ends = inner | conditional(self.graph), self.judge.tensors
        evaluator = Evaluator(self.program, self.graph)
        return collect(evaluator, self.sites, samples, on_sample, means_only=means_only, often=often, ends=ends)

    def rounders(
        self, moments: Mapping[str, Moments], importance: Mapping[str, Array] = MappingProxyType({})
    ) -> list[SiteRounder]:
        """What rounds each site.

        Args:
            importance: of the output channels of those of which it is known.
        """
        return [
            SiteRounder(site, const_value(self.graph[site.name]), moments.get(site.name), importance.get(site.name))
            for site in self.sites
        ]

    def refine_vectors(self, bits: int) -> None:
        """Store vectors in so many bits more than float16 has, or as many as there are."""
        for name in self.vectors:
            self.vectors[name] = finer(const_value(self.graph[name]).numpy(), min(bits, MOST_BITS))

    def keep_vectors(self) -> bool:
        """Store vectors in few bits only where that is exact; whether that is a change."""
        before, self.exact_vectors = len(self.vectors), True
        self.vectors = {
            name: vector
            for name, vector in self.vectors.items()
            if np.array_equal(vector, const_value(self.graph[name]).numpy())
        }
        return len(self.vectors) < before

    def content(self, rounded: Mapping[str, Rounded], *, alone: bool = False) -> dict[str, Array]:
        """The constants to run with when these sites are rounded and their biases repaired.

        Args:
            alone: nothing else changes; without it all vectors are as they are stored.
        """
        found = {} if alone else {name: vector.astype(np.float32) for name, vector in self.vectors.items()}
        found |= self.biases(rounded)
        for site in self.sites:
            if site.name in rounded:
                found[site.name] = site.from_matrix(rounded[site.name].weights)
        return found

    def biases(self, rounded: Mapping[str, Rounded]) -> dict[str, Array]:
        """The biases of rounded sites with what they make up for, float32 of the precision in which they are stored."""
        found: dict[str, Array] = {}
        noises: dict[str, list[Array | None]] = {}
        for site in self.sites:
            shift = rounded[site.name].shift if site.name in rounded else None
            if site.bias is not None and shift is not None and shift.any():
                bias = found.get(site.bias, const_value(self.graph[site.bias]).numpy())
                found[site.bias] = bias + shift.reshape(bias.shape)
                noises.setdefault(site.bias, []).append(rounded[site.name].noise)
        for name, bias in found.items():
            if name in self.vectors and bool((np.abs(bias) < LARGEST).all()):
                found[name] = _shortened(bias, noises[name])
        return found


def _shortened(bias: Array, noises: Sequence[Array | None]) -> Array:
    """A bias in few bits: against the other errors of what it is added to, its own is small."""
    known = [noise for noise in noises if noise is not None]
    if len(known) < len(noises):
        return finer(bias, _UNKNOWN)
    return fine_enough(bias, np.sum(known, axis=0).reshape(bias.shape))
